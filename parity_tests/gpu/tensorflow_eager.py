"""TensorFlow's training as it would run on a GPU: each op, each copy.

    python -m parity_tests.gpu.tensorflow_eager [--full] [--out FILE]

Run in TensorFlow's environment, of the CPU too. Prints JSON: for each case,
and each stage of the real program, the ops that ran, how many of them start
kernels, which have no kernel for a GPU, and each copy between the memories;
with --full the bytes of a step of dawnbench.
"""

from dataclasses import replace

import tensorflow as tf

from common.cifar10 import synthetic
from common.draws import IMAGE_SIDE, epoch_draws
from common.init import IMAGE_CHANNELS
from common.recipe import Recipe
from common.schedule import epoch_lrs
from parity_tests.gpu.command import main
from parity_tests.gpu.sizes import at_batch, host_seconds
from parity_tests.gpu.tensorflow_placement import GPU, Follower
from parity_tests.harness.cases import TRAJECTORY
from parity_tests.harness.driver import Driver

# By name: mode, precision, dropout rate.
CASES = {
    f"{mode} {precision} dropout {dropout}": (mode, precision, dropout)
    for mode in ("eager", "compiled")
    for precision in ("float32", "bfloat16")
    for dropout in (0, 0.05)
}


def replay(driver: Driver, mode: str, recipe: Recipe) -> Follower:
    """All stages of a training: data, an epoch's steps, evaluation."""
    follower = Follower()
    arrays = synthetic.make(0, recipe.train_images, recipe.test_images)
    state = driver.state(recipe)
    with follower.follow("data"):
        train, test = driver.splits(arrays, recipe)
    if follower.memories(train[0]) != {GPU}:
        follower.stage.missing.add("a kernel of pad: its result is the host's")
    variables = [*state.model.variables, *state.optimizer.variables]
    follower.variable_shapes = {tuple(v.shape) for v in variables}
    steps = driver.step.make_steps(state, mode)
    with follower.follow("warm-up"):
        state = driver.train.warm_up(steps, state, train, test, recipe)
    draws, lrs = epoch_draws(0, 0, recipe), epoch_lrs(0, recipe)
    with follower.follow("batches"):
        batches = list(driver.data.train_batches(train, draws, recipe))
    with follower.follow("learning rates"):
        lrs = tf.unstack(tf.constant(lrs, tf.keras.config.floatx()))
    for (images, labels), lr in zip(batches, lrs, strict=True):
        with follower.follow("train step"):
            state, _ = steps[0](state, images, labels, lr)
    with follower.follow("evaluation batches"):
        batches = list(driver.data.eval_batches(test, recipe))
    for images, labels in batches:
        with follower.follow("evaluation step"):
            steps[1](state, images, labels)
    draws, lrs = epoch_draws(0, 1, recipe), epoch_lrs(1, recipe)
    with follower.follow("epoch"):
        batches = driver.data.train_batches(train, draws, recipe)
        driver.train.run_epoch(steps[0], state, batches, lrs)
    return follower


def facts(recipe: Recipe = TRAJECTORY) -> dict:
    """By case and stage, under "cases"."""
    driver, cases = Driver("tensorflow_eager", "cpu"), {}
    for name, (mode, precision, dropout) in CASES.items():
        own = replace(recipe, precision=precision, dropout_rate=dropout)
        follower = replay(driver, mode, own)
        cases[name] = {
            stage: {
                "ops": seen.ops.total(),
                "kernels": seen.kernels,
                "missing": sorted(seen.missing),
                "copies": dict(seen.copies),
            }
            for stage, seen in follower.stages.items()
        }
    return {"cases": cases}


def full(recipe: Recipe) -> dict:
    """Bytes of a step of a full recipe: moved, and kept for backward.

    A tape may keep all that the forward pass makes.
    """

    def measure(images: int) -> tuple[int, int]:
        driver, follower = Driver("tensorflow_eager", "cpu"), Follower()
        state = driver.state(recipe)
        shape = (images, IMAGE_SIDE, IMAGE_SIDE, IMAGE_CHANNELS)
        pixels, labels = tf.zeros(shape), tf.zeros(images, tf.int64)
        variables = [*state.model.variables, *state.optimizer.variables]
        follower.variable_shapes = {tuple(v.shape) for v in variables}
        with follower.follow("train step") as step:
            driver.step.train_step(state, pixels, labels, tf.constant(0.0))
        with follower.follow("forward") as forward:
            state.model(pixels, labels, training=True)
        return step.moved, forward.made

    found = {
        name: at_batch(lambda n, i=i: measure(n)[i], recipe.batch_size)
        for i, name in enumerate(("bytes moved", "bytes kept"))
    }
    for mode in ("eager", "compiled"):
        seconds = host_seconds("tensorflow_eager", mode, recipe)
        found[f"host seconds, {mode}"] = seconds
    return found


if __name__ == "__main__":
    main(facts, full)
