"""Rung 9: several processes beside the oracle and beside one process."""

import re
from collections.abc import Iterator
from dataclasses import replace

from parity_tests.judge.checks import ORACLE, Check, Measure, Traces, compare

TIMES = 10
LEAST = 1e-11
MOST = 1e-9  # more is no rounding of float64 over 20 steps
PART = re.compile(r"(9/float64)/([a-z-]+)/(.+)")


def several(traces: Traces) -> Iterator[Measure]:
    """Each tensor of each step, beside the oracle's and that of one process.

    Counts of correct predictions are equal; of the rest the tolerance grows
    with the framework's own noise.
    """
    traces.mark("9/float64/floor")
    for name in traces.names("9/float64/*/*"):
        home, part, rest = PART.match(name).groups()
        if part == "dropout" or rest == "unequal":
            continue
        for who, mine in traces.holders(name).items():
            arrays = traces.arrays[who]
            floor = float(arrays["9/float64/floor"])
            limit = min(max(LEAST, TIMES * floor), MOST)
            if rest.endswith("correct"):
                limit = 0.0
            pairs = [(ORACLE, traces.oracle[name])]
            one = f"{home}/one/{rest}"
            if part not in ("one", "eight"):
                pairs.append((f"{who}, one process", arrays[one]))
            for other in pairs:
                measure = compare(name, (who, mine), other)
                yield replace(measure, tolerance=limit, floor=floor)


CHECKS = [
    Check(
        9,
        "2, 3 processes, 8 devices: all steps",
        LEAST,
        "rounding of float64, as in the trajectory; or 10 times what another "
        "order of the images changes in one process",
        several,
    )
]
