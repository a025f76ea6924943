"""Rung 7 at full width: two steps, all 6,573,120 numbers.

The trace holds a sample of each tensor, and its sums over all elements, so
that it stays small.
"""

import numpy as np

from common.checkpoint import VELOCITY, shared_start
from common.cifar10 import synthetic
from common.draws import epoch_draws
from parity_tests.harness.cases import VARIANT, WIDE, Arrays
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import data as oracle_data
from parity_tests.oracle import network as oracle

SEED = 12 + 100 * VARIANT
RATES = (2e-4, 7e-4)  # of the sum loss, as large as the full recipe's
SAMPLE = 2000


def sampled(arrays: Arrays) -> Arrays:
    """Every k-th element, and three sums that see all the others."""
    found = {}
    for name, array in arrays.items():
        flat = np.asarray(array).ravel()
        found[name] = flat[:: max(1, len(flat) // SAMPLE)]
        whole = flat.astype(np.float64)
        weights = np.cos(np.arange(len(flat)))  # sees a change of places
        found[f"{name}.sums"] = np.array(
            [
                np.square(whole).sum(),
                np.abs(weights * whole).sum(),
                (weights * whole).sum(),  # sees a change of signs
            ]
        )
    return found


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    """Two batches as the oracle augments them, in float32's numbers."""
    sets = synthetic.make(SEED, WIDE.train_images, WIDE.test_images)
    found = []
    for draws in epoch_draws(SEED, 0, WIDE).batches(WIDE.batch_size):
        images = oracle_data.augment(sets["x_train"][draws.order], draws, WIDE)
        labels = sets["y_train"][draws.order]
        found.append((images.astype(np.float32), labels))
    return found


def trace(driver: Driver) -> None:
    """Two real steps in float64."""
    recipe = in_precision(WIDE, "float64")
    state = driver.state(recipe, shared_start(recipe, SEED))
    for step, (images, labels) in enumerate(batches()):
        images = driver.images(images, recipe)
        state, metrics = driver.train_step(
            state, images, driver.labels(labels), RATES[step]
        )
        numbers = driver.numbers(metrics)
        driver.put_all(f"7/float64/wide/{step}", numbers)
    arrays = driver.export(state, recipe)
    driver.put_all("7/float64/wide/end", sampled(arrays))


def expected() -> Arrays:
    """The same from the oracle."""
    params, found = shared_start(WIDE, SEED), {}
    params = {n: a for n, a in params.items() if not n.startswith(VELOCITY)}
    velocity = oracle.init_velocity(params, WIDE)
    for step, (images, labels) in enumerate(batches()):
        params, velocity, loss, correct = oracle.train_step(
            params, velocity, images, labels, RATES[step], WIDE
        )
        found[f"7/float64/wide/{step}/loss"] = np.asarray(loss)
        found[f"7/float64/wide/{step}/correct"] = np.asarray(correct)
    arrays = params | {VELOCITY + n: v for n, v in velocity.items()}
    for name, value in sampled(arrays).items():
        found[f"7/float64/wide/end/{name}"] = value
    return found
