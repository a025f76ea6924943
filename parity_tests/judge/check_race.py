"""Rung 8: epochs to each accuracy in the short race."""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from parity_tests.judge.checks import Check, Measure, Traces

LEVELS = (0.6, 0.8, 0.9)


def epochs_to(accuracy: np.ndarray, level: float) -> int:
    """The first epoch, from 1, with this accuracy; one more if none has."""
    reached = np.flatnonzero(accuracy >= level)
    return int(reached[0]) + 1 if len(reached) else len(accuracy) + 1


def epochs(traces: Traces) -> Iterator[Measure]:
    """Equal within one evaluation, and reached by all."""
    traces.names("8/float32/clock/*")
    traces.names("8/float32/race/test_accuracy")
    name = "8/float32/race/test_accuracy"
    held = traces.holders(name)
    for level in LEVELS:
        found = {who: epochs_to(a, level) for who, a in held.items()}
        for who, a in held.items():
            missed = found[who] > len(a)
            yield Measure(
                99.0 * missed, name, who, float(a.max()), "reach", level
            )
        for one, other in combinations(found, 2):
            yield Measure(
                float(abs(found[one] - found[other])),
                f"{name} {level:.0%}",
                one,
                found[one],
                other,
                found[other],
            )


def first_epoch(loss: str) -> Callable[[Traces], Iterator[Measure]]:
    """A loss after one epoch: before rounding has grown."""
    name = f"8/float32/race/{loss}"

    def measure(traces: Traces) -> Iterator[Measure]:
        traces.names(name)
        held = traces.holders(name)
        for one, other in combinations(held, 2):
            a, b = float(held[one][0]), float(held[other][0])
            yield Measure(abs(a - b) / b, name, one, a, other, b)

    return measure


CHECKS = [
    Check(
        8,
        "race: epochs to 60, 80 and 90 %",
        1.0,
        "one evaluation: rounding alone can move it by as much",
        epochs,
        "counts of epochs",
    ),
    Check(
        8,
        "race: training loss of the first epoch",
        5e-3,
        "32 steps of float32 from fresh weights: rounding has grown to 6e-4",
        first_epoch("train_loss"),
    ),
    Check(
        8,
        "race: test loss after the first epoch",
        1e-1,
        "one point of the trajectory, not an average over it: 1e-2",
        first_epoch("test_loss"),
    ),
]
