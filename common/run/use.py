"""Use of a trained network: the command that all three frameworks share.

    python -m frameworks.pytorch.predict RUN                  the test set
    python -m frameworks.pytorch.predict RUN a.png b.jpg      pictures

RUN is the folder of a run, or a checkpoint, of any framework.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import checkpoint
from common.cifar10.classes import CLASS_NAMES
from common.cifar10.load import Split, load_data
from common.environments import TITLES
from common.files import user_path
from common.pictures import read_picture
from common.recipe import Recipe, Run
from common.run.about import ABOUT
from common.run.cli import guarded
from common.run.load import locate
from common.run.process import describe_environment
from common.run.records import RunRecord, read_run
from common.run.terminal import align, columns, say

SHOWN = 3  # classes of a picture, from the most probable
LETTERS = 4  # of a class above a column: ten columns fit into 80


@dataclass(frozen=True)
class Trained:
    """A network that was trained, and what is known of it."""

    checkpoint: Path
    recipe: Recipe  # that it was trained by
    framework: str  # that wrote the checkpoint
    epochs: float  # that it was trained for
    record: RunRecord | None  # None: a checkpoint without one


# From a trained network, images and a device: probabilities, (n, 10).
Use = Callable[[Trained, Split, str], np.ndarray]


def find_trained(place: str) -> Trained:
    """What a folder or a file holds.

    Raises CheckpointError or RecordError, in one line, if it is no trained
    network of this project, or is damaged.
    """
    file = locate(place)
    found = checkpoint.read_own(file)
    record = None
    if (file.parent / ABOUT).exists():
        record = read_run(file.parent)
    return Trained(file, found.recipe, found.framework, found.epochs, record)


def use_command(argv: Sequence[str] | None, framework: str, use: Use) -> int:
    """Parse, use, print; the exit code.

    Errors end it in one line, those of flags in argparse's manner.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m frameworks.{framework}.predict",
        description="Use what was trained: on the test set, or on pictures.",
    )
    add = parser.add_argument
    add("run", help="folder of a run, or a checkpoint, of any framework")
    words = "files; without one, the test set"
    add("pictures", nargs="*", type=user_path, metavar="picture", help=words)
    add("--device", choices=("auto", "cpu", "gpu"), default="auto")
    add("--data-dir", help="CIFAR-10 on this disk; else cached or fetched")
    add("--offline", action="store_true", help="never touch the network")
    add("--debug", action="store_true", help="show tracebacks")
    argv = sys.argv[1:] if argv is None else argv

    def work() -> None:
        flags = parser.parse_args(argv)
        if ignored := describe_environment():
            say(ignored)
        trained = find_trained(flags.run)
        _tell(trained, framework)
        if flags.pictures:
            images = np.stack([read_picture(path) for path in flags.pictures])
            split = Split(images, np.zeros(len(images), np.uint8))
            found = use(trained, split, flags.device)
            for path, probabilities in zip(flags.pictures, found, strict=True):
                say(f"{path}: {describe_picture(probabilities)}")
            return
        split = _test_set(trained, flags.data_dir, flags.offline)
        found = use(trained, split, flags.device)
        line, *table = describe_test(
            trained, found.argmax(axis=1), split.labels
        )
        say(line)
        print("", *table, sep="\n", flush=True)

    return guarded(work, debug="--debug" in argv)


def _tell(trained: Trained, framework: str) -> None:
    """Which network it is, and whether its training was cut short."""
    by = TITLES.get(trained.framework, trained.framework)
    words = f"{trained.checkpoint}: {by}'s"
    if trained.record:
        about = trained.record.about
        words += f" {trained.record.title}, seed {about.seed}"
    many = "epoch" if trained.epochs == 1 else "epochs"
    words += f", {trained.epochs:g} {many}; read by {TITLES[framework]}"
    say(words)
    if trained.epochs < trained.recipe.epochs:
        say(f"not trained to its end: epoch {trained.recipe.epochs}")


def _test_set(trained: Trained, data_dir: str | None, offline: bool) -> Split:
    """The test images that it was evaluated on."""
    about = trained.record.about if trained.record else None
    run = Run(
        dataset=about.run.dataset if about else "cifar10",
        seed=about.seed if about else 0,
        data_dir=data_dir,
        offline=offline,
    )
    return load_data(trained.recipe, run, say).test


def describe_picture(probabilities: np.ndarray) -> str:
    """The likeliest classes: "cat 93.1 %, dog 5.2 %, frog 0.8 %"."""
    best = np.argsort(-probabilities, kind="stable")[:SHOWN]
    return ", ".join(f"{CLASS_NAMES[k]} {probabilities[k]:.1%}" for k in best)


def confusion(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often each label (row) got each prediction (column). (10, 10)"""
    found = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), np.int64)
    np.add.at(found, (labels, predicted), 1)
    return found


def describe_test(
    trained: Trained, predicted: np.ndarray, labels: np.ndarray
) -> list[str]:
    """The accuracy, beside the recorded one, by class, and the confusions."""
    right = int((predicted == labels).sum())
    line = f"test accuracy {right / len(labels):.2%}"
    line += f" ({right:,} of {len(labels):,} images)"
    if (recorded := _recorded(trained)) is not None:
        other = round(recorded * len(labels))
        same = "as recorded" if other == right else f"recorded: {other:,}"
        line += f", {same}"
    counts = confusion(predicted, labels)
    rows = [["label", "accuracy", *(name[:LETTERS] for name in CLASS_NAMES)]]
    for name, row, own in zip(
        CLASS_NAMES, counts, counts.diagonal(), strict=True
    ):
        share = f"{own / row.sum():.1%}" if row.sum() else "no image"
        rows.append([name, share, *map(str, row)])
    return [line, *align(rows, columns(sys.stdout))]


def _recorded(trained: Trained) -> float | None:
    """The test accuracy on record after as many epochs."""
    for row in trained.record.rows if trained.record else ():
        if row.epoch == trained.epochs:
            return row.test_accuracy
    return None
