"""The processes of one training: who leads, and whose share is whose.

How they find each other and add up their numbers is each framework's own
affair: `frameworks/<name>/parallel.py`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from common.checkpoint import Arrays
from common.errors import UsageError
from common.recipe import Recipe

# How long a process waits for the others before it gives up, seconds: until
# they are there; until they have their data and have compiled their steps; and
# from then on for each answer.
JOIN_SECONDS = 45
START_SECONDS = 600
ANSWER_SECONDS = 45
# In which variable a launcher tells a process how many it has started.
LAUNCHERS = {
    "SLURM_STEP_NUM_TASKS": "Slurm",
    "OMPI_COMM_WORLD_SIZE": "Open MPI",
}


# And in which the three are told of the others.
NAMED = ("WORLD_SIZE", "TF_CONFIG", "JAX_NUM_PROCESSES")


def launcher() -> str:
    """Return the variable of the launcher that started several; "" without."""
    several = (n for n in LAUNCHERS if int(os.environ.get(n, "1")) > 1)
    return next(several, "")


@dataclass(frozen=True)
class World:
    """This process among all that train together."""

    rank: int = 0  # of this process, from 0
    size: int = 1  # how many processes
    devices: int = 1  # of each process; they divide its share of a batch
    backend: str = ""  # what carries the sums: "gloo", "nccl", ...
    # whether an exception says that another process does not answer
    is_lost: Callable[[BaseException], bool] = lambda error: False
    # the numbers of every process, (size, n), from this one's, (n,) int32
    gather: Callable[[np.ndarray], np.ndarray] = lambda numbers: numbers[None]
    # the arrays of the first process, by name, from those of this one
    spread: Callable[[Arrays], Arrays] = lambda arrays: arrays
    # from now on the others have started: wait for them less long
    settle: Callable[[], None] = lambda: None

    @property
    def leads(self) -> bool:
        """Whether this process writes the record and speaks."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    def share(self, n: int) -> slice:
        """This process's images of a batch of n, as np.array_split gives.

        The first n % size processes take one image more than the others.
        """
        each, more = divmod(n, self.size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def require_images(self, recipe: Recipe) -> None:
        """Raise UsageError if a batch has fewer images than devices."""
        wanted, size = self.size * self.devices, recipe.batch_size
        for what, images in (
            ("training", recipe.train_images),
            ("test", recipe.test_images),
        ):
            fewest = images % size or size
            if fewest < wanted:
                raise UsageError(
                    f"--batch-size {size}: the last batch of the {images} "
                    f"{what} images has {fewest}, expected at least one for "
                    f"each of {wanted} devices; choose another --batch-size "
                    "or fewer processes"
                )


ALONE = World()
