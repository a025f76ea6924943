"""Timed calls, medians, ranges, and when a machine was too noisy to trust."""

import statistics
import time
from collections.abc import Callable, Sequence

# Range over median, above which a row is marked. A quiet machine repeats
# a step within 3 %; what this project compares differs by 10 % and more.
NOISE_LIMIT = 0.10
FEWEST = 3  # calls, where they are quick
WARM_UP = 2  # batches of a peer; the first one compiles
MOST_BATCHES = 48  # of a peer
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


def timed(
    name: str, run: Callable[[int], float], size: int, seconds: float
) -> dict:
    """Images/s of a peer, by its name; how many batches; its compilation.

    run: trains so many batches of `size` images, and returns the seconds.
    """
    first = run(WARM_UP)
    each = run(WARM_UP) / WARM_UP
    number = max(2, min(MOST_BATCHES, int(seconds / each)))
    took = run(number)
    return {
        name: number * size / took,
        "batches": number,
        "compile_seconds": max(0.0, first - WARM_UP * took / number),
    }
