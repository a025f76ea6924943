"""The training's own code, timed: first step, bare steps, batches.

Only the clock is from here. What it times are the functions that
frameworks/<name>/train.py calls, in the same order.
"""

import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

from common.draws import epoch_draws
from common.run.process import fit_allocator, tune_allocator
from common.schedule import epoch_lrs
from tools.bench import data
from tools.bench.plan import Job

EPOCH = 1  # the second one: at the very first step the rate is 0
TURNS = 2  # of steps and batches
QUEUED = 4  # steps that are not timed: JAX's second ones took twice the time


class Seen(Exception):
    """The arguments of a step, which was not made."""


class Training:
    """A training that is set up, and what can be timed of it."""

    def __init__(self, job: Job, folder: Path):
        self.train = import_module(f"frameworks.{job.framework}.train")
        tune_allocator()  # the moment at which common/run/cli.py does it
        self.parallel = import_module(f"frameworks.{job.framework}.parallel")
        self.world = self.parallel.join_world(job.device, 1)
        self.recipe = job.recipe()
        fit_allocator(job.framework, job.mode, self.recipe)  # as open_record
        self.device = self.train.find_device(job.device)
        self.train.configure(self.recipe, self.device)
        self.wait = waiter(job.framework)
        split = data.load(folder)
        images, labels = self.train.to_device(split, self.device)
        self.data = self.train.pad(images, self.recipe), labels
        self.state = self.train.create_state(self.recipe, 0, self.device)
        self.train_step, _ = self.train.make_steps(self.state, job.mode)
        self.draws = epoch_draws(0, EPOCH, self.recipe)
        self.arguments = self.first_arguments()

    def agreed(self, number: int) -> int:
        """The smallest of the numbers of all processes: they step together."""
        return int(self.world.gather(np.array([number], np.int32)).min())

    def batches(self, number: int) -> Iterator:
        """The first batches of an epoch, augmented."""
        draws = self.draws[: number * self.recipe.batch_size]
        return self.train.train_batches(self.data, draws, self.recipe)

    def first_arguments(self) -> tuple:
        """Images, labels and rate, just as the loop gives them to a step."""

        def step(state, *arguments):
            raise Seen(*arguments)

        lrs = epoch_lrs(EPOCH, self.recipe)[:1]
        try:
            self.train.run_epoch(step, self.state, self.batches(1), lrs)
        except Seen as seen:
            return seen.args
        raise RuntimeError("run_epoch has made no step")

    def steps(self, number: int) -> float:
        """Seconds of bare steps on one batch that is in memory."""
        start = time.perf_counter()
        for _ in range(number):
            self.state, metrics = self.train_step(self.state, *self.arguments)
        float(metrics["loss"])
        self.wait(self.state)
        return time.perf_counter() - start

    def epoch(self, number: int) -> float:
        """Seconds of the real loop over the first batches of an epoch."""
        start = time.perf_counter()
        self.state, _ = self.train.run_epoch(
            self.train_step,
            self.state,
            self.batches(number),
            epoch_lrs(EPOCH, self.recipe)[:number],
        )
        self.wait(self.state)
        return time.perf_counter() - start


def waiter(framework: str) -> Callable:
    """A function that returns when what made its argument has run."""
    if framework == "jax_flax":
        import jax

        return jax.block_until_ready
    if framework == "tensorflow_eager":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return lambda made: tf.test.experimental.sync_devices()
        return lambda made: None  # on a CPU, as PyTorch
    import torch

    if torch.cuda.is_available():
        return lambda made: torch.cuda.synchronize()
    return lambda made: None  # on a CPU an operation returns when it is done


def process_age() -> float:
    """Seconds since this process was started, by the kernel's clock."""
    stat = Path("/proc/self/stat").read_text()
    # Field 22, counted from 1; the name in field 2 may hold spaces.
    ticks = int(stat.rpartition(")")[2].split()[19])
    started = ticks / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def measure(job: Job, folder: Path) -> dict:
    """The figures of one row; both kinds of images/s in one process.

    Steps and batches are timed in turns, so that a change of the machine's
    speed meets both. Where a single step takes too long for that, there is
    one of each.
    """
    training = Training(job, folder)
    first = training.steps(1)
    startup = process_age()
    steps = training.steps(1)
    whole = data.IMAGES // job.batch_size  # batches in an epoch
    number = training.agreed(min(whole, int(job.seconds / 2 / steps)))
    turns, number = (TURNS, number) if number else (1, 1)
    # Memory grows until as many steps as a framework queues have run.
    training.steps(min(number, QUEUED))
    steps = epochs = 0.0
    for _ in range(turns):
        steps += training.steps(number)
        epochs += training.epoch(number)
    parallel, world = training.parallel, training.world
    del training  # PyTorch's network refers to the world
    parallel.leave_world(world)
    batches = turns * number
    return {
        "step": batches * job.batch_size / steps,
        "epoch": batches * job.batch_size / epochs,
        "batches": batches,
        "compile_seconds": max(0.0, first - steps / batches),
        "startup_seconds": startup,
    }
