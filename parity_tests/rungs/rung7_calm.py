"""Rung 7 in float32: 20 steps that no processor's rounding turns.

At the recipe's rate, from fresh weights and on whole images, two float32
runs of ONE framework with the images of each batch in another order are
10 % apart after 5 steps: among half a million ReLUs and pools some are so
near a tie that rounding decides which way a derivative goes, and training
makes much of it. Nothing could be told apart. So: images of 8x8, width 4, a
peak rate of 0.01, biases away from 0, and each batch drawn until the nearest
tie is a hundred times as far away as rounding has reached by that step
(`python -m parity_tests.calm` chose the seeds). Then every processor takes
the same decisions, and the rest is rounding.
"""

from collections.abc import Iterator

import numpy as np

from common.schedule import epoch_lrs, step_lr
from parity_tests.harness.cases import (
    CALM,
    Arrays,
    calm_params,
    calm_seeds,
    ordered,
    random_images,
    random_labels,
    rng,
)
from parity_tests.harness.driver import Driver
from parity_tests.harness.error import relative_error
from parity_tests.oracle import network as oracle
from parity_tests.oracle.margins import margins, places
from parity_tests.rungs.rung7_trajectory import (
    VELOCITY,
    flatten,
    furthest,
    unequal,
)

PREFIX = "7/float32"
PERMUTATIONS = 3  # orders of the images, for the floor


def start() -> Arrays:
    """The weights that it begins with."""
    return calm_params(CALM, calm_seeds()["7/weights"])


def batch(place: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a place in its epoch: 16 images, and 12 in the last."""
    n = 16 if place < CALM.steps_per_epoch - 1 else 12
    images, labels = ordered(random_images(n, 8, seed), random_labels(n, seed))
    return images, labels


def batches(epoch: int, order: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Those of an epoch; order: 0, or of a permutation."""
    for place in range(CALM.steps_per_epoch):
        step = epoch * CALM.steps_per_epoch + place
        images, labels = batch(place, calm_seeds()["7/batches"][step])
        shown = np.arange(len(images))
        if order:
            rng(order, 46, place).shuffle(shown)
        yield images[shown], labels[shown]


def run(driver: Driver, order: int) -> list[Arrays]:
    """All tensors after each step of the real loop."""
    state = driver.state(CALM, start())
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
        lrs = epoch_lrs(epoch, CALM)
        state, _ = driver.train.run_epoch(watched, state, tensors, lrs)
    return steps


def trace(driver: Driver) -> None:
    """The run, its repetition, and its floor.

    The floor is the same framework's own noise: the images of each batch in
    other orders, which changes nothing but rounding.
    """
    steps = run(driver, 0)
    driver.put_all(f"{PREFIX}/trajectory", flatten(steps, []))
    again = run(driver, 0)
    driver.put(f"{PREFIX}/repeat/unequal", unequal(steps, again))
    driver.put(f"{PREFIX}/repeat/error", furthest(steps, again))
    others = [run(driver, order) for order in range(1, PERMUTATIONS + 1)]
    for name, noise in floors(steps, others).items():
        driver.put(f"{PREFIX}/floor/{name}", noise)
    inside(driver, steps)


def inside(driver: Driver, steps: list[Arrays]) -> None:
    """What each step computes inside, from where the one before it ended.

    A pass in training mode, without an update, of a state made for it.
    """
    arrays, step = start(), 0
    for epoch in range(CALM.epochs):
        for images, _ in batches(epoch, 0):
            state = driver.state(CALM, arrays)
            named = driver.activations(state, driver.images(images, CALM), True)
            driver.put_all(f"{PREFIX}/inside/{step:02}", places(named))
            arrays = {name: steps[step][name] for name in arrays}
            step += 1


def kind(name: str) -> str:
    """What sort of tensor a name is of; each sort has its own noise."""
    if name.startswith(VELOCITY):
        return "velocity"
    if name.endswith((".mean", ".var")):
        return "stats"
    return "loss" if name == "loss" else "weights"


def floors(steps: list[Arrays], others: list[list[Arrays]]) -> Arrays:
    """By sort of tensor: the largest error of each step from reordering."""
    noise: dict[str, np.ndarray] = {}
    for again in others:
        for step, (a, b) in enumerate(zip(again, steps, strict=True)):
            for name in a:
                if name != "correct":
                    row = noise.setdefault(kind(name), np.zeros(len(steps)))
                    error, _ = relative_error(a[name], b[name])
                    row[step] = max(row[step], error)
    return noise


def expected() -> Arrays:
    """The same from the oracle, in float64, and the margins of each step."""
    params, steps, found = start(), [], {}
    velocity = oracle.init_velocity(params, CALM)
    for epoch in range(CALM.epochs):
        for images, labels in batches(epoch, 0):
            net = oracle.forward(params, images, CALM, True)
            step = f"{len(steps):02}"
            for name, value in places(net.activations).items():
                found[f"{PREFIX}/inside/{step}/{name}"] = value
            for name, value in margins(net).items():
                found[f"{PREFIX}/margin/{step}/{name}"] = np.array(value)
            lr = step_lr(len(steps), CALM)
            params, velocity, loss, correct = oracle.train_step(
                params, velocity, images, labels, lr, CALM
            )
            moved = {VELOCITY + n: v for n, v in velocity.items()}
            sums = {"loss": np.array(loss), "correct": np.array(correct)}
            steps.append(params | moved | sums)
    return found | {
        f"{PREFIX}/trajectory/{name}": value
        for name, value in flatten(steps, []).items()
    }
