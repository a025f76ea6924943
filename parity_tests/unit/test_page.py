"""David Page's own code as a witness of the oracle and of the schedule."""

import numpy as np

from common.draws import Draws
from parity_tests.oracle import data as oracle_data
from parity_tests.oracle import network as oracle
from parity_tests.rungs import rung7_page as page


def near(ours, his, tolerance):
    largest = np.abs(his).max()
    return np.abs(np.asarray(ours) - his).max() <= tolerance * largest


def batch(draws: Draws):
    found = page.reference()
    images = found["raw"][draws.order]
    images = oracle_data.augment(images, draws, page.RECIPE)
    return images, found["labels"][draws.order]


def test_the_schedule_is_his_to_the_last_bit():
    ours, his = page.schedule()
    assert np.array_equal(ours, his)


def test_the_oracle_augments_as_he_does():
    images, _ = batch(page.choices()[:8])
    # His numbers are float32: one division, and the mean in float32.
    assert near(images, page.reference()["augmented"], 5e-7)


def test_the_oracle_trains_as_his_code_does():
    recipe, params = page.RECIPE, page.part("start/")
    velocity = oracle.init_velocity(params, recipe)
    losses, right = [], []
    steps = zip(page.choices().batches(8), page.lrs(), strict=True)
    for draws, lr in steps:
        images, labels = batch(draws)
        params, velocity, loss, correct = oracle.train_step(
            params, velocity, images, labels, lr, recipe
        )
        losses.append(loss)
        right.append(correct)
    found = page.reference()
    # Rounding of float64, which eight steps make larger; 1e-13 was seen.
    assert near(losses, found["loss"], 1e-11)
    assert np.array_equal(right, found["correct"])
    for name, his in page.part("end/").items():
        assert near(params[name], his, 1e-11), name
    images, _ = batch(page.choices()[:8])
    logits = oracle.forward(params, images, recipe, train=False).logits
    assert near(logits, found["logits"], 1e-11)
