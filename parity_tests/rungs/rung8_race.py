"""Rung 8, the short race: the real training, here and now.

`train` itself, with all that belongs to it, on a synthetic set: shared
initial weights, no dropout, width 8. Its record is read like any other. In
float32, steps from fresh weights cross ties, and what a ReLU decides there
moves accuracies by 8 points; in float64 they cross none: the same images are
predicted correctly after each epoch, on every processor.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common.run.records import read_run
from parity_tests.harness.cases import RACE, VARIANT
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.rungs.rung7_program import put_rows, run


def trace(driver: Driver) -> None:
    """Train, and keep the rows of metrics.jsonl."""
    recipe, seed = in_precision(RACE, "float64"), 1 + VARIANT
    with TemporaryDirectory() as place:
        folder = run(driver, recipe, seed, Path(place, "race"), init="shared")
        put_rows(driver, "8/float64/race", folder)
        seconds = [row.train_seconds for row in read_run(folder).rows]
    driver.put("8/float64/clock/train_seconds", np.array(seconds))
