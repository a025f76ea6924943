"""The ladder: every check, in order, with its tolerance and its reason.

The specification gives ceilings; here most tolerances are tighter, 3 to 300
times the largest error on any machine of the matrix (docs/parity.md). The
guard holds them there.
"""

from parity_tests.judge import (
    check_dropout,
    check_init,
    check_margins,
    check_noise,
    check_race,
    check_repeat,
    check_world,
)
from parity_tests.judge.checks import Check, equal_tensors
from parity_tests.judge.on_gpu import rounded_factor

EXACT = "the same bits, names or numbers"
DOUBLE = "rounding of float64, grown by the depth of the network"
SINGLE = "rounding of float32, grown by the depth of the network"
HALF = "bfloat16 has 8 bits; errors of single numbers average out"
FIRST = "one rounding of each convolution's output, averaged over 8,192"

RUNGS = {
    0: "structure",
    1: "schedule",
    2: "data",
    3: "init",
    4: "forward",
    5: "gradients",
    6: "optimizer",
    7: "trajectory",
    8: "outcome",
    9: "world",
}
same = equal_tensors
CHECKS: list[Check] = [
    same(0, "names, shapes, roles, counts", "0/float32/full/*", 0, EXACT),
    same(0, "types after 0, 1, 2 steps", "0/*/step*", 0, EXACT),
    same(1, "table of 2,352 rates", "1/float64/table/*", 1e-14, "rounding"),
    same(1, "read back, all steps", "1/float64/all/*", 1e-13, "rounding"),
    same(1, "read back, unit gradient", "1/float64/unit/*", 1e-14, "rounding"),
    same(
        1, "the same in float32", "1/float32/unit/*", 2.4e-7, "2 units of 2^-23"
    ),
    same(2, "pad, crop, flip, cutout of bytes", "2/uint8/*", 0, EXACT),
    same(2, "labels, sizes of batches", "2/*/*/[ls]*", 0, EXACT),
    same(2, "images, float64", "2/float64/*/images", 1e-14, "one division"),
    same(2, "images, float32", "2/float32/*/images", 5e-7, "one division"),
    same(3, "shared initial weights, there and back", "3/shared/*", 0, EXACT),
    same(3, "what is not drawn: 1 and 0", "3/native/others/*", 0, EXACT),
    *check_init.CHECKS,
    same(
        4,
        "activations, losses, float64",
        "4/float64/*/*/*",
        2e-12,
        DOUBLE,
        but="4/float64/dropout*",
    ),
    same(
        4,
        "activations, losses, float32",
        "4/float32/*/*",
        3e-5,
        SINGLE,
        but="4/float32/tf32/*",
    ),
    same(
        4,
        "1 + 2^-12: no tf32",
        "4/float32/tf32/*",
        5e-5,
        "sums of positive numbers in float32; tf32 would lose 2.4e-4",
    ),
    *check_margins.CHECKS_4,
    *check_dropout.CHECKS,
    same(
        4,
        "dropout: evaluation",
        "4/float64/dropout*/eval/*",
        1e-14,
        DOUBLE,
        unguarded="a sum of 16 equal numbers: exact, but for its order",
    ),
    same(4, "bfloat16: types by layer", "4/bfloat16/*/types/*", 0, EXACT),
    same(
        4,
        "bfloat16: first statistics",
        "4/bfloat16/*/stats1/prep*",
        1e-3,
        FIRST,
    ),
    same(
        4,
        "bfloat16: results",
        "4/bfloat16/*",
        1e-2,
        HALF,
        but="4/bfloat16/dropout*",
    ),
    same(5, "gradients, float64", "5/float64/*", 5e-12, DOUBLE),
    same(5, "gradients, float32", "5/float32/*", 1e-4, SINGLE),
    *check_margins.CHECKS_5,
    same(
        6,
        "impulse, decay, random",
        "6/float64/*",
        1e-13,
        "rounding",
        instead=rounded_factor,
    ),
    same(6, "the same in float32", "6/float32/*", 2e-6, "rounding"),
    same(
        6,
        "the same in bfloat16",
        "6/bfloat16/*",
        2e-6,
        "weights, velocity and their update are float32",
    ),
    same(7, "20 steps, float64", "7/float64/trajectory/*", 1e-11, DOUBLE),
    same(7, "the whole program, float64", "7/*/program/*", 1e-11, DOUBLE),
    same(7, "the other mode, float64", "7/float64/other-mode/*", 2e-12, DOUBLE),
    same(7, "David Page's own code", "7/float64/page/*", 2e-12, DOUBLE),
    same(7, "his augmentation", "7/float32/page/*", 5e-7, "one division"),
    same(7, "full width, 2 steps", "7/float64/wide/*", 1e-12, DOUBLE),
    same(
        7, "checkpoint exchange, 9 pairs", "7/float64/exchange/*", 1e-11, DOUBLE
    ),
    same(7, "whole epochs, float64", "7/float64/epochs/*", 1e-11, DOUBLE),
    *check_dropout.CHECKS_7,
    *check_repeat.CHECKS,
    *check_margins.CHECKS_7,
    *check_noise.CHECKS,
    same(8, "race: steps, rates, status", "8/*/race/[els]*", 0, EXACT),
    same(8, "race: correct predictions", "8/*/race/*accuracy", 0, EXACT),
    same(8, "race: losses of all epochs", "8/*/race/*loss", 1e-13, DOUBLE),
    *check_race.CHECKS,
    *check_world.CHECKS,
    same(
        9,
        "statistics of one batch, float32",
        "9/float32/*",
        3e-5,
        "as in one process: the mean is large beside the deviation",
    ),
    same(
        9,
        "the same between two numbers of bfloat16",
        "9/bfloat16/*",
        2e-6,
        "statistics are float32; bfloat16 would lose 4e-3",
    ),
    same(9, "processes end equal to the bit", "9/float64/*/unequal", 0, EXACT),
    same(9, "each process has masks of its own", "9/*/dropout/*", 0, EXACT),
]
