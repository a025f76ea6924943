"""Rung 1: the learning rate, as a table and as the weights feel it.

The table alone would not show a rate that comes a step late, or one that is
fixed when the step is compiled. So the real loop runs all 2,352 steps of
the full recipe on a network of width 1 and two tiny images. The loss has no
gradient there, so that of a weight w is s w, with s the decay:

all: s = 512; a step takes the share lr s of the weight, 0 to 0.4.
unit: s = 2^40 and w = 2^-40 before each step: the gradient is 1, and the rate
    is what the weight loses. Exact in float32 too, but the weights have to
    be put back at each step, so it is done at every 16th.
"""

from dataclasses import replace

import numpy as np

from common.recipe import Recipe
from common.schedule import epoch_lrs, lr_table
from parity_tests.harness.cases import (
    PRECISIONS,
    STILL,
    Arrays,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.harness.driver import Driver, in_precision

SMALL = 2.0**-40
SHARE = replace(STILL, momentum=0.0, weight_decay=1.0)
UNIT = replace(STILL, momentum=0.0, weight_decay=2.0**40 / 512)
FULL = Recipe()
assert UNIT.batch_size == FULL.batch_size == 512
WATCHED = "prep.bn.bias"
EVERY = 16


def trace(driver: Driver) -> None:
    """The table, and the rates read back in both precisions."""
    driver.put("1/float64/table/rates", lr_table(FULL))
    rates = read_all(driver, in_precision(SHARE, "float64"))
    driver.put("1/float64/all/rates", rates)
    for precision in PRECISIONS:
        rates = read_some(driver, in_precision(UNIT, precision))
        driver.put(f"1/{precision}/unit/rates", rates)


def start_at(value: float) -> Arrays:
    """A network whose weights are all this value."""
    return {
        name: array
        if name.endswith((".mean", ".var"))
        else np.full_like(array, value)
        for name, array in random_params(STILL, 0).items()
    }


def loop(driver: Driver, recipe: Recipe, start: Arrays, watch) -> None:
    """The real loop over all epochs, on the same two images.

    watch(step, state, train): makes the step by calling train(state), or
    not; returns the state and the metrics. Each epoch begins at `start`.
    """
    state = driver.state(recipe, start)
    images = driver.images(random_images(2, 8, 0), recipe)
    labels = driver.labels(random_labels(2, 0))
    # tf.function for TensorFlow: eagerly would take a minute.
    train_step, _ = driver.step.make_steps(state, driver.adapter.FAST_MODE)
    steps = iter(range(recipe.total_steps))

    def watched(state, images, labels, lr):
        return watch(
            next(steps), state, lambda now: train_step(now, images, labels, lr)
        )

    for epoch in range(recipe.epochs):
        state = driver.load(state, start, recipe)
        batches = iter([(images, labels)] * recipe.steps_per_epoch)
        lrs = epoch_lrs(epoch, recipe)
        state, _ = driver.train.run_epoch(watched, state, batches, lrs)


def read_all(driver: Driver, recipe: Recipe) -> np.ndarray:
    """The share of its weight that each step takes, over the decay."""
    weights = []

    def watch(step, state, train):
        if step % recipe.steps_per_epoch == 0:
            weights.append([1.0])
        state, metrics = train(state)
        weight = driver.adapter.weight(state, WATCHED, recipe)
        weights[-1].append(float(weight[0]))
        return state, metrics

    loop(driver, recipe, start_at(1.0), watch)
    found = np.array(weights)
    lost = 1 - found[:, 1:] / found[:, :-1]
    return lost.ravel() / (recipe.weight_decay * recipe.batch_size)


def read_some(driver: Driver, recipe: Recipe) -> np.ndarray:
    """What a weight of gradient 1 loses in every 16th step."""
    rates, start = [], start_at(SMALL)

    def watch(step, state, train):
        if step % EVERY:
            return state, {"loss": 0.0, "correct": 0}
        state, metrics = train(driver.load(state, start, recipe, step))
        weight = driver.adapter.weight(state, WATCHED, recipe)
        rates.append(SMALL - float(weight[0]))
        return state, metrics

    loop(driver, recipe, start, watch)
    return np.array(rates)


def expected() -> Arrays:
    """The rates by the formula of the specification, written once more."""
    epochs, peak, steps, batch = 24, 5, 98, 512
    assert steps == -(-50_000 // batch)
    t = np.arange(epochs * steps) / steps
    rising, falling = t / peak, (epochs - t) / (epochs - peak)
    rates = 0.4 * np.minimum(rising, falling) / batch
    return {
        "1/float64/table/rates": rates,
        "1/float64/all/rates": rates,
        "1/float64/unit/rates": rates[::EVERY],
        "1/float32/unit/rates": rates[::EVERY],
    }
