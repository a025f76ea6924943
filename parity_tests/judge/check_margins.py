"""Rungs 4, 5, 7 in float32: no decision is so near that rounding turns it.

The error of a row is the noise of a framework, the largest difference from
the oracle in a place, over the nearest tie there. What the decisions decide,
gradients and counts, may then be compared to the last digit that float32
has, on any processor.
"""

from collections.abc import Iterator

import numpy as np

from parity_tests.judge.checks import Check, Measure, Traces
from parity_tests.oracle.margins import lead

# At 1 rounding would reach the nearest decision. The seeds were chosen so that
# it is 120 times as far away as the oracle's float32 reaches
# (parity_tests/calm.py). A framework may round 12 times worse; over the
# machines, the guard of tolerances asks that none rounds 4 times as much.
# The worst of 13 is PyTorch with the seeds of variant 1: twice as much.
LIMIT = 0.1
WHY = "the nearest tie is at least 10 times as far away as rounding reaches"


def noise_over_margin(name: str, margin: float, traces: Traces) -> Iterator:
    """One measure for each framework."""
    judge = traces.oracle[name]
    for who, value in traces.holders(name).items():
        noise = float(np.abs(value.astype(np.float64) - judge).max())
        yield Measure(noise / margin, name, who, noise, "tie", margin)


def margin_of(name: str) -> str:
    """What the oracle calls the margin of a place inside a training step."""
    return name.replace("/inside/", "/margin/")


def inside(pattern: str):
    """Of all places of a training step."""

    def measure(traces: Traces) -> Iterator[Measure]:
        for name in traces.names(pattern):
            margin = traces.oracle[margin_of(name)]
            yield from noise_over_margin(name, float(margin), traces)

    return measure


def logits(traces: Traces) -> Iterator[Measure]:
    """Of the counts of correct predictions: the two largest logits."""
    for name in traces.names("4/float32/*/logits"):
        if "/tf32/" not in name:  # equal logits, and nothing is counted
            margin = lead(traces.oracle[name], 1)
            yield from noise_over_margin(name, margin, traces)


WHAT = "noise over the nearest tie, float32"
CHECKS_4 = [Check(4, WHAT, LIMIT, WHY, logits)]
CHECKS_5 = [Check(5, WHAT, LIMIT, WHY, inside("5/float32/*/inside/*"))]
CHECKS_7 = [Check(7, WHAT, LIMIT, WHY, inside("7/float32/inside/*"))]
