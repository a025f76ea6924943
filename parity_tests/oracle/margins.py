"""How near a pass comes to a decision that rounding could turn.

A ReLU asks for a sign, a pool and the head for the largest of several
numbers, a count of correct predictions for the largest logit. In float32
another processor rounds otherwise. Where a number lies nearer to such a
decision than rounding reaches, the decision falls the other way there; a
derivative goes another way with it, and training makes much of it.

The margin of a place is the smallest such distance there. What is equal to
the last bit, as the deliberate ties of rung 5 are, is no matter of rounding
and does not count.
"""

import numpy as np

from parity_tests.oracle.layers import squares
from parity_tests.oracle.network import (
    BLOCKS,
    SIDES,
    Array,
    Arrays,
    Forward,
    forward,
)

# The activations that are decided on, or come out of a decision.
PLACES = (*SIDES, *(f"{name}.pool" for name in BLOCKS), "layer3", "logits")
ORDERS = 4  # of the images, to measure what rounding does
TINY = 2.0**-149  # the smallest number that float32 has


def margins(net: Forward) -> dict[str, float]:
    """The margin of each place, by the name of its activation.

    A ConvBN: the nearest 0 before its ReLU. A pool: its largest and another
    number of a square. "layer3": the same where the head takes its maximum.
    "logits": the largest and another logit. A place where all are equal to
    the last bit has no margin: infinity.
    """
    acts = net.activations
    found = {name: nearest(normed) for name, (*_, normed) in net.inside.items()}
    for name in BLOCKS:
        found[f"{name}.pool"] = lead(squares(acts[f"{name}.conv_bn"]), 3)
    n, height, width, c = acts["layer3"].shape
    places = acts["layer3"].reshape(n, height * width, c)
    found["layer3"] = lead(places, 1)
    found["logits"] = lead(acts["logits"], 1)
    return found


def nearest(values: Array) -> float:
    """The smallest distance from 0 that is not 0."""
    distances = np.abs(values)
    return float(distances[distances > 0].min(initial=np.inf))


def lead(values: Array, axis: int) -> float:
    """How far the largest along an axis is ahead of one that is smaller."""
    behind = values.max(axis, keepdims=True) - values
    return float(behind[behind > 0].min(initial=np.inf))


def places(activations: dict) -> dict:
    """Those of PLACES."""
    return {name: activations[name] for name in PLACES}


def order(seed: int, images: Array) -> Array:
    """One of the orders of the images: each sums otherwise."""
    return np.random.default_rng(seed).permutation(len(images))


def noises(exact: Arrays, rounded: list[Arrays], images: Array, recipe) -> dict:
    """The largest error of a training pass in float32, by place.

    exact: the weights in float64; rounded: those of each order, in float32.
    """
    found = dict.fromkeys(PLACES, TINY)
    net = forward(exact, images, recipe, True)
    for seed, params in enumerate(rounded):
        shown = order(seed, images)
        other = forward(params, images[shown], recipe, True, dtype=np.float32)
        for place, value in places(other.activations).items():
            error = np.abs(value - net.activations[place][shown]).max()
            found[place] = max(found[place], float(error))
    return found


def calmness(
    exact: Arrays, rounded: list[Arrays], images: Array, recipe
) -> dict:
    """By place: how many times as far as rounding reaches the nearest tie is.

    What is enough is said in `parity_tests/calm.py`.
    """
    ties = margins(forward(exact, images, recipe, True))
    noise = noises(exact, rounded, images, recipe)
    return {place: ties[place] / noise[place] for place in PLACES}
