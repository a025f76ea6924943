"""Rung 8, the short race: the real training, here and now.

`train` itself, with all that belongs to it, on a synthetic set: shared
initial weights, no dropout, width 8. Its record is read like any other. In
float32, steps from fresh weights cross ties, and what a ReLU decides there
moves accuracies by 8 points; in float64 they cross none: the same images are
predicted correctly after each epoch, on every processor.
"""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np

from common.recipe import Run
from common.run.records import read_run
from parity_tests.harness.cases import RACE, VARIANT
from parity_tests.harness.driver import Driver, in_precision

COLUMNS = (
    "epoch",
    "step",
    "lr",
    "train_loss",
    "test_loss",
    "test_accuracy",
)


def trace(driver: Driver) -> None:
    """Train, and keep the rows of metrics.jsonl."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            preset="small",
            seed=1 + VARIANT,
            dataset="synthetic",
            device="cpu" if "cpu" in str(driver.device).lower() else "gpu",
            mode=driver.adapter.MODE,
            init="shared",
            out=f"{folder}/race",
        )
        with contextlib.redirect_stdout(io.StringIO()):
            driver.train.train(in_precision(RACE, "float64"), run)
        record = read_run(Path(run.out))
    for name in COLUMNS:
        values = [getattr(row, name) for row in record.rows]
        driver.put(f"8/float64/race/{name}", np.array(values))
    seconds = [row.train_seconds for row in record.rows]
    driver.put("8/float64/clock/train_seconds", np.array(seconds))
    driver.put("8/float64/race/status", np.array(record.about.status))
