"""Rung 7 in float32: errors beside the frameworks' own rounding noise."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from parity_tests.judge.checks import ORACLE, Check, Measure, Traces, compare
from parity_tests.rungs.rung7_calm import kind

TIMES = 20
CEILINGS = np.geomspace(2e-4, 1e-3, 20)  # by step
ROUNDING = 2.0**-23  # no number is nearer than its last digit
NAME = re.compile(r"7/float32/trajectory/(\d\d)/(.+)")


def against_noise(traces: Traces) -> Iterator[Measure]:
    """Each tensor of each step; the tolerance is that step's."""
    traces.mark("7/float32/floor/*")
    noise = {
        who: {
            sort: np.maximum.accumulate(
                np.maximum(arrays[f"7/float32/floor/{sort}"], ROUNDING)
            )
            for sort in ("weights", "velocity", "stats", "loss")
        }
        for who, arrays in traces.arrays.items()
    }
    for name in traces.names("7/float32/trajectory/*"):
        step, tensor = NAME.match(name).groups()
        held = traces.holders(name)
        judge = (ORACLE, traces.oracle[name])
        pairs = [(one, judge) for one in held.items()]
        pairs += combinations(held.items(), 2)
        for one, other in pairs:
            measure = compare(name, one, other)
            if tensor == "correct":
                yield replace(measure, tolerance=0.0)
                continue
            floor = max(
                noise[who][kind(tensor)][int(step)]
                for who in (one[0], other[0])
                if who != ORACLE
            )
            limit = min(TIMES * floor, CEILINGS[int(step)])
            yield replace(measure, tolerance=float(limit), floor=float(floor))


CHECKS = [
    Check(
        7,
        "trajectory, 20 steps, float32",
        float(CEILINGS[-1]),
        "20 times the frameworks' own rounding noise at that step, "
        "at most 2e-4 to 1e-3",
        against_noise,
    )
]
