"""The file that a trace is: named arrays and what made them, in one .npz.

Array names are `rung/precision/case/tensor`. The facts stand as JSON text
in the array `facts`. Nothing needs pickle, so nothing in a file is run.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FORMAT = "davidnet-trace-1"
PARTS = ("main", "handover")
FACTS = (
    "format",
    "part",
    "run_id",
    "framework",
    "versions",
    "device",
    "machine",
    "recipe_hash",
    "source_hash",
    "git_commit",
    "seconds",
    "names",
)

Arrays = dict[str, np.ndarray]


class TraceError(Exception):
    """A trace that cannot be compared; the message is one clear line."""


@dataclass(frozen=True)
class Trace:
    """One framework's numbers."""

    name: str  # of the framework, as the report shows it
    facts: dict
    arrays: Arrays


def write(path: Path, facts: dict, arrays: Arrays) -> None:
    """Write a trace under its name at once, or not at all."""
    names = sorted(arrays)
    facts = {"format": FORMAT, **facts, "names": len(names)}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(
            file,
            facts=np.array(json.dumps(facts)),
            **{n: arrays[n] for n in names},
        )
    part.replace(path)


def read(path: Path) -> Trace:
    """Read a trace and check all that can be checked without another.

    Raises TraceError: not there, truncated, another format, a fact missing,
    empty, another number of tensors than was written, or NaN.
    """
    try:
        # Opened here: np.load leaves a broken file open.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise TraceError(f"{path}: no such trace") from error
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
    ) as error:
        raise TraceError(
            f"{path}: truncated, damaged or not a trace ({error}); make it anew"
        ) from error
    try:
        facts = json.loads(str(arrays.pop("facts")))
        found = facts["format"]
    except (KeyError, ValueError, TypeError) as error:
        raise TraceError(f"{path}: not a trace: it has no facts") from error
    if found != FORMAT:
        raise TraceError(
            f"{path}: format {found!r}, this comparison reads {FORMAT!r}; "
            "make it anew"
        )
    for name in FACTS:
        if name not in facts:
            raise TraceError(f"{path}: its facts lack {name!r}; make it anew")
    _check(path, facts, arrays)
    return Trace(facts["framework"], facts, arrays)


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
