"""Rung 5: every derivative of a real training step, and of the images.

In float32 a ReLU or a pool that stands near a tie may fall the other way on
another processor, and the derivative with it. So its cases are smaller, and
calm: `python -m parity_tests.calm` chose their seeds. What each framework
computes inside is kept beside the gradients, to be held against the nearest
tie.
"""

from functools import cache

import numpy as np

from common.recipe import Recipe
from parity_tests.harness.cases import (
    NET,
    PRECISIONS,
    SMALL,
    Arrays,
    calm_params,
    calm_seeds,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import network as oracle
from parity_tests.oracle.layers import count_correct, cross_entropy
from parity_tests.oracle.margins import margins, places
from parity_tests.rungs.rung4_forward import BEYOND, Case, beyond, in_order

# Where batch norm's scale is 0 in every other channel, and its bias there.
FLAT = {
    "ties-layer1": (("layer1.conv_bn",), 0.5),
    "ties-layer2": (("layer2.conv_bn",), 0.5),
    "ties-layer3": (("layer3.conv_bn", "layer3.res2"), 0.5),
    "zeros": (("layer1.res2", "layer3.res1", "layer3.res2"), 0.0),
}
CASES = ("plain", "short", "double", "large", *FLAT)


def recipe_of(precision: str) -> Recipe:
    """Of the cases in this precision."""
    return in_precision(NET if precision == "float64" else SMALL, precision)


@cache
def cases(precision: str) -> dict[str, Case]:
    """The inputs of this rung, by name."""
    if precision == "float64":
        given = random_params(NET, 2), random_images(8, 32, 2)
        given += (random_labels(8, 2),)
        return {name: in_order(case(name, *given)) for name in CASES}
    seeds = calm_seeds()
    return {name: calm_case(name, seeds[f"5/{name}"]) for name in CASES}


def calm_case(name: str, seed: int) -> Case:
    """A case in float32: 4 images of 16x16, width 4."""
    images, labels = random_images(4, 16, seed), random_labels(4, seed)
    return in_order(case(name, calm_params(SMALL, seed), images, labels))


def case(name: str, params: Arrays, images, labels) -> Case:
    """One case of these numbers.

    short, double: 3 images; and half of the images twice. Sums, unlike
        means, have gradients that are smaller and twice as large.
    large: logits of some hundreds.
    ties-layer1 to -layer3: batch norm's scale is 0 in every other channel
        where it feeds a pool: each square of four is equal and positive. In
        layer3 so is the end of the residual: all places that the head looks
        at are equal. These ties are exact on every machine: 0 times
        anything, and a bias that float32 holds.
    zeros: there scale and bias are 0: the ReLUs of the residuals see exact
        zeros.
    """
    half = len(images) // 2
    if name == "short":
        return Case(params, images[:3], labels[:3])
    if name == "double":
        twice = np.concatenate([np.arange(half)] * 2)
        return Case(params, images[twice], labels[twice])
    if name == "large":
        kernel = params["linear.kernel"] * np.float32(2000)
        return Case(params | {"linear.kernel": kernel}, images, labels)
    changed = dict(params)
    places, bias = FLAT.get(name, ((), 0.0))
    for place in places:
        for role, value in (("scale", 0.0), ("bias", bias)):
            old = params[f"{place}.bn.{role}"]
            every = np.arange(len(old)) % 2 == 0
            new = np.where(every, np.float32(value), old)
            changed[f"{place}.bn.{role}"] = new
    return Case(changed, images, labels)


def trace(driver: Driver) -> None:
    """Loss, correct, and all gradients of each case."""
    for precision in PRECISIONS:
        recipe = recipe_of(precision)
        for name, one in cases(precision).items():
            prefix = f"5/{precision}/{name}"
            given = one.images, one.labels
            found = driver.grads(recipe, one.params, *given)
            driver.put_all(prefix, found)
            if precision == "float32":
                state = driver.state(recipe, one.params)
                images = driver.images(one.images, recipe)
                inside = driver.activations(state, images, True)
                driver.put_all(f"{prefix}/inside", places(inside))
    for name, (_, recipe) in BEYOND.items():
        one, recipe = beyond(name), in_precision(recipe, "float64")
        found = driver.grads(recipe, one.params, one.images, one.labels)
        driver.put_all(f"5/float64/{name}", found)


def expected() -> Arrays:
    """The same numbers from the oracle, and the margins of float32."""
    found = {}

    def step(prefix: str, one: Case, recipe: Recipe) -> oracle.Forward:
        net = oracle.forward(one.params, one.images, recipe, True)
        grads, images = oracle.backward(net, one.labels)
        found[f"{prefix}/images"] = images
        found[f"{prefix}/loss"] = cross_entropy(net.logits, one.labels)
        found[f"{prefix}/correct"] = count_correct(net.logits, one.labels)
        for tensor, value in grads.items():
            found[f"{prefix}/{tensor}"] = value
        return net

    for name, (_, recipe) in BEYOND.items():
        step(f"5/float64/{name}", beyond(name), recipe)
    for precision in PRECISIONS:
        for name, one in cases(precision).items():
            prefix = f"5/{precision}/{name}"
            net = step(prefix, one, recipe_of(precision))
            if precision == "float32":
                for place, value in places(net.activations).items():
                    found[f"{prefix}/inside/{place}"] = value
                for place, value in margins(net).items():
                    found[f"{prefix}/margin/{place}"] = np.array(value)
    return found
