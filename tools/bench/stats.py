"""Timed calls, medians, ranges, and when a machine was too noisy to trust."""

import statistics
import time
from collections.abc import Callable, Sequence

# Range over median, above which a row is marked. A quiet machine repeats
# a step within 3 %; what this project compares differs by 10 % and more.
NOISE_LIMIT = 0.10
FEWEST = 3  # calls, where they are quick
MARK = "~"  # stands before a figure whose repeats lie further apart


def noise(values: Sequence[float]) -> float:
    """The range over the median; 0.0 for a single value."""
    return (max(values) - min(values)) / statistics.median(values)


def noisy(values: Sequence[float]) -> bool:
    """Whether the repeats lie too far apart to compare by."""
    return noise(values) > NOISE_LIMIT


def spread(values: Sequence[float], form: str = "{:,.0f}") -> str:
    """The median and, if it does not round to the same, the range."""
    middle = form.format(statistics.median(values))
    low, high = form.format(min(values)), form.format(max(values))
    if low == high:
        return middle
    return f"{middle} ({low} to {high})"


def shown(values: Sequence[float]) -> str:
    """The same, marked if noisy."""
    return MARK * noisy(values) + spread(values)


def gflops(
    call: Callable, flop: float, wait: Callable, seconds: float
) -> float:
    """10^9 operations a second: the median of the calls' times.

    After the first call, which makes things ready, it takes at most twice the
    seconds and one call more: a processor without instructions for a
    precision takes minutes for three calls.
    """
    wait(call())
    times: list[float] = []
    while sum(times) < seconds or (
        len(times) < FEWEST and sum(times) < 2 * seconds
    ):
        start = time.perf_counter()
        wait(call())
        times.append(time.perf_counter() - start)
    return flop / statistics.median(times) / 1e9
