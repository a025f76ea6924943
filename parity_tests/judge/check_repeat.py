"""Rung 7: a framework's two runs of the same training.

On a CPU they are equal bit for bit. On a GPU they need not be: some sums
(cuDNN's gradients by the kernel, scattered gradients) are made by atomic
additions, in the order in which threads happen to come. What is left to
demand there is that the runs differ by rounding only.
"""

from collections.abc import Iterator

from parity_tests.judge.check_noise import ROUNDING, TIMES
from parity_tests.judge.checks import Check, Measure, Traces
from parity_tests.judge.on_gpu import on_gpu

# As for the trajectory in float64.
DOUBLE = 1e-11


def repeats(traces: Traces) -> Iterator[Measure]:
    """Each trace by itself: equal bits on a CPU, equal but for rounding."""
    traces.mark("7/*/repeat/error")
    traces.mark("7/*/floor/*")
    for name in traces.names("7/*/repeat/unequal"):
        prefix = name.removesuffix("/repeat/unequal")
        for who, unequal in traces.holders(name).items():
            if not on_gpu(traces, who):
                yield Measure(float(unequal), name, who, int(unequal), who, 0)
                continue
            arrays, limit = traces.arrays[who], DOUBLE
            if prefix.endswith("float32"):
                floors = f"{prefix}/floor/"
                noise = [a.max() for n, a in arrays.items() if floors in n]
                limit = TIMES * max(ROUNDING, *map(float, noise))
            yield Measure(
                float(arrays[f"{prefix}/repeat/error"]),
                f"{prefix}/repeat/error",
                *(who, int(unequal), who, 0),
                tolerance=limit,
            )


CHECKS = [
    Check(
        7,
        "two runs, bit for bit",
        0.0,
        "the same bits on a CPU; on a GPU sums by atomic additions come in "
        "any order: rounding, as in the trajectory",
        repeats,
        "on a GPU the runs may as well be equal",
    )
]
