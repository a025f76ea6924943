"""The race: every level in the same epoch, and reached by all."""

import numpy as np
import pytest

from parity_tests.judge.check_race import CHECKS, NAME
from parity_tests.judge.checks import Traces, run_check


@pytest.mark.parametrize(
    ("other", "fails"),
    [
        ([0.3, 0.7, 0.99], False),
        ([0.3, 0.7, 0.98], False),  # another count: a row of its own
        ([0.3, 0.4, 0.99], True),  # 60 % an epoch later
        ([0.3, 0.7, 0.85], True),  # 90 % is not reached
    ],
)
def test_a_level_is_reached_in_the_same_epoch_by_all(other, fails):
    arrays = {"pytorch": {NAME: np.array([0.3, 0.7, 0.99])}}
    arrays["jax_flax"] = {NAME: np.array(other)}
    assert run_check(CHECKS[0], Traces(arrays, {})).failed == fails
