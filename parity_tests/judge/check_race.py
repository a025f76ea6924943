"""Rung 8: epochs to each accuracy in the short race."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from parity_tests.judge.checks import Check, Measure, Traces

LEVELS = (0.6, 0.8, 0.9)
NAME = "8/float64/race/test_accuracy"


def epochs_to(accuracy: np.ndarray, level: float) -> int:
    """The first epoch, from 1, with this accuracy; one more if none has."""
    reached = np.flatnonzero(accuracy >= level)
    return int(reached[0]) + 1 if len(reached) else len(accuracy) + 1


def epochs(traces: Traces) -> Iterator[Measure]:
    """The same epoch in all, and reached by all."""
    traces.mark("8/float64/clock/*")
    held = traces.holders(NAME)
    for level in LEVELS:
        found = {who: epochs_to(a, level) for who, a in held.items()}
        for who, a in held.items():
            missed = 99.0 * (found[who] > len(a))
            yield Measure(missed, NAME, who, float(a.max()), "reach", level)
        for (one, a), (other, b) in combinations(found.items(), 2):
            name = f"{NAME} {level:.0%}"
            yield Measure(float(abs(a - b)), name, one, a, other, b)


CHECKS = [
    Check(
        8,
        "race: epochs to 60, 80 and 90 %",
        0.0,
        "in float64 no image is so near a tie that rounding decides",
        epochs,
    )
]
