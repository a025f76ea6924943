"""Rung 1: the learning rate, as a table and as the weights feel it.

The table alone would not show a rate that comes a step late, or one that is
fixed when the step is compiled. So the real loop runs all 2,352 steps of
the full recipe on a network of width 1 and two tiny images; its gradient is
1 in every weight, and the rate is what a weight loses.
"""

from dataclasses import replace

import numpy as np

from common.recipe import Recipe
from common.schedule import lr_table
from parity_tests.cases import (
    PRECISIONS,
    STILL,
    Arrays,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.driver import Driver, in_precision

# The decay makes the gradient: 2^40 times a weight of 2^-40 is 1, and
# beside a rate the weight itself is nothing.
SMALL = 2.0**-40
UNIT = replace(STILL, momentum=0.0, weight_decay=2.0**40 / 512)
FULL = Recipe()
assert UNIT.batch_size == FULL.batch_size == 512
WATCHED = "prep.bn.bias"


def trace(driver: Driver) -> None:
    """The table, and the rates read back in both precisions."""
    driver.put("1/float64/table/rates", lr_table(FULL))
    for precision in PRECISIONS:
        rates = read_back(driver, in_precision(UNIT, precision))
        driver.put(f"1/{precision}/read-back/rates", rates)


def read_back(driver: Driver, recipe: Recipe) -> np.ndarray:
    """What a weight of gradient 1 loses in each step of the real loop."""
    start = random_params(recipe, 0)
    for name in start:
        if not name.endswith((".mean", ".var")):
            start[name] = np.full_like(start[name], SMALL)
    state = driver.state(recipe, start)
    images = driver.images(random_images(2, 8, 0), recipe)
    labels = driver.labels(random_labels(2, 0))
    # tf.function for TensorFlow: op by op would take a minute.
    train_step, _ = driver.step.make_steps(state, driver.adapter.FAST_MODE)
    rates = []

    def watched(state, images, labels, lr):
        state = driver.load(state, start, recipe, len(rates))
        state, metrics = train_step(state, images, labels, lr)
        weight = driver.adapter.weight(state, WATCHED, recipe)
        rates.append(SMALL - np.float64(weight[0]))
        return state, metrics

    for epoch in range(recipe.epochs):
        batches = iter([(images, labels)] * recipe.steps_per_epoch)
        state, _ = driver.train.run_epoch(
            watched, state, batches, epoch, recipe
        )
    return np.array(rates)


def judge() -> Arrays:
    """The rates by the formula of the specification, written once more."""
    epochs, peak, steps, batch = 24, 5, 98, 512
    assert steps == -(-50_000 // batch)
    t = np.arange(epochs * steps) / steps
    rising, falling = t / peak, (epochs - t) / (epochs - peak)
    rates = 0.4 * np.minimum(rising, falling) / batch
    return {
        "1/float64/table/rates": rates,
        "1/float64/read-back/rates": rates,
        "1/float32/read-back/rates": rates,
    }
