"""The metrics of a run's epochs: made from sums, written as two files."""

import json
from collections.abc import Mapping
from pathlib import Path

from common.files import write_atomic
from common.recipe import Recipe
from common.run.about import METRICS
from common.schedule import step_lr

Row = dict[str, float]  # the fields of common.run.about.Epoch


def epoch_row(
    epoch: int,
    recipe: Recipe,
    train: Mapping[str, float],
    test: Mapping[str, float],
    seconds: Mapping[str, float],
) -> Row:
    """The metrics of an epoch, counted from 0.

    train, test: the sums "loss" and "correct" over all images. seconds:
    "train" and "compile" so far, "epoch" of this one.
    """
    last_step = (epoch + 1) * recipe.steps_per_epoch - 1
    return {
        "epoch": epoch + 1,
        "step": last_step + 1,
        # of the last update, for the mean loss
        "lr": step_lr(last_step, recipe) * recipe.batch_size,
        "train_loss": train["loss"] / recipe.train_images,
        "train_accuracy": train["correct"] / recipe.train_images,
        "test_loss": test["loss"] / recipe.test_images,
        "test_accuracy": test["correct"] / recipe.test_images,
        "train_seconds": seconds["train"],
        "compile_seconds": seconds["compile"],
        "images_per_second": recipe.train_images / seconds["epoch"],
    }


def write_metrics(folder: Path, rows: list[Row]) -> None:
    """metrics.jsonl, and dawnbench.tsv as DAWNBench took it."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomic(folder / METRICS, lines.encode())
    tsv = "epoch\thours\ttop1Accuracy\n"
    for row in rows:
        hours = row["train_seconds"] / 3600
        accuracy = 100 * row["test_accuracy"]
        tsv += f"{row['epoch']}\t{hours:.8f}\t{accuracy:.2f}\n"
    write_atomic(folder / "dawnbench.tsv", tsv.encode())
