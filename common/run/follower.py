"""What a process has in place of a record when another one leads.

The methods are those of `Record`; they keep no record, and say nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from common.checkpoint import Checkpoint
from common.cifar10.load import Cifar10, load_data
from common.recipe import Recipe, Run
from common.run.process import fit_allocator
from common.run.progress import Batch
from common.run.record import Record, check_finite, epochs_after
from common.run.signals import raise_swallowed
from common.run.together import check_alike, losses_told, spread_start
from common.world import ALONE, World

KEPT = "the leader says what is kept"


class Follower:
    """The part of `Record` that every process needs."""

    checkpoint = Path()  # none: the leader keeps it

    def __init__(self, recipe: Recipe, run: Run, world: World):
        self.recipe, self.run, self.world = recipe, run, world

    def load_data(self) -> Cifar10:
        """The data of this run."""
        return load_data(self.recipe, self.run, lambda line: None)

    def initial(self) -> Checkpoint | None:
        """What the leader starts from."""
        return spread_start(None, self.recipe, self.world)

    def epochs(self, step: int) -> range:
        """The epochs still to be trained. Raises CheckpointError."""
        return epochs_after(step, self.recipe, "the leader's checkpoint")

    def progress(self, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
        """The same batches."""
        for batch in batches:
            raise_swallowed()
            yield batch

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        """A block after which all processes have started."""
        yield
        self.world.settle()

    def training(self) -> nullcontext:
        """A block that nobody times."""
        return nullcontext()

    def end_epoch(
        self, epoch: int, train: Mapping[str, float], test: Mapping[str, float]
    ) -> None:
        """Raise LossNotFinite where the leader does."""
        raise_swallowed()
        check_finite(epoch, train, test, KEPT)

    def predicted(self, probabilities: np.ndarray) -> None:
        """The leader's affair."""

    def evaluated(self, test: Mapping[str, float]) -> None:
        """Raise LossNotFinite where the leader does."""
        check_finite(self.recipe.epochs - 1, None, test, KEPT)


@contextmanager
def open_record(
    framework: str, recipe: Recipe, run: Run, facts: dict, world: World = ALONE
) -> Iterator[Record | Follower]:
    """The record of a run in the process that leads; else a Follower.

    facts: the framework's describe_device(). Leaving it writes how the run
    ended; a process that is lost ends it by LostProcess.
    """
    fit_allocator(framework, run.mode, recipe)
    with losses_told(world, run.out):
        check_alike(framework, recipe, run, world)
    if not world.leads:
        with losses_told(world, run.out):
            yield Follower(recipe, run, world)
        return
    with (
        Record(framework, recipe, run, facts, world) as record,
        losses_told(world, record.folder),
    ):
        yield record
