"""The training in JAX, from the command line to the last epoch.

Read beside tensorflow_eager/train.py and pytorch/train.py. Here:
  - a step returns before it has run; float() at the end of an epoch waits
  - `--mode compiled`, the default, is jax.jit; eager runs op by op
  - compiled on a GPU, an epoch is one program, `scan_epoch`

    python -m frameworks.jax_flax.train --help
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from common.cifar10.load import load_data
from common.draws import Draws, epoch_draws
from common.recipe import Recipe, Run
from common.run.cli import run_command
from common.run.record import Record
from common.schedule import step_lr
from frameworks.jax_flax.checkpoint import (
    export_arrays,
    import_arrays,
    save,
)
from frameworks.jax_flax.data import (
    Batches,
    device_name,
    eval_batches,
    find_device,
    pad,
    take_batch,
    to_device,
    train_batches,
)
from frameworks.jax_flax.step import TrainState, create_state, make_steps

Sums = dict[str, float]

# --- Epoch --------------------------------------------------------------


def epoch_rates(epoch: int, recipe: Recipe) -> Array:
    """The learning rates of an epoch's steps, (steps,) float."""
    first_step = epoch * recipe.steps_per_epoch
    steps = range(first_step, first_step + recipe.steps_per_epoch)
    rates = [step_lr(step, recipe) for step in steps]  # differs: lr-step-index
    return jnp.asarray(rates, float)  # differs: lr-retrace


def run_epoch(
    train_step: Callable,
    state: TrainState,
    batches: Batches,
    epoch: int,
    recipe: Recipe,
) -> tuple[TrainState, Sums]:
    """Train on all batches of an epoch, counted from 0.

    Returns the state and the sums "loss" and "correct" over all images.
    """
    sums = {"loss": 0, "correct": 0}
    rates = epoch_rates(epoch, recipe)
    for (images, labels), lr in zip(batches, rates, strict=False):
        state, metrics = train_step(state, images, labels, lr)
        sums = {name: sums[name] + metrics[name] for name in sums}
    return state, {name: float(value) for name, value in sums.items()}


@partial(jax.jit, static_argnums=(0, 5), donate_argnums=1)
def epoch_program(
    train_step: Callable,
    state: TrainState,
    data: tuple[Array, Array],
    draws: Draws,
    rates: Array,
    recipe: Recipe,
) -> tuple[TrainState, dict[str, Array]]:
    """A scan over the full batches, then the short one."""

    def step(state, given):
        batch, lr = given
        return train_step(state, *take_batch(data, batch, recipe), lr)

    size = recipe.batch_size
    count = len(draws) // size  # of full batches
    full = jax.tree.map(
        lambda draw: draw[: count * size].reshape(count, size), draws
    )
    state, metrics = jax.lax.scan(step, state, (full, rates[:count]))
    sums = {name: values.sum() for name, values in metrics.items()}
    if count * size < len(draws):
        short = draws.part(count * size, len(draws))
        state, last = step(state, (short, rates[count]))
        sums = {name: sums[name] + last[name] for name in sums}
    return state, sums


def scan_epoch(
    train_step: Callable,
    state: TrainState,
    data: tuple[Array, Array],
    draws: Draws,
    epoch: int,
    recipe: Recipe,
) -> tuple[TrainState, Sums]:
    """run_epoch on a GPU: one program, so that no step waits for Python.

    Not on a CPU, where a convolution inside a loop takes a slow path.
    data: padded images and labels, as train_batches takes them.
    """
    rates = epoch_rates(epoch, recipe)
    state, sums = epoch_program(train_step, state, data, draws, rates, recipe)
    return state, {name: float(value) for name, value in sums.items()}


def evaluate(eval_step: Callable, state: TrainState, batches: Batches) -> Sums:
    """The sums "loss" and "correct" over all images of the batches."""
    sums = {"loss": 0, "correct": 0}
    for images, labels in batches:
        metrics = eval_step(state, images, labels)
        sums = {name: sums[name] + metrics[name] for name in sums}
    return {name: float(value) for name, value in sums.items()}


# --- Train --------------------------------------------------------------


def warm_up(
    train_step: Callable,
    eval_step: Callable,
    state: TrainState,
    train_data: tuple,
    test_data: tuple,
    recipe: Recipe,
    scanned: bool = False,
) -> TrainState:
    """Compile: run each program once for each size of batch, then undo it."""
    before, step = export_arrays(state, recipe), int(state.step)
    size = recipe.batch_size
    draws = epoch_draws(0, 0, recipe)
    if scanned:
        state, _ = scan_epoch(train_step, state, train_data, draws, 0, recipe)
    else:
        draws = draws.part(0, size + recipe.train_images % size)
        batches = train_batches(train_data, draws, recipe)
        state, _ = run_epoch(train_step, state, batches, 0, recipe)
    two = size + recipe.test_images % size
    some = tuple(part[:two] for part in test_data)
    evaluate(eval_step, state, eval_batches(some, recipe))
    return import_arrays(state, before, step, recipe)


def train(recipe: Recipe, run: Run) -> None:
    """Train by a recipe and write the record. The whole story."""
    device = find_device(run.device)
    facts = {
        "device": device_name(device),
        "libraries": ("jax", "flax", "optax", "numpy"),
        "threads": len(os.sched_getaffinity(0)),  # XLA takes all cores
        "tf32": jax.config.jax_default_matmul_precision != "highest",
    }
    with Record("jax_flax", recipe, run, facts) as record:
        data = load_data(recipe, run, record.display.say)
        record.data_loaded(data.source, data.sha256)
        images, labels = to_device(data.train, device)
        train_data = pad(images, recipe), labels
        test_data = to_device(data.test, device)

        state = create_state(recipe, run.seed, device)
        if (start := record.initial()) is not None:
            state = import_arrays(state, start.arrays, start.step, recipe)

        train_step, eval_step = make_steps(state, run.mode)
        scanned = run.mode == "compiled" and device.platform != "cpu"
        with record.compiling():
            state = warm_up(
                *(train_step, eval_step, state, train_data, test_data),
                *(recipe, scanned),
            )
        for epoch in record.epochs(int(state.step)):
            draws = epoch_draws(run.seed, epoch, recipe)
            batches = train_batches(train_data, draws, recipe)
            with record.training():
                if scanned:
                    state, train_sums = scan_epoch(
                        train_step, state, train_data, draws, epoch, recipe
                    )
                else:
                    state, train_sums = run_epoch(
                        train_step,
                        state,
                        record.progress(batches, epoch),
                        epoch,
                        recipe,
                    )
            test_sums = evaluate(
                eval_step, state, eval_batches(test_data, recipe)
            )
            record.end_epoch(epoch, train_sums, test_sums)
            save(record.checkpoint, state, recipe)
        if not record.rows:  # the checkpoint was of a finished training
            batches = eval_batches(test_data, recipe)
            record.evaluated(evaluate(eval_step, state, batches))


# --- Command line -------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Train by the flags in argv, or of the process; the exit code."""
    return run_command(
        argv,
        "python -m frameworks.jax_flax.train",
        train,
        sees_gpu=lambda: jax.default_backend() == "gpu",
        cpu_mode="compiled",
        gpu_mode="compiled",
    )


if __name__ == "__main__":
    sys.exit(main())
