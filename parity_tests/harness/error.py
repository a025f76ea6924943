"""The error of a tensor, as every comparison of the ladder measures it."""

import numpy as np


def relative_error(a: np.ndarray, b: np.ndarray) -> tuple[float, int]:
    """max|a-b| / max|b|, and the flat place of the largest difference."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return float("inf"), 0
    if a.dtype.kind not in "fiub":
        unequal = np.flatnonzero(a != b)
        return (float("inf"), int(unequal[0])) if len(unequal) else (0.0, 0)
    difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    place = int(difference.argmax())
    worst = float(difference.flat[place])
    if worst == 0:
        return 0.0, 0
    scale = float(np.abs(b).max())
    return (worst / scale if scale else float("inf")), place
