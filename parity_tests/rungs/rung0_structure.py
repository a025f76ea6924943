"""Rung 0: names, shapes, types, what is trained, and how many numbers."""

import numpy as np

from common.checkpoint import VELOCITY
from common.recipe import Recipe
from parity_tests.harness.cases import (
    NET,
    Arrays,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.harness.driver import Driver, in_precision

FULL = Recipe()
TRAINED, STATS = 6_573_120, 4_480  # of dawnbench


def trace(driver: Driver) -> None:
    """Structure at full width; types after 0, 1 and 2 steps."""
    state = driver.state(FULL)
    driver.put("0/float32/full/counts", driver.adapter.counts(state))
    driver.put("0/float32/full/tf32", driver.adapter.tf32())
    driver.put("0/float32/full/step", int(state.step))
    arrays = driver.export(state, FULL)
    put_structure(driver, "0/float32/full", arrays)
    for precision in ("float64", "float32", "bfloat16"):
        recipe = in_precision(NET, precision)
        images = driver.images(random_images(8, 32, 0), recipe)
        labels = driver.labels(random_labels(8, 0))
        state = driver.state(recipe, random_params(recipe, 0))
        for step in range(3):
            arrays = driver.export(state, recipe)
            names = sorted(arrays)
            types = [f"{n} {arrays[n].dtype}" for n in names]
            driver.put(f"0/{precision}/step{step}/types", np.array(types))
            state, _ = driver.train_step(state, images, labels, 1e-3)


def put_structure(driver: Driver, prefix: str, arrays: dict) -> None:
    """What there is, sorted by name, as text."""
    lines = [
        f"{name} {arrays[name].shape} {arrays[name].dtype} "
        + ("trained" if VELOCITY + name in arrays else "kept")
        for name in sorted(arrays)
        if not name.startswith(VELOCITY)
    ]
    driver.put(f"{prefix}/table", np.array(lines))
    driver.put(f"{prefix}/names", np.array(sorted(arrays)))


def expected() -> Arrays:
    """The numbers of dawnbench, whatever the table says; at rest, no TF32."""
    return {
        "0/float32/full/counts": np.array([TRAINED, STATS]),
        "0/float32/full/tf32": np.array(False),
        "0/float32/full/step": np.array(0),
    }
