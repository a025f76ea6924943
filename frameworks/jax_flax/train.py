"""The training in JAX, from the command line to the last epoch.

Read beside tensorflow_eager/train.py and pytorch/train.py. Here:
  - `--mode compiled`, the default, is jax.jit; compiled on a GPU, an epoch is
    one program, `scan_epoch`
  - the learning rates of an epoch are an array, sent in one transfer
  - a step returns before it has run, on a CPU too; float() waits for the epoch

    python -m frameworks.jax_flax.train --help
"""

import sys
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from common.draws import Draws, epoch_draws
from common.recipe import Recipe, Run
from common.run.cli import run_command
from common.run.follower import open_record
from common.schedule import epoch_lrs
from common.world import ALONE, World
from frameworks.jax_flax.checkpoint import (
    export_arrays,
    import_arrays,
    save,
)
from frameworks.jax_flax.data import (
    Batches,
    configure,
    describe_device,
    eval_batches,
    find_device,
    pad,
    take_batch,
    to_device,
    train_batches,
)
from frameworks.jax_flax.parallel import (
    join_world,
    leave_world,
    sum_over_world,
)
from frameworks.jax_flax.predict import predict
from frameworks.jax_flax.step import TrainState, create_state, make_steps

Sums = dict[str, float]

# --- Epoch --------------------------------------------------------------


def run_epoch(
    train_step: Callable,
    state: TrainState,
    batches: Batches,
    lrs: Iterable[float],
) -> tuple[TrainState, Sums]:
    """Train on all batches of an epoch, each with its learning rate.

    lrs: for the summed loss, as many as there are batches.
    Returns the state and the sums "loss" and "correct" over all images.
    """
    sums: dict = {"loss": 0, "correct": 0}
    lrs = jnp.asarray(lrs, float)  # differs: lr-retrace
    for (images, labels), lr in zip(batches, lrs, strict=True):
        state, metrics = train_step(state, images, labels, lr)
        sums = {name: sums[name] + metrics[name] for name in sums}
    return state, {n: float(sum_over_world(sums[n])) for n in sums}


@jax.jit(static_argnames=("train_step", "recipe"), donate_argnames="state")
def scan_epoch(
    train_step: Callable,
    state: TrainState,
    data: tuple[Array, Array],
    draws: Draws,
    lrs: Array,
    recipe: Recipe,
) -> tuple[TrainState, dict[str, Array]]:
    """Do what run_epoch does, as one program: no step waits for Python.

    It scans over the full batches, then takes the last, partial one. It is for
    GPUs: on a CPU, XLA's convolutions inside a loop are slow. data: as
    train_batches takes them.
    """

    def step(state, given):
        batch, lr = given
        return train_step(state, *take_batch(data, batch, recipe), lr)

    size = recipe.batch_size
    count = len(draws) // size  # of full batches
    full = jax.tree.map(
        lambda draw: draw[: count * size].reshape(count, size), draws
    )
    state, metrics = jax.lax.scan(step, state, (full, lrs[:count]))
    sums = jax.tree.map(jnp.sum, metrics)
    if count * size < len(draws):
        partial_batch = draws[count * size :]
        state, last = step(state, (partial_batch, lrs[count]))
        sums = jax.tree.map(jnp.add, sums, last)
    return state, sums


def evaluate(eval_step: Callable, state: TrainState, batches: Batches) -> Sums:
    """Return the sums "loss" and "correct" over all images of the batches."""
    sums: dict = {"loss": 0, "correct": 0}
    for images, labels in batches:
        metrics = eval_step(state, images, labels)
        sums = {name: sums[name] + metrics[name] for name in sums}
    return {name: float(sum_over_world(sums[name])) for name in sums}


# --- Train --------------------------------------------------------------


def warm_up(
    steps: tuple[Callable, Callable],
    state: TrainState,
    train_data: tuple,
    test_data: tuple,
    recipe: Recipe,
    scan: bool,
) -> TrainState:
    """Compile: run each step once for each size of batch, then undo it.

    scan: run scan_epoch instead of the training step, for a whole epoch: it
    has no shorter one.
    """
    train_step, eval_step = steps
    before, step = export_arrays(state, recipe), int(state.step)
    size = recipe.batch_size
    draws = epoch_draws(0, 0, recipe)
    if scan:
        lrs = np.zeros(recipe.steps_per_epoch)
        state, _ = scan_epoch(train_step, state, train_data, draws, lrs, recipe)
    else:
        draws = draws[: size + recipe.train_images % size]
        batches = list(train_batches(train_data, draws, recipe))
        state, _ = run_epoch(train_step, state, batches, [0.0] * len(batches))
    few = size + recipe.test_images % size
    some = tuple(part[:few] for part in test_data)
    evaluate(eval_step, state, eval_batches(some, recipe))
    return import_arrays(state, before, step, recipe)


def train(recipe: Recipe, run: Run, world: World = ALONE) -> None:
    """Train by a recipe and write the record: the whole story."""
    device = find_device(run.device)
    configure(recipe, device)
    facts = describe_device(device)
    with open_record("jax_flax", recipe, run, facts, world) as record:
        data = record.load_data()
        images, labels = to_device(data.train, device)
        images = pad(images, recipe)
        train_data = images, labels
        test_data = to_device(data.test, device)
        state = create_state(recipe, run.seed, device)
        if (start := record.initial()) is not None:
            state = import_arrays(state, start.arrays, start.step, recipe)
        train_step, eval_step = steps = make_steps(state, run.mode)
        scan = run.mode == "compiled" and device.platform != "cpu"
        with record.warming_up():
            state = warm_up(steps, state, train_data, test_data, recipe, scan)
        epochs = record.epochs(int(state.step))
        for epoch in epochs:
            draws = epoch_draws(run.seed, epoch, recipe)
            lrs = epoch_lrs(epoch, recipe)  # differs: lr-step-index
            with record.training():
                if scan:  # a program, of which nobody sees how far it is
                    args = train_data, draws, lrs, recipe
                    state, sums = scan_epoch(train_step, state, *args)
                    train_sums = jax.tree.map(float, sums)
                else:
                    batches = train_batches(train_data, draws, recipe)
                    given = record.progress(batches, epoch), lrs
                    state, train_sums = run_epoch(train_step, state, *given)
            batches = eval_batches(test_data, recipe)
            test_sums = evaluate(eval_step, state, batches)
            record.end_epoch(epoch, train_sums, test_sums)
            if world.leads:
                save(record.checkpoint, state, recipe)
        if not epochs:  # the checkpoint was of a finished training
            batches = eval_batches(test_data, recipe)
            record.evaluated(evaluate(eval_step, state, batches))
        if world.alone:
            batches = eval_batches(test_data, recipe)
            record.predicted(np.asarray(predict(state, batches)))


# --- Command line -------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Train by the flags in argv, or of the process. -> the exit code"""
    return run_command(
        argv,
        "python -m frameworks.jax_flax.train",
        train,
        sees_gpu=lambda: jax.default_backend() == "gpu",
        cpu_mode="compiled",
        gpu_mode="compiled",
        join_world=join_world,
        leave_world=leave_world,
    )


if __name__ == "__main__":
    sys.exit(main())
