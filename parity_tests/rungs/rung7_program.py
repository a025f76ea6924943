"""Rung 7, the whole program: `train` itself, in float64, to the last bit.

The same 20 steps as in rung7_trajectory.py, but by `train`, with all that
belongs to it: data set, warm-up, draws, epochs, evaluation, record and
checkpoint. Then from the checkpoint after 10 steps to the end, and from the
last one, which is only evaluated. What the records say is compared.
"""

import contextlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec import structs
from safetensors.numpy import load_file

from common.checkpoint import VELOCITY
from common.recipe import Recipe, Run
from common.run.records import read_run
from parity_tests.harness.cases import Arrays
from parity_tests.harness.driver import Driver
from parity_tests.rungs.rung7_trajectory import HALF, RECIPE, SEED, expected_run

PREFIX = "7/float64/program"
COLUMNS = (
    *("epoch", "step", "lr", "train_loss", "train_accuracy"),
    *("test_loss", "test_accuracy"),
)


def trace(driver: Driver) -> None:
    """Three runs: whole, the second half, and none of it."""
    with TemporaryDirectory() as folder:
        whole = run(driver, RECIPE, SEED, Path(folder, "whole"), init="shared")
        put_rows(driver, f"{PREFIX}/whole", whole)
        last = load_file(whole / "checkpoint.safetensors")
        driver.put_all(f"{PREFIX}/whole/end", last)
        half = driver.folder / f"{driver.framework}.safetensors"
        rest = run(driver, RECIPE, SEED, Path(folder, "rest"), load=str(half))
        put_rows(driver, f"{PREFIX}/rest", rest)
        file = str(whole / "checkpoint.safetensors")
        none = run(driver, RECIPE, SEED, Path(folder, "none"), load=file)
        found = read_run(none).about.evaluation
        driver.put_all(f"{PREFIX}/none", structs.asdict(found))


def run(
    driver: Driver, recipe: Recipe, seed: int, folder: Path, **more
) -> Path:
    """Train as a user would; the folder of the record."""
    device = "cpu" if "cpu" in str(driver.device).lower() else "gpu"
    run = Run(
        preset="small",
        seed=seed,
        dataset="synthetic",
        device=device,
        mode=driver.adapter.MODE,
        out=str(folder),
        **more,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        driver.train.train(recipe, run)
    return folder


def put_rows(driver: Driver, prefix: str, folder: Path) -> None:
    """Keep the metrics of a record, and how it ended."""
    record = read_run(folder)
    for name in COLUMNS:
        column = [getattr(row, name) for row in record.rows]
        driver.put(f"{prefix}/{name}", np.array(column))
    driver.put(f"{prefix}/status", np.array(record.about.status))


def expected() -> Arrays:
    """The oracle's numbers, as the records have them."""
    steps, sums = expected_run(RECIPE)
    found = {}
    for part, first in (("whole", 0), ("rest", HALF)):
        columns = judged_rows(sums, first)
        for name, values in columns.items():
            found[f"{PREFIX}/{part}/{name}"] = np.array(values)
        found[f"{PREFIX}/{part}/status"] = np.array("done")
    for name, value in steps[-1].items():
        if name not in ("loss", "correct", "logits"):
            found[f"{PREFIX}/whole/end/{name}"] = value
    assert f"{PREFIX}/whole/end/{VELOCITY}linear.kernel" in found
    for name, value in sums[-1]["test"].items():
        found[f"{PREFIX}/none/{name}"] = value / np.array(24.0)
    return found


def judged_rows(sums: list[dict], first: int) -> dict[str, list]:
    """metrics.jsonl by column, from an epoch on; written once more."""
    columns: dict[str, list] = {name: [] for name in COLUMNS}
    for epoch in range(first, 4):
        both = sums[epoch]
        columns["epoch"].append(epoch + 1)
        columns["step"].append(5 * (epoch + 1))
        # The peak, 0.4, is after epoch 1; the end after epoch 4.
        time = epoch + 4 / 5
        columns["lr"].append(0.4 * min(time, (4 - time) / 3))
        for part, images in (("train", 76), ("test", 24)):
            mean = both[part]["loss"] / images
            columns[f"{part}_loss"].append(mean)
            share = both[part]["correct"] / images
            columns[f"{part}_accuracy"].append(share)
    return columns
