"""Rung 7 in float32: 20 steps that rounding does not turn into others.

At the recipe's rate, from fresh weights and on whole images, two float32
runs of ONE framework with the images of each batch in another order are
10 % apart after 5 steps: among half a million ReLUs and pools some are so
near a tie that rounding decides which way a derivative goes, and training
makes much of it. Nothing could be told apart. So: images of 8x8, a peak
rate of 0.05, and weights as in mid-training, where no bias is near 0. Then
the same reordering makes 1e-5 after 20 steps.
"""

from collections.abc import Iterator

import numpy as np

from common.schedule import step_lr
from parity_tests.harness.cases import (
    CALM,
    Arrays,
    random_images,
    random_labels,
    random_params,
    rng,
)
from parity_tests.harness.driver import Driver
from parity_tests.oracle import network as oracle
from parity_tests.rungs.rung7_trajectory import (
    PERMUTATIONS,
    VELOCITY,
    floors,
    furthest,
    unequal,
)

PREFIX = "7/float32"


def batches(epoch: int, order: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Four batches of 16 and one of 12; order: 0, or of a permutation."""
    for place in range(CALM.steps_per_epoch):
        seed = 1000 + epoch * CALM.steps_per_epoch + place
        n = 16 if place < CALM.steps_per_epoch - 1 else 12
        shown = np.arange(n)
        if order:
            rng(order, 46, place).shuffle(shown)
        yield random_images(n, 8, seed)[shown], random_labels(n, seed)[shown]


def run(driver: Driver, order: int) -> list[Arrays]:
    """All tensors after each step of the real loop."""
    state = driver.state(CALM, random_params(CALM, 3))
    train_step, _ = driver.step.make_steps(state, driver.adapter.MODE)
    steps = []

    def watched(state, images, labels, lr):
        state, metrics = train_step(state, images, labels, lr)
        steps.append(driver.export(state, CALM) | driver.numbers(metrics))
        return state, metrics

    for epoch in range(CALM.epochs):
        tensors = (
            (driver.images(images, CALM), driver.labels(labels))
            for images, labels in batches(epoch, order)
        )
        state, _ = driver.train.run_epoch(watched, state, tensors, epoch, CALM)
    return steps


def trace(driver: Driver) -> None:
    """The run, its repetition, and its floor."""
    steps = run(driver, 0)
    driver.put_all(f"{PREFIX}/trajectory", flatten(steps))
    again = run(driver, 0)
    driver.put(f"{PREFIX}/repeat/unequal", unequal(steps, again))
    driver.put(f"{PREFIX}/repeat/error", furthest(steps, again))
    others = [run(driver, order) for order in range(1, PERMUTATIONS + 1)]
    for name, noise in floors(steps, others).items():
        driver.put(f"{PREFIX}/floor/{name}", noise)


def flatten(steps: list[Arrays]) -> Arrays:
    """By `step/tensor`."""
    return {
        f"{step:02}/{name}": value
        for step, tensors in enumerate(steps)
        for name, value in tensors.items()
    }


def expected() -> Arrays:
    """The same from the oracle, in float64."""
    params, steps = random_params(CALM, 3), []
    velocity = oracle.init_velocity(params, CALM)
    for epoch in range(CALM.epochs):
        for images, labels in batches(epoch, 0):
            lr = step_lr(len(steps), CALM)
            params, velocity, loss, correct = oracle.train_step(
                params, velocity, images, labels, lr, CALM
            )
            moved = {VELOCITY + n: v for n, v in velocity.items()}
            sums = {"loss": np.array(loss), "correct": np.array(correct)}
            steps.append(params | moved | sums)
    return {
        f"{PREFIX}/trajectory/{name}": value
        for name, value in flatten(steps).items()
    }
