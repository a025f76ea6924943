"""Rung 7: 20 steps of the real loop, every step of them.

In float64, at the full rate; float32 is in rung7_calm.py.
"""

from collections.abc import Callable

import numpy as np

from common.checkpoint import VELOCITY, shared_start
from common.cifar10 import synthetic
from common.draws import epoch_draws
from common.environments import FRAMEWORKS
from common.recipe import Recipe
from common.schedule import epoch_lrs, step_lr
from parity_tests.harness.cases import (
    TRAJECTORY,
    VARIANT,
    Arrays,
    random_images,
    rng,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.harness.error import relative_error
from parity_tests.oracle import data as oracle_data
from parity_tests.oracle import network as oracle

SEED = 11 + 100 * VARIANT
HALF = 2  # epochs before the checkpoint: 10 steps
PROBE = random_images(4, 32, 7)
RECIPE = in_precision(TRAJECTORY, "float64")


def data(recipe: Recipe = TRAJECTORY) -> Arrays:
    """The images of this rung."""
    return synthetic.make(SEED, recipe.train_images, recipe.test_images)


def run(
    driver: Driver,
    recipe: Recipe,
    mode: str,
    epochs: range | None = None,
    state=None,
    probe: bool = True,
    order: int = 0,
    after_epoch: Callable[[int, object], None] = lambda epoch, state: None,
) -> tuple[list[Arrays], object, list[Arrays]]:
    """Train; all tensors after each step, the state, sums of each epoch.

    order: not 0 shows the images of each batch in another order.
    """
    if state is None:
        state = driver.state(recipe, shared_start(recipe, SEED), SEED)
    train_step, eval_step = driver.step.make_steps(state, mode)
    train, test = driver.splits(data(recipe), recipe)
    steps, sums = [], []
    images = driver.images(PROBE, recipe) if probe else None

    def watched(state, pixels, labels, lr):
        state, metrics = train_step(state, pixels, labels, lr)
        found = driver.export(state, recipe)
        sum_up = driver.parallel.sum_over_world
        found |= driver.numbers({n: sum_up(v) for n, v in metrics.items()})
        if probe:
            named = driver.activations(state, images, False)
            found["logits"] = named["logits"]
        steps.append(found)
        return state, metrics

    for epoch in epochs or range(recipe.epochs):
        draws = epoch_draws(SEED, epoch, recipe)
        if order:
            draws = draws[permutation(order, recipe)]
        batches = driver.data.train_batches(train, draws, recipe)
        lrs = epoch_lrs(epoch, recipe)
        state, one = driver.train.run_epoch(watched, state, batches, lrs)
        batches = driver.data.eval_batches(test, recipe)
        two = driver.train.evaluate(eval_step, state, batches)
        sums.append({"train": one, "test": two})
        after_epoch(epoch, state)
    return steps, state, sums


def permutation(order: int, recipe: Recipe) -> np.ndarray:
    """Places of the images of an epoch, mixed within each batch."""
    places = np.arange(recipe.train_images)
    for start in range(0, len(places), recipe.batch_size):
        rng(order, 49).shuffle(places[start : start + recipe.batch_size])
    return places


def flatten(steps: list[Arrays], sums: list[dict]) -> Arrays:
    """By `step/tensor`, and the sums of each epoch."""
    found = {
        f"{step:02}/{name}": value
        for step, tensors in enumerate(steps)
        for name, value in tensors.items()
    }
    for epoch, both in enumerate(sums):
        for part, one in both.items():
            for name, value in one.items():
                found[f"epoch{epoch}/{part}-{name}"] = np.asarray(value)
    return found


def trace(driver: Driver) -> None:
    """The run, a repetition, a checkpoint."""
    own = driver.adapter.MODE
    steps, _, sums = run(driver, RECIPE, own)
    driver.put_all("7/float64/trajectory", flatten(steps, sums))
    again, state, _ = run(driver, RECIPE, own, epochs=range(HALF))
    driver.put("7/float64/repeat/unequal", unequal(steps, again))
    driver.put("7/float64/repeat/error", furthest(steps, again))
    path = driver.folder / f"{driver.framework}.safetensors"
    driver.checkpoint.save(path, state, RECIPE)
    driver.put_all("7/float64/epochs", whole_epochs(driver))


def whole_epochs(driver: Driver) -> Arrays:
    """Two epochs that nobody watches, as a GPU would run them.

    JAX runs each as one program there.
    """
    state = driver.state(RECIPE, shared_start(RECIPE, SEED), SEED)
    data_here, _ = driver.splits(data(RECIPE), RECIPE)
    for epoch in range(HALF):
        draws = epoch_draws(SEED, epoch, RECIPE)
        state, sums = driver.whole_epoch(state, data_here, draws, epoch, RECIPE)
    return driver.export(state, RECIPE) | {
        name: np.asarray(value) for name, value in sums.items()
    }


def unequal(one: list[Arrays], other: list[Arrays]) -> int:
    """How many tensors of two runs differ in any bit."""
    return sum(
        a[name].tobytes() != b[name].tobytes()
        for a, b in zip(one, other, strict=False)
        for name in a
    )


def furthest(one: list[Arrays], other: list[Arrays]) -> float:
    """The largest error between two runs, of any tensor at any step."""
    return max(
        relative_error(a[name], b[name])[0]
        for a, b in zip(one, other, strict=False)
        for name in a
    )


def expected() -> Arrays:
    """The oracle's trajectory, and what a repetition must give."""
    steps, sums = expected_run(RECIPE)
    found = {
        f"7/float64/trajectory/{name}": value
        for name, value in flatten(steps, sums).items()
    }
    last = steps[HALF * RECIPE.steps_per_epoch - 1]
    last = last | sums[HALF - 1]["train"]  # of the epoch, not of the step
    for name, value in last.items():
        if name != "logits":
            found[f"7/float64/epochs/{name}"] = np.asarray(value)
    for origin in FRAMEWORKS:
        prefix = f"7/float64/exchange/{origin}"
        found[f"{prefix}/step"] = np.array(10)
        found[f"{prefix}/end"] = np.array(20)
        for name, value in flatten(steps, sums).items():
            if name.startswith(("19/", "epoch2/", "epoch3/")):
                found[f"{prefix}/{name}"] = value
    return found


def expected_run(
    recipe: Recipe, epochs: int | None = None, probe: bool = True
) -> tuple[list[Arrays], list[dict]]:
    """In NumPy: 20 steps and 4 evaluations, or the first epochs of them."""
    sets, steps, sums = data(recipe), [], []
    params = shared_start(recipe, SEED)
    params = {n: a for n, a in params.items() if not n.startswith(VELOCITY)}
    velocity = oracle.init_velocity(params, recipe)
    tests = oracle_data.normalize(sets["x_test"], recipe)
    for epoch in range(epochs or recipe.epochs):
        loss_sum, correct_sum = 0.0, 0
        draws = epoch_draws(SEED, epoch, recipe)
        for batch in draws.batches(recipe.batch_size):
            images = oracle_data.augment(
                sets["x_train"][batch.order], batch, recipe
            )
            labels = sets["y_train"][batch.order]
            lr = step_lr(len(steps), recipe)
            params, velocity, loss, correct = oracle.train_step(
                params, velocity, images, labels, lr, recipe
            )
            loss_sum, correct_sum = loss_sum + loss, correct_sum + correct
            found = params | {VELOCITY + n: v for n, v in velocity.items()}
            found |= {"loss": loss, "correct": correct}
            if probe:
                net = oracle.forward(params, PROBE, recipe, train=False)
                found["logits"] = net.logits
            steps.append({n: np.asarray(v) for n, v in found.items()})
        loss, correct = oracle.eval_step(params, tests, sets["y_test"], recipe)
        sums.append(
            {
                "train": {"loss": loss_sum, "correct": correct_sum},
                "test": {"loss": loss, "correct": correct},
            }
        )
    return steps, sums
