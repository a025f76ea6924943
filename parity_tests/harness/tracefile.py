"""The file that a trace is: named arrays and what made them, in one .npz.

Array names are `rung/precision/case/tensor`. The facts stand as JSON text
in the array `facts`. Nothing needs pickle, so nothing in a file is run.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import Struct, structs

from common.files import one_line
from common.typed import Commit, Count, Malformed, Seconds, Text, decode

FORMAT = "davidnet-trace-1"
LARGEST = 2**32  # bytes of all arrays; the traces of this ladder have 2**28


class Facts(Struct, frozen=True, kw_only=True):
    """What made a trace."""

    format: Text
    part: Literal["main", "exchange", "digest"]
    run_id: Text
    framework: Text
    versions: dict[Text, Text]
    device: Text
    machine: Text
    recipe_hash: Text
    source_hash: Text
    git_commit: Commit | None
    seconds: Seconds
    names: Count  # of tensors


Arrays = dict[str, np.ndarray]


class TraceError(Exception):
    """A trace that cannot be compared; the message is one clear line."""


@dataclass(frozen=True)
class Trace:
    """One framework's numbers."""

    name: str  # of the framework, as the report shows it
    facts: dict
    arrays: Arrays


def write(
    path: Path, facts: dict, arrays: Arrays, compressed: bool = False
) -> None:
    """Write a trace under its name at once, or not at all."""
    names = sorted(arrays)
    facts = {"format": FORMAT, **facts, "names": len(names)}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        save = np.savez_compressed if compressed else np.savez
        save(
            file,
            facts=np.array(json.dumps(facts)),
            **{n: arrays[n] for n in names},
        )
    part.replace(path)


def is_fresh(path: Path, run_id: str) -> bool:
    """Whether a trace is there, whole, and of this run."""
    try:
        return read(path).facts["run_id"] == run_id
    except TraceError:
        return False


def read(path: Path) -> Trace:
    """Read a trace and check all that can be checked without another.

    Raises TraceError: not there, truncated, another format, a fact missing,
    empty, another number of tensors than was written, or NaN.
    """
    try:
        arrays = _arrays(path)
    except FileNotFoundError as error:
        raise TraceError(f"{path}: no such trace") from error
    # NumPy and zipfile raise many kinds of errors on bytes of others.
    except Exception as error:
        raise TraceError(
            f"{path}: truncated, damaged or not a trace "
            f"({one_line(error)}); make it anew"
        ) from error
    try:
        facts = decode(str(arrays.pop("facts")), Facts)
    except KeyError as error:
        raise TraceError(f"{path}: not a trace: it has no facts") from error
    except Malformed as error:
        raise TraceError(f"{path}: its facts: {error}; make it anew") from error
    if facts.format != FORMAT:
        raise TraceError(
            f"{path}: format {facts.format!r}, this comparison reads "
            f"{FORMAT!r}; make it anew"
        )
    facts = structs.asdict(facts)
    _check(path, facts, arrays)
    return Trace(facts["framework"], facts, arrays)


def _arrays(path: Path) -> Arrays:
    """All arrays of an .npz. Raises whatever is wrong with it."""
    # Opened here: np.load leaves a broken file open.
    with path.open("rb") as raw:
        with zipfile.ZipFile(raw) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{size:,} bytes, more than {LARGEST:,}")
        raw.seek(0)
        with np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def _check(path: Path, facts: dict, arrays: Arrays) -> None:
    if not arrays:
        raise TraceError(f"{path}: empty: it holds no tensor")
    if facts["names"] != len(arrays):
        raise TraceError(
            f"{path}: {len(arrays)} tensors, but {facts['names']} were "
            "written; make it anew"
        )
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = np.argwhere(~np.isfinite(array))[0].tolist()
            raise TraceError(
                f"{path}: {name} has NaN or infinite numbers, first at {place}"
            )
        if array.size == 0:
            raise TraceError(f"{path}: {name} has no elements")
