"""The training in TensorFlow, from the command line to the last epoch.

Read beside pytorch/train.py and jax_flax/train.py. Here:
  - `--mode eager` is the default; `--mode compiled` is tf.function
  - the learning rates of an epoch are tensors, sent in one transfer
  - on a GPU a step returns before it has run; float() waits for the epoch

    python -m frameworks.tensorflow_eager.train --help
"""

import sys
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from common.draws import epoch_draws
from common.recipe import Recipe, Run
from common.run.cli import run_command
from common.run.follower import open_record
from common.schedule import epoch_lrs
from common.world import ALONE, World
from frameworks.tensorflow_eager.checkpoint import (
    export_arrays,
    import_arrays,
    save,
)
from frameworks.tensorflow_eager.data import (
    Batches,
    configure,
    describe_device,
    eval_batches,
    find_device,
    pad,
    to_device,
    train_batches,
)
from frameworks.tensorflow_eager.parallel import (
    join_world,
    leave_world,
    sum_over_world,
)
from frameworks.tensorflow_eager.predict import predict
from frameworks.tensorflow_eager.step import (
    TrainState,
    create_state,
    make_steps,
)

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
    # One transfer for the whole epoch: a GPU waits for each.
    lrs = tf.unstack(tf.constant(lrs, tf.keras.config.floatx()))
    for (images, labels), lr in zip(batches, lrs, strict=True):
        state, metrics = train_step(state, images, labels, lr)
        sums = {name: sums[name] + metrics[name] for name in sums}
    return state, {n: float(sum_over_world(sums[n])) for n in sums}


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
) -> TrainState:
    """Compile: run each step once for each size of batch, then undo it."""
    train_step, eval_step = steps
    before, step = export_arrays(state, recipe), int(state.step)
    size = recipe.batch_size
    draws = epoch_draws(0, 0, recipe)[: size + recipe.train_images % size]
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
    with open_record("tensorflow_eager", recipe, run, facts, world) as record:
        data = record.load_data()
        images, labels = to_device(data.train, device)
        images = pad(images, recipe)
        train_data = images, labels
        test_data = to_device(data.test, device)
        state = create_state(recipe, run.seed, device)
        if (start := record.initial()) is not None:
            state = import_arrays(state, start.arrays, start.step, recipe)
        train_step, eval_step = steps = make_steps(state, run.mode)
        with record.warming_up():
            state = warm_up(steps, state, train_data, test_data, recipe)
        epochs = record.epochs(int(state.step))
        for epoch in epochs:
            draws = epoch_draws(run.seed, epoch, recipe)
            batches = train_batches(train_data, draws, recipe)
            batches = record.progress(batches, epoch)
            lrs = epoch_lrs(epoch, recipe)  # differs: lr-step-index
            with record.training():
                state, train_sums = run_epoch(train_step, state, batches, lrs)
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
            record.predicted(predict(state, batches).numpy())


# --- Command line -------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Train by the flags in argv, or of the process. -> the exit code"""
    return run_command(
        argv,
        "python -m frameworks.tensorflow_eager.train",
        train,
        sees_gpu=lambda: bool(tf.config.list_physical_devices("GPU")),
        cpu_mode="eager",
        gpu_mode="eager",
        join_world=join_world,
        leave_world=leave_world,
    )


if __name__ == "__main__":
    sys.exit(main())
