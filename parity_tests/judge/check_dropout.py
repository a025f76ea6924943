"""Rung 4: whether dropout follows its law, in each framework."""

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np

from common.init import conv_bn_channels
from parity_tests.harness.cases import NET
from parity_tests.judge.checks import Check, Measure, Traces, equal_tensors
from parity_tests.judge.on_gpu import rounded_factor
from parity_tests.oracle.network import SIDES
from parity_tests.rungs.rung4_dropout import (
    HALF,
    HALF_RATE,
    IMAGES,
    RATES,
    SLOPE,
)
from parity_tests.rungs.rung7_mode import DROPOUT as MODE

LAYERS = list(conv_bn_channels(NET))
STANDARD_ERRORS = 5.0
# layer1 gives 1 + 1, layer3 is fed 1: what each convolution gives.
VALUE = {name: 2.0 if name == "layer2.conv_bn" else 1.0 for name in LAYERS}


# By rate: what its tensors' names begin with.
DOUBLE = {rate: f"4/float64/dropout-{rate}" for rate in RATES}


def tensors(traces: Traces, prefixes: dict[float, str]) -> Iterator[tuple]:
    """Rate, layer, name, framework, kept share by channel, factor."""
    for rate, start in prefixes.items():
        prefix = f"{start}/first"
        for layer in LAYERS:
            name = f"{prefix}/{layer}"
            n = IMAGES * SIDES[layer] ** 2
            for who, (mean, var) in traces.holders(name).items():
                mean = mean / VALUE[layer]
                square = var / VALUE[layer] ** 2 * (n - 1) / n + mean**2
                yield rate, layer, name, who, mean, square, n


def scale(traces: Traces) -> Iterator[Measure]:
    """What is kept grows by 1 / (1 - rate): exactly, in each channel."""
    for rate, _, name, who, mean, square, _ in tensors(traces, DOUBLE):
        factors = square / mean
        worst = float(factors[np.abs(factors * (1 - rate) - 1).argmax()])
        error, law = abs(worst * (1 - rate) - 1), 1 / (1 - rate)
        limit = rounded_factor(traces, name, who)
        wanted = "1 / (1 - rate)", law
        yield Measure(error, name, who, worst, *wanted, tolerance=limit)


def share_kept(traces: Traces) -> Iterator[Measure]:
    """1 - rate of all elements, and no more spread than coins have."""
    both = DOUBLE | {HALF_RATE: HALF}
    for rate, _, name, who, mean, square, n in tensors(traces, both):
        kept, wanted = mean**2 / square, 1 - rate
        limit = STANDARD_ERRORS * (rate * wanted / (n * len(kept))) ** 0.5
        found = float(kept.mean())
        error = abs(found - wanted) / limit
        yield Measure(error, name, who, found, "kept", wanted)
        spread = float(np.square(kept - wanted).mean())
        coins = rate * wanted / n
        # A mean of c squares of normal numbers has a deviation sqrt(2 / c).
        limit = STANDARD_ERRORS * (2 / len(kept)) ** 0.5
        error = abs(spread / coins - 1) / limit
        yield Measure(error, name, f"{who} spread", spread, "of coins", coins)


# By seed and step; no two have the same masks.
POINTS = ("first", "next", "next-seed", "other-seed", "epoch", "byte")
# Two cases of a layer, and whether their masks are the same.
CASES = (
    ("again", "first", True),
    ("next", "second", True),
    *((one, other, False) for one, other in combinations(POINTS, 2)),
)
CASES_OF_MODE = (("second", "first", False), ("other-seed", "first", False))
# Layers of one shape.
ALIKE = (("layer1.res1", "layer1.res2"), ("layer3.res1", "layer3.res2"))


def masks(traces: Traces) -> Iterator[Measure]:
    """The same for a (seed, step); new for every step, seed and layer."""
    for prefix in DOUBLE.values():
        yield from compare_masks(traces, prefix, CASES)


def masks_of_mode(traces: Traces) -> Iterator[Measure]:
    """New for every step, seed and layer, compiled or eagerly."""
    yield from compare_masks(traces, MODE, CASES_OF_MODE)


def compare_masks(
    traces: Traces, prefix: str, cases: Iterable[tuple[str, str, bool]]
) -> Iterator[Measure]:
    """Whether statistics of two cases, or of two layers, are equal or not."""
    pairs = [
        (f"{one}/{layer}", f"{other}/{layer}", same)
        for layer in LAYERS
        for one, other, same in cases
    ]
    pairs += [(f"first/{a}", f"first/{b}", False) for a, b in ALIKE]
    for one, other, same in pairs:
        others = traces.holders(f"{prefix}/{other}")
        for who, value in traces.holders(f"{prefix}/{one}").items():
            equal = bool(np.array_equal(value, others[who]))
            yield Measure(
                *(float(equal != same), f"{prefix}/{one}", who),
                *(equal, "masks equal", same),
            )


LAW = "5 standard errors of so many coins: shares of this limit"
CHECKS = [
    Check(4, "dropout: place and factor", 1e-11, "rounding", scale),
    Check(4, "dropout: share kept, spread", 1.0, LAW, share_kept, LAW),
    Check(4, "dropout: masks by seed, step, layer", 0, "bits", masks),
    equal_tensors(
        4,
        "dropout: gradient is the slope",
        f"{SLOPE}/*",
        1e-3,
        "a ReLU that is moved over its kink; other masks would change all",
        unguarded="no ReLU is that near in the cases that were run",
    ),
]
CHECKS_7 = [
    Check(7, "dropout: masks, the other mode", 0, "bits", masks_of_mode)
]
