"""The race: a count differs by as many images as rounding may turn."""

import numpy as np
import pytest

from parity_tests.harness.cases import RACE
from parity_tests.judge.check_race import CHECKS, IMAGES
from parity_tests.judge.checks import Traces, run_check

EPOCHS, PREDICTIONS = CHECKS[:2]
NAME = "8/float32/race/test_accuracy"
ONE = 1 / RACE.test_images


def race(one: list[float], other: list[float]) -> Traces:
    arrays = {"pytorch": {NAME: np.array(one)}, "jax_flax": {}}
    arrays["jax_flax"][NAME] = np.array(other)
    return Traces(arrays, {})


@pytest.mark.parametrize(
    ("one", "other", "fails"),
    [
        ([0.3, 0.7, 0.99], [0.3, 0.7, 0.99], False),
        # Just below and just above 60 %: either may come an epoch earlier.
        ([0.3, 0.6 + ONE, 0.99], [0.3, 0.6 - ONE, 0.99], False),
        # An epoch later, and nowhere near: no rounding does this.
        ([0.3, 0.75, 0.99], [0.3, 0.4, 0.99], True),
        ([0.3, 0.7, 0.99], [0.3, 0.7, 0.85], True),  # 90 % is not reached
    ],
)
def test_an_epoch_may_differ_only_where_an_accuracy_is_near(one, other, fails):
    assert run_check(EPOCHS, race(one, other)).failed == fails


@pytest.mark.parametrize("more", [0, 1])
def test_as_many_images_as_rounding_turns_and_no_more(more):
    other = [0.3, 0.5 + (IMAGES + more) * ONE]
    row = run_check(PREDICTIONS, race([0.3, 0.5], other))
    assert row.worst.error == IMAGES + more
    assert row.failed == bool(more)
