"""Small traces, to be kept: of each tensor a few numbers.

A trace has 150 MB. Its digest holds, of each tensor of more than 24 numbers,
the largest, the smallest, the mean, the mean magnitude, and 12 of them from
places that its size decides. None of these moves by more than the tensor's
largest difference, and the scale of the error is among them: a digest that
differs by more than a tolerance is of a tensor that does, too.
"""

import json
from pathlib import Path

import numpy as np

from parity_tests.harness import tracefile
from parity_tests.harness.tracefile import Arrays, Trace

WHOLE = 24  # numbers; a tensor of so many is kept as it is
SAMPLES = 12
PRIME = 2_654_435_761  # about 2^32 over the golden ratio: spreads the places


def digest(array: np.ndarray) -> np.ndarray:
    """The numbers that are kept of a tensor; its dtype or a wider one."""
    array = np.asarray(array)
    if array.size <= WHOLE or array.dtype.kind not in "fiub":
        return array
    flat = array.ravel()
    kind = np.float32 if array.dtype == np.float32 else np.float64
    wide = flat.astype(np.float64)
    kept = [wide.max(), wide.min(), wide.mean(), np.abs(wide).mean()]
    places = [number * PRIME % array.size for number in range(SAMPLES)]
    return np.array([*kept, *wide[places]], kind)


def write(path: Path, trace: Trace) -> None:
    """Write the digest of a main trace: arrays by dtype, one after another."""
    parts: dict[str, list[np.ndarray]] = {}
    names = []
    for name, array in sorted(trace.arrays.items()):
        small = digest(array)
        kind = small.dtype.str
        names.append([name, kind, list(small.shape)])
        parts.setdefault(kind, []).append(small.ravel())
    arrays: Arrays = {kind: np.concatenate(p) for kind, p in parts.items()}
    arrays["names"] = np.array(json.dumps(names))
    facts = trace.facts | {"part": "digest"}
    tracefile.write(path, facts, arrays, compressed=True)


def unpacked(path: Path, trace: Trace) -> Trace:
    """What `write` has written, its arrays by name. Raises TraceError."""
    arrays: Arrays = {}
    begin = dict.fromkeys(trace.arrays, 0)
    try:
        for name, kind, shape in json.loads(str(trace.arrays["names"])):
            end = begin[kind] + int(np.prod(shape))
            arrays[name] = trace.arrays[kind][begin[kind] : end].reshape(shape)
            begin[kind] = end
    except (KeyError, TypeError, ValueError) as error:
        raise tracefile.TraceError(
            f"{path}: damaged: its names do not fit its numbers"
        ) from error
    return Trace(trace.name, trace.facts, arrays)
