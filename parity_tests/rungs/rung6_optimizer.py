"""Rung 6: the optimizer by itself, against NumPy.

impulse: one gradient, then none, while the rate doubles at every step. With
    a constant rate all forms of momentum agree; here they do not.
decay: the real training step with a loss that has no gradient.
random: 20 steps of random gradients and random rates, everything switched on.
other: momentum, decay and magnitudes that no preset has.
"""

from dataclasses import replace

import numpy as np

from common.checkpoint import VELOCITY
from common.recipe import Recipe
from parity_tests.harness.cases import (
    PRECISIONS,
    STILL,
    Arrays,
    random_images,
    random_labels,
    random_params,
    rng,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import network as oracle

BASE = replace(STILL, width=4, batch_size=64)
DECAY_STEPS = 5
KEPT = (0, 1, 4, 9, 19)  # steps whose tensors the trace holds
# In bfloat16 the weights are float32, and so is all of this.
TRAINED = (*PRECISIONS, "bfloat16")


def zeros(params: Arrays) -> Arrays:
    """No gradient."""
    names = oracle.trained(BASE)
    return {name: np.zeros_like(params[name]) for name in names}


def plans() -> dict[str, tuple[Recipe, list[tuple[Arrays, float]]]]:
    """By case: the recipe, and gradients and rate of each step."""
    params = random_params(BASE, 6)
    draw = rng(0, 44)

    def gradients() -> Arrays:
        return {
            name: draw.normal(0.5, 1, array.shape).astype(np.float32)
            for name, array in zeros(params).items()
        }

    impulse = [(gradients(), 2.0**-12)]
    impulse += [(zeros(params), 2.0 ** (k - 12)) for k in range(1, 6)]
    random = [
        (gradients(), float(np.float32(draw.uniform(0, 1e-3))))
        for _ in range(20)
    ]
    other = [
        ({name: 1e6 * grad for name, grad in gradients().items()}, lr)
        for lr in (0.5, 0.25)
    ]
    return {
        "impulse": (replace(BASE, weight_decay=0.0), impulse),
        "random": (BASE, random),
        "other": (replace(BASE, momentum=0.5, weight_decay=0.02), other),
    }


def trace(driver: Driver) -> None:
    """Weights and velocity after each step of each case."""
    params = random_params(BASE, 6)
    for precision in TRAINED:
        for name, (recipe, steps) in plans().items():
            recipe = in_precision(recipe, precision)
            state = driver.state(recipe, params)
            for step, (grads, lr) in enumerate(steps):
                state = driver.adapter.apply(state, grads, lr, recipe)
                if step in KEPT:
                    put(driver, f"6/{precision}/{name}/{step}", state, recipe)
        recipe = in_precision(BASE, precision)
        state = driver.state(recipe, params)
        images = driver.images(random_images(2, 8, 6), recipe)
        labels = driver.labels(random_labels(2, 6))
        for step in range(DECAY_STEPS):
            lr = rate(step)
            state, _ = driver.train_step(state, images, labels, lr)
            if step in KEPT:
                put(driver, f"6/{precision}/decay/{step}", state, recipe)


def rate(step: int) -> float:
    """Of the decay case: growing."""
    return 2.0 ** (step - 5)


def put(driver: Driver, prefix: str, state, recipe: Recipe) -> None:
    """All that the optimizer moves."""
    for name, array in driver.export(state, recipe).items():
        if not name.endswith((".mean", ".var")):
            driver.put(f"{prefix}/{name}", array)


def expected() -> Arrays:
    """The same from the oracle."""
    found, start = {}, random_params(BASE, 6)
    plan = plans()
    decay = [(zeros(start), rate(step)) for step in range(DECAY_STEPS)]
    plan["decay"] = (BASE, decay)
    for name, (recipe, steps) in plan.items():
        params, velocity = start, oracle.init_velocity(start, recipe)
        for step, (grads, lr) in enumerate(steps):
            params, velocity = oracle.optimizer_step(
                params, velocity, grads, lr, recipe
            )
            for tensor in oracle.trained(recipe) if step in KEPT else ():
                for precision in TRAINED:
                    prefix = f"6/{precision}/{name}/{step}"
                    found[f"{prefix}/{tensor}"] = params[tensor]
                    found[f"{prefix}/{VELOCITY}{tensor}"] = velocity[tensor]
    return found
