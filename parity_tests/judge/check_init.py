"""Rung 3: whether native weights follow the law, in each framework.

Every measure is a share of its limit, so the tolerance is 1. Limits are for
8 fixed seeds: they hold or do not, chance enters once, when a framework's
generator changes. 5 standard errors, and a KS limit of 2.5 / sqrt(n), are
passed by chance once in a million.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from common.init import parameter_table
from common.recipe import Recipe
from parity_tests.judge.checks import Check, Measure, Traces

PREFIX = "3/native"
STANDARD_ERRORS = 5.0
STD_SHARE = 0.002  # of the standard deviation, where n is large
KS_LIMIT = 2.5
ROWS = [row for row in parameter_table(Recipe()) if row.role == "kernel"]


def bound(shape: tuple[int, ...]) -> float:
    """The formula, written once more: 1 / sqrt(fan_in)."""
    return float(np.prod(shape[:-1])) ** -0.5


def moments(traces: Traces) -> Iterator[Measure]:
    """Mean, standard deviation, range and neighbors, against the formula."""
    for row in ROWS:
        name = f"{PREFIX}/moments/{row.name}"
        b, n = bound(row.shape), 8 * row.size
        deviation = b / 3**0.5
        for who, rows in traces.holders(name).items():
            mean, square = rows[:, 0].mean(), rows[:, 1].mean()
            error = abs(mean) / (STANDARD_ERRORS * deviation / n**0.5)
            yield Measure(error, name, f"{who} mean", mean, "formula", 0.0)
            # The standard error of a uniform's deviation is 0.447 / sqrt(n).
            std = (square - mean**2) ** 0.5
            limit = max(STD_SHARE, STANDARD_ERRORS * 0.447 / n**0.5)
            error, what = abs(std / deviation - 1) / limit, "standard deviation"
            yield Measure(
                error, name, f"{who} {what}", std, "formula", deviation
            )
            near = rows[:, 4].mean()
            error = abs(near) / (STANDARD_ERRORS * deviation**2 / n**0.5)
            yield Measure(error, name, f"{who} neighbors", near, "none", 0.0)


def bounds(traces: Traces) -> Iterator[Measure]:
    """Nothing beyond the bound, and something close to it."""
    for row in ROWS:
        name = f"{PREFIX}/moments/{row.name}"
        b = bound(row.shape)
        for who, rows in traces.holders(name).items():
            most = float(np.abs(rows[:, 2:4]).max())
            # The largest of n numbers lies 1/n below on average.
            near = most > b * (1 - 30 / (8 * row.size))
            wrong = float(not (near and most <= b * (1 + 1e-7)))
            yield Measure(wrong, name, who, most, "bound", b)


def distributions(traces: Traces) -> Iterator[Measure]:
    """Kolmogorov-Smirnov, to the formula and between frameworks."""
    for row in ROWS:
        name, n = f"{PREFIX}/counts/{row.name}", 8 * row.size
        held = {
            who: np.cumsum(counts)[:-1] / counts.sum()
            for who, counts in traces.holders(name).items()
        }
        even = np.linspace(0, 1, len(next(iter(held.values()))))
        for who, share in held.items():
            # float32 has no more than 2^24 steps in the range.
            ks, limit = float(np.abs(share - even).max()), KS_LIMIT / n**0.5
            yield Measure(ks / limit, name, who, ks, "formula", 0.0)
        for (one, a), (other, b) in combinations(held.items(), 2):
            ks = float(np.abs(a - b).max())
            limit = KS_LIMIT * (2 / n) ** 0.5
            yield Measure(ks / limit, name, one, ks, other, 0.0)


def seeds(traces: Traces) -> Iterator[Measure]:
    """No two kernels of any seeds are equal; the same seed gives the same."""
    name, repeat = f"{PREFIX}/digests/by-seed", f"{PREFIX}/digests/repeat"
    again = traces.holders(repeat)
    for who, digests in traces.holders(name).items():
        equal = digests.size - len(np.unique(digests))
        yield Measure(float(equal), name, who, equal, "no two equal", 0)
        same = bool((digests[0] == again[who]).all())
        yield Measure(float(not same), repeat, who, same, "same", True)


LAW = "5 standard errors, KS 2.5/sqrt(n): shares of these limits"
CHECKS = [
    Check(3, "native: mean, deviation, neighbors", 1.0, LAW, moments, LAW),
    Check(3, "native: hard bound", 0.0, "a bound is a bound", bounds),
    Check(3, "native: KS, formula and pairs", 1, LAW, distributions, LAW),
    Check(3, "native: seeds differ, repeat", 0.0, "bits", seeds),
]
