"""The one checkpoint format: safetensors, canonical names and layouts.

A file holds every tensor of the table in common/init.py by its name and,
for each trained one, `velocity.<name>`. Step, recipe and a checksum over
all of it are in the metadata. Whichever framework wrote it, any of the
three reads it; the same state gives the same bytes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from msgspec import Struct

from common.errors import CheckpointError
from common.files import one_line, write_atomic
from common.init import parameter_table, shared_params
from common.recipe import Recipe
from common.typed import Count, Malformed, Sha256, Text, convert, decode

FORMAT = "davidnet-checkpoint-2"
FORMAT_1 = "davidnet-checkpoint-1"  # without the checksum; still read
VELOCITY = "velocity."
# safetensors' names of the dtypes that a weight may have.
DTYPES = {"F32": "float32", "F64": "float64"}

Arrays = dict[str, np.ndarray]


class Metadata(Struct, frozen=True):
    """What a file says of itself, all as text."""

    format: Text
    framework: Text
    step: Count
    recipe: str
    sha256: Sha256 | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What a file held."""

    arrays: Arrays  # by canonical name, float32 or float64
    step: int  # updates made
    recipe: Recipe  # that it was trained by
    framework: str  # which one wrote it

    @property
    def epochs(self) -> float:
        """How many epochs of its recipe the updates are."""
        return self.step / self.recipe.steps_per_epoch


def array_shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a checkpoint of this recipe."""
    table = parameter_table(recipe)
    shapes = {row.name: row.shape for row in table}
    shapes |= {VELOCITY + row.name: row.shape for row in table if row.trained}
    return shapes


def shared_start(recipe: Recipe, seed: int) -> Arrays:
    """The shared initial weights with a velocity of zero."""
    arrays = shared_params(recipe, seed)
    for name, shape in array_shapes(recipe).items():
        if name.startswith(VELOCITY):
            arrays[name] = np.zeros(shape, np.float32)
    return arrays


# --- Write --------------------------------------------------------------


def write(
    path: Path, arrays: Arrays, step: int, recipe: Recipe, framework: str
) -> None:
    """Write a checkpoint at once: under its name it is whole or not there.

    arrays: as export_arrays gives them. Without momentum no step reads a
    velocity, and the three optimizers keep different things there: zeros are
    written. Raises DiskError.
    """
    metadata = {
        "format": FORMAT,
        "framework": framework,
        "step": str(step),
        "recipe": json.dumps(asdict(recipe)),
    }
    whole = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    if not recipe.momentum:
        velocity = (name for name in whole if name.startswith(VELOCITY))
        whole |= {name: np.zeros_like(whole[name]) for name in velocity}
    metadata["sha256"] = checksum(whole, metadata)
    write_atomic(path, _in_order(safetensors.numpy.save(whole, metadata)))


def checksum(arrays: Arrays, metadata: Mapping[str, str]) -> str:
    """SHA-256 over the metadata and over name, dtype, shape and content."""
    total = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, array in sorted(arrays.items()):
        head = [name, array.dtype.str, array.shape]
        total.update(json.dumps(head).encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its header sorted.

    The library writes the metadata in an order that varies from process to
    process. The header is JSON, preceded by its length in 8 bytes and
    padded by spaces to a multiple of 8.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


# --- Read ---------------------------------------------------------------


def read(path: Path, recipe: Recipe) -> Checkpoint:
    """Read a checkpoint and check it against the recipe.

    Raises CheckpointError if the file is not there, damaged, not of this
    format, holds a number that cannot be, or does not fit: another network,
    or epochs of another number of steps.
    """
    with _opened(path) as file:
        given = file.metadata() or {}
        metadata, written = _metadata(path, given)
        # Before any array takes memory.
        _check_shapes(path, file, written, recipe)
        _check_schedule(path, metadata.step, written, recipe)
        names = file.keys()
        arrays = {name: file.get_tensor(name) for name in names}
    if metadata.format == FORMAT:
        rest = {k: v for k, v in given.items() if k != "sha256"}
        if checksum(arrays, rest) != metadata.sha256:
            raise CheckpointError(
                f"{path}: damaged checkpoint (its checksum is another); take "
                "another one"
            )
    _check_numbers(path, arrays, recipe)
    return Checkpoint(arrays, metadata.step, written, metadata.framework)


def read_own(path: Path) -> Checkpoint:
    """Read a checkpoint by the recipe that it was trained by.

    Raises CheckpointError as `read` does.
    """
    return read(path, read_head(path)[1])


def read_step(path: Path) -> int:
    """How many updates a checkpoint has. Raises CheckpointError."""
    return read_head(path)[0].step


def read_head(path: Path) -> tuple[Metadata, Recipe]:
    """What a checkpoint says of itself, without its arrays.

    Raises CheckpointError.
    """
    with _opened(path) as file:
        return _metadata(path, file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[safetensors.safe_open]:
    """The open file. Raises CheckpointError, also for the block."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield file
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}"
        ) from error
    except (safetensors.SafetensorError, Malformed) as error:
        raise CheckpointError(
            f"{path}: damaged checkpoint ({one_line(error)}); take another one"
        ) from error


def _metadata(path: Path, given: dict[str, str]) -> tuple[Metadata, Recipe]:
    """The metadata, checked. Raises CheckpointError or Malformed."""
    if given.get("format") not in (FORMAT, FORMAT_1):
        raise CheckpointError(
            f"{path}: not a checkpoint of this project: format is "
            f"{one_line(given.get('format'))!r}, expected {FORMAT!r}"
        )
    metadata = convert(given, Metadata)
    return metadata, decode(metadata.recipe, Recipe)


def _check_shapes(path: Path, file, written: Recipe, recipe: Recipe) -> None:
    """Raise CheckpointError unless names, shapes and dtypes are right."""
    wanted, names = array_shapes(recipe), set(file.keys())
    hint = ""
    if written.width != recipe.width:
        hint = f"; to go on by its recipe, add {_flags(written, recipe)}"
    for name in sorted(wanted.keys() ^ names):
        what = "is missing" if name in wanted else "is not of this network"
        raise CheckpointError(f"{path}: {one_line(name)} {what}{hint}")
    for name, shape in wanted.items():
        array = file.get_slice(name)
        found = tuple(array.get_shape())
        if found != shape:
            raise CheckpointError(
                f"{path}: {name} has shape {found}, this recipe needs "
                f"{shape}{hint}"
            )
        if array.get_dtype() not in DTYPES:
            raise CheckpointError(
                f"{path}: {name} is {array.get_dtype()}, expected "
                + " or ".join(DTYPES.values())
            )


def _check_schedule(
    path: Path, step: int, written: Recipe, recipe: Recipe
) -> None:
    """Raise CheckpointError where epochs have another number of steps.

    Training would go on at another place of the schedule than it stopped.
    """
    ours, theirs = recipe.steps_per_epoch, written.steps_per_epoch
    if step and ours != theirs:
        raise CheckpointError(
            f"{path}: its epochs have {theirs} steps, those of this recipe "
            f"{ours}; to go on by its recipe, add {_flags(written, recipe)}"
        )


def _check_numbers(path: Path, arrays: Arrays, recipe: Recipe) -> None:
    """Raise CheckpointError where a number cannot be."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{path}: {name} has NaN or infinite numbers; take an "
                "earlier checkpoint"
            )
    for row in parameter_table(recipe):
        if row.role == "var" and arrays[row.name].min() < 0:
            raise CheckpointError(
                f"{path}: {row.name} has a variance below 0; take an earlier "
                "checkpoint"
            )


def differences(written: Recipe, recipe: Recipe) -> dict[str, tuple]:
    """The fields that differ: the value of a file, and this recipe's."""
    ours, theirs = asdict(recipe), asdict(written)
    return {
        name: (theirs[name], ours[name])
        for name in ours
        if theirs[name] != ours[name]
    }


def _flags(written: Recipe, recipe: Recipe) -> str:
    """The flags that make this recipe the one that a file was trained by."""
    words = []
    for name, (value, _) in differences(written, recipe).items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return " ".join(words)
