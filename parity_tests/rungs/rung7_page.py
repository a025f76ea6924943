"""Rung 7, an outside witness: what David Page's own code computes.

`oracle/page_reference.npz` was made with the published code of
davidcpage/cifar10-fast (commit f79e8b8, of 2019-12-02), under torch 2.13 on a
CPU in float64: his transforms with choices that are given, his network of
width 4 from his own initial weights, and torch's SGD as his contest entry
used it, for eight steps of eight images. Here the frameworks do the same.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from common.checkpoint import VELOCITY
from common.draws import Draws
from common.recipe import Recipe
from common.schedule import lr_at
from parity_tests import oracle
from parity_tests.harness.cases import Arrays
from parity_tests.harness.driver import Driver, in_precision

FILE = Path(oracle.__file__).with_name("page_reference.npz")
RECIPE = Recipe(
    width=4, batch_size=8, train_images=64, cutout_size=8, precision="float64"
)
PREFIX = "7/float64/page"


@cache
def reference() -> Arrays:
    """All arrays of the file, by name."""
    with np.load(FILE) as file:
        return {name: file[name] for name in file.files}


def part(prefix: str) -> Arrays:
    """The arrays below a prefix, by canonical name."""
    return {
        name.removeprefix(prefix): array
        for name, array in reference().items()
        if name.startswith(prefix)
    }


def choices() -> Draws:
    """His choices for all 64 images, in the order in which they are shown."""
    given = {
        name: array.astype(bool if name == "flip" else np.int32)
        for name, array in part("choice/").items()
    }
    return Draws(order=np.arange(64, dtype=np.int32), **given)


def lrs() -> np.ndarray:
    """The learning rates of the eight steps, for the summed loss."""
    return reference()["lr"] / RECIPE.batch_size


def trace(driver: Driver) -> None:
    """The schedule, one batch, its gradients, and the eight steps."""
    found = reference()
    sets = {"x_train": found["raw"], "y_train": found["labels"]}
    sets |= {"x_test": found["raw"][:8], "y_test": found["labels"][:8]}

    def batches(recipe: Recipe) -> list[tuple]:
        train, _ = driver.splits(sets, recipe)
        return list(driver.data.train_batches(train, choices(), recipe))

    float32 = in_precision(RECIPE, "float32")
    images, _ = batches(float32)[0]
    driver.put("7/float32/page/augmented", driver.adapter.pictures(images))

    state = driver.state(RECIPE, part("start/"))
    train_step, _ = driver.step.make_steps(state, driver.adapter.MODE)
    shown, steps = batches(RECIPE), []

    def watched(state, images, labels, lr):
        state, metrics = train_step(state, images, labels, lr)
        steps.append(driver.numbers(metrics))
        return state, metrics

    state, _ = driver.train.run_epoch(watched, state, shown, lrs())
    for name in ("loss", "correct"):
        driver.put(f"{PREFIX}/{name}", np.array([s[name] for s in steps]))
    first, labels = shown[0]
    named = driver.activations(state, first, False)
    driver.put(f"{PREFIX}/logits", named["logits"])
    for name, array in driver.export(state, RECIPE).items():
        if not name.startswith(VELOCITY):
            driver.put(f"{PREFIX}/end/{name}", array)

    # Without decay and from rest, the first velocity is the gradient.
    plain = replace(RECIPE, weight_decay=0.0)
    state = driver.state(plain, part("start/"))
    state, _ = driver.train_step(state, first, labels, 0.0)
    for name, array in driver.export(state, plain).items():
        if name.startswith(VELOCITY):
            name = name.removeprefix(VELOCITY)
            driver.put(f"{PREFIX}/grad/{name}", array)


def expected() -> Arrays:
    """What his code gave, under the names of the trace."""
    found = reference()
    numbers = {f"{PREFIX}/{name}": found[name] for name in ("loss", "correct")}
    numbers[f"{PREFIX}/logits"] = found["logits"]
    numbers["7/float32/page/augmented"] = found["augmented"]
    for kind in ("grad", "end"):
        for name, array in part(f"{kind}/").items():
            numbers[f"{PREFIX}/{kind}/{name}"] = array
    return numbers


def schedule() -> tuple[np.ndarray, np.ndarray]:
    """The learning rates of the full recipe, ours and his, (97,) each."""
    ours = [lr_at(epoch, Recipe()) for epoch in reference()["schedule/epoch"]]
    return np.array(ours), reference()["schedule/lr"]
