"""The ladder: every check, in order, with its tolerance and its reason.

Ceilings of the tolerances stand in the mission's ladder; most are tighter
here, 30 to 300 times the error that was measured on two machines.
"""

from parity_tests.checks import Check, equal_tensors

EXACT = "the same bits, names or numbers"

CHECKS: list[Check] = [
    equal_tensors(0, "names, shapes, roles", "0/float32/full/*", 0, EXACT),
    equal_tensors(0, "types after 0, 1, 2 steps", "0/*/step*", 0, EXACT),
    equal_tensors(
        4, "activations, float64", "4/float64/*/*/*", 1e-12, "rounding"
    ),
    equal_tensors(
        4, "activations, float32", "4/float32/*/*/*", 2e-5, "rounding"
    ),
    equal_tensors(5, "gradients, float64", "5/float64/*", 1e-11, "rounding"),
    equal_tensors(5, "gradients, float32", "5/float32/*", 1e-4, "rounding"),
]
