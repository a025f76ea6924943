"""Rung 8: accuracies, and epochs to each level, in the short race."""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from parity_tests.harness.cases import RACE
from parity_tests.judge.checks import Check, Measure, Traces

LEVELS = (0.6, 0.8, 0.9)
# How many of 1,024 test images rounding alone may turn after 32 steps and
# more of float32 from fresh weights.
IMAGES = 100


def epochs_to(accuracy: np.ndarray, level: float) -> int:
    """The first epoch, from 1, with this accuracy; one more if none has."""
    reached = np.flatnonzero(accuracy >= level)
    return int(reached[0]) + 1 if len(reached) else len(accuracy) + 1


def epochs(traces: Traces) -> Iterator[Measure]:
    """The same epoch in all, and reached by all.

    An accuracy that lies within IMAGES of a level may count either way: then
    there are several epochs, and one in common is enough.
    """
    traces.names("8/float32/clock/*")
    traces.names("8/float32/race/test_accuracy")
    name = "8/float32/race/test_accuracy"
    held = traces.holders(name)
    room = IMAGES / RACE.test_images
    for level in LEVELS:
        found = {
            who: (epochs_to(a + room, level), epochs_to(a - room, level))
            for who, a in held.items()
        }
        for who, a in held.items():
            missed = epochs_to(a, level) > len(a)
            yield Measure(
                99.0 * missed, name, who, float(a.max()), "reach", level
            )
        for one, other in combinations(found, 2):
            apart = max(
                *(0, found[one][0] - found[other][1]),
                found[other][0] - found[one][1],
            )
            yield Measure(
                float(apart),
                f"{name} {level:.0%}",
                one,
                found[one],
                other,
                found[other],
            )


def images(traces: Traces) -> Iterator[Measure]:
    """Correct predictions after each epoch, in images."""
    name = "8/float32/race/test_accuracy"
    for one, other in combinations(traces.holders(name).items(), 2):
        (who, a), (whose, b) = one, other
        counts = np.rint(np.stack([a, b]) * RACE.test_images)
        apart = np.abs(counts[0] - counts[1])
        at = int(apart.argmax())
        yield Measure(
            float(apart[at]),
            f"{name} of epoch {at + 1}",
            *(who, int(counts[0, at]), whose, int(counts[1, at])),
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
        0.0,
        f"the same epoch, where no accuracy is within {IMAGES} images of it",
        epochs,
    ),
    Check(
        8,
        "race: correct predictions, in images",
        IMAGES,
        "what rounding turns in the race, measured over the machines",
        images,
    ),
    Check(
        8,
        "race: training loss of the first epoch",
        5e-3,
        "32 steps of float32 from fresh weights: rounding has grown to 1e-3",
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
