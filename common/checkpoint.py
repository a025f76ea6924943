"""The one checkpoint format: safetensors, canonical names and layouts.

A file holds every tensor of the table in common/init.py by its name and,
for each trained one, `velocity.<name>`. Step and recipe are in the
metadata. Whichever framework wrote it, any of the three reads it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from common.errors import CheckpointError
from common.files import write_atomic
from common.init import parameter_table, shared_params
from common.recipe import Recipe

FORMAT = "davidnet-checkpoint-1"
VELOCITY = "velocity."

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Checkpoint:
    """What a file held."""

    arrays: Arrays  # by canonical name, float32 or float64
    step: int  # updates made
    recipe: dict  # the fields of the recipe that it was trained by
    framework: str  # which one wrote it


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


def write(
    path: Path, arrays: Arrays, step: int, recipe: Recipe, framework: str
) -> None:
    """Write a checkpoint at once: under its name it is whole or not there.

    arrays: as export_arrays gives them. Raises DiskError.
    """
    metadata = {
        "format": FORMAT,
        "framework": framework,
        "step": str(step),
        "recipe": json.dumps(asdict(recipe)),
    }
    whole = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    write_atomic(path, safetensors.numpy.save(whole, metadata))


def read(path: Path, recipe: Recipe) -> Checkpoint:
    """Read a checkpoint and check it against the recipe.

    Raises CheckpointError if the file is not there, damaged, not of this
    format, holds a number that is not finite, or does not fit the network.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {
                name: file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118, no mapping
            }
        if metadata.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}: not a checkpoint of this project: format is "
                f"{metadata.get('format')!r}, expected {FORMAT!r}"
            )
        found = Checkpoint(
            arrays,
            int(metadata["step"]),
            json.loads(metadata["recipe"]),
            metadata["framework"],
        )
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}"
        ) from error
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path}: damaged checkpoint ({error}); take another one"
        ) from error
    _check(path, found, recipe)
    return found


def _check(path: Path, found: Checkpoint, recipe: Recipe) -> None:
    """Raise CheckpointError unless names, shapes and numbers are right."""
    written_width = found.recipe.get("width")
    hint = ""
    if written_width != recipe.width:
        hint = f"; it was written with width {written_width}: add "
        hint += f"--width {written_width}"
    wanted = array_shapes(recipe)
    for name in sorted(wanted.keys() ^ found.arrays.keys()):
        what = "is missing" if name in wanted else "is not of this network"
        raise CheckpointError(f"{path}: {name} {what}{hint}")
    for name, shape in wanted.items():
        array = found.arrays[name]
        if array.shape != shape:
            raise CheckpointError(
                f"{path}: {name} has shape {array.shape}, this recipe "
                f"needs {shape}{hint}"
            )
        if array.dtype not in (np.float32, np.float64):
            raise CheckpointError(
                f"{path}: {name} is {array.dtype}, expected float32 or float64"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{path}: {name} has NaN or infinite numbers; take an "
                "earlier checkpoint"
            )
