"""Rung 7 in the mode that is not the default: compiled, or eagerly.

And the masks of dropout there.
"""

from parity_tests.harness.cases import Arrays
from parity_tests.harness.driver import Driver
from parity_tests.rungs.rung4_dropout import trace_mode
from parity_tests.rungs.rung7_trajectory import (
    RECIPE,
    expected_run,
    flatten,
    run,
)

PREFIX = "7/float64/other-mode"
DROPOUT = "7/float64/dropout"


def trace(driver: Driver) -> None:
    """One epoch of the trajectory; single steps with dropout."""
    own = driver.adapter.MODE
    other = "compiled" if own == "eager" else "eager"
    steps, _, sums = run(driver, RECIPE, other, epochs=range(1), probe=False)
    driver.put_all(PREFIX, flatten(steps, sums))
    trace_mode(driver, other, DROPOUT)


def expected() -> Arrays:
    """The oracle's numbers, which know no mode."""
    steps, sums = expected_run(RECIPE, epochs=1)
    return {
        f"{PREFIX}/{name}": value
        for name, value in flatten(steps, sums).items()
        if not name.endswith("/logits")
    }
