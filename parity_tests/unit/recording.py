"""A made-up training, for tests of its record."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from common import checkpoint
from common.recipe import PRESETS, Recipe, Run
from common.run.record import Record

RECIPE = replace(PRESETS["smoke"], epochs=3)
GOOD = {"loss": 2048.0, "correct": 512.0}


def record(run: Run, recipe: Recipe = RECIPE) -> Record:
    """The record of a run of PyTorch, without PyTorch."""
    facts = {"device": "cpu", "threads": 2}
    return Record("pytorch", recipe, run, facts)


@cache
def weights(recipe: Recipe) -> checkpoint.Arrays:
    """What the made-up training has for weights."""
    return checkpoint.shared_start(recipe, 0)


def save(path: Path, epochs: int, recipe: Recipe = RECIPE) -> None:
    """A checkpoint after some epochs."""
    step = epochs * recipe.steps_per_epoch
    checkpoint.write(path, weights(recipe), step, recipe, "pytorch")


def an_epoch(log: Record, epoch: int) -> None:
    """Train an epoch, from 0, and keep its checkpoint."""
    with log.training():
        pass
    log.end_epoch(epoch, GOOD, {"loss": 1024.0, "correct": 256.0})
    save(log.checkpoint, epoch + 1, log.recipe)


def refused(error, words: str, out: Path, recipe=RECIPE, **flags) -> None:
    """A run into this folder cannot begin, for this reason."""
    with pytest.raises(error, match=words):
        record(Run(out=str(out), **flags), recipe).__enter__()


def interrupted(out: Path | None, epochs: int = 1, recipe=RECIPE, **flags):
    """A run that is stopped after some epochs; its folder."""
    out = str(out) if out else None
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117
        with record(Run(out=out, **flags), recipe) as log:
            for epoch in range(epochs):
                an_epoch(log, epoch)
            raise KeyboardInterrupt
    return log.folder
