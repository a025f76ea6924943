"""Rung 5: every derivative of a real training step, and of the images."""

import numpy as np

from parity_tests.harness.cases import (
    NET,
    PRECISIONS,
    Arrays,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import network as oracle
from parity_tests.oracle.layers import count_correct, cross_entropy
from parity_tests.rungs.rung4_forward import Case


def cases() -> dict[str, Case]:
    """The inputs of this rung, by name.

    short, double: 3 images; and 4 images twice. Sums, unlike means, have
        gradients that are smaller and twice as large.
    large: logits of some hundreds.
    ties-layer1 to -layer3: batch norm's scale is 0 in every other channel
        where it feeds a pool: each square of four is equal and positive. In
        layer3 so is the end of the residual: the 16 places that the head
        looks at are equal.
    zeros: there scale and bias are 0: the ReLUs of the residuals see exact
        zeros.
    """
    plain = random_params(NET, 2)
    images, labels = random_images(8, 32, 2), random_labels(8, 2)

    def flat(*names: str, bias: float) -> Arrays:
        changed = {}
        for name in names:
            scale = plain[f"{name}.bn.scale"]
            every = np.arange(len(scale)) % 2 == 0
            changed[f"{name}.bn.scale"] = np.where(every, 0, scale)
            shift = plain[f"{name}.bn.bias"]
            changed[f"{name}.bn.bias"] = np.where(every, bias, shift)
        return plain | changed

    kernel = plain["linear.kernel"] * np.float32(2000)
    twice = np.concatenate
    return {
        "plain": Case(plain, images, labels),
        "short": Case(plain, images[:3], labels[:3]),
        "double": Case(plain, twice([images[:4]] * 2), twice([labels[:4]] * 2)),
        "large": Case(plain | {"linear.kernel": kernel}, images, labels),
        "ties-layer1": Case(flat("layer1.conv_bn", bias=0.5), images, labels),
        "ties-layer2": Case(flat("layer2.conv_bn", bias=0.5), images, labels),
        "ties-layer3": Case(
            flat("layer3.conv_bn", "layer3.res2", bias=0.5), images, labels
        ),
        "zeros": Case(
            flat("layer1.res2", "layer3.res1", "layer3.res2", bias=0.0),
            images,
            labels,
        ),
    }


def trace(driver: Driver) -> None:
    """Loss, correct, and all gradients of each case."""
    for precision in PRECISIONS:
        recipe = in_precision(NET, precision)
        for name, case in cases().items():
            found = driver.grads(recipe, case.params, case.images, case.labels)
            for tensor, value in found.items():
                driver.put(f"5/{precision}/{name}/{tensor}", value)


def expected() -> Arrays:
    """The same numbers from the oracle."""
    found = {}
    for name, case in cases().items():
        net = oracle.forward(case.params, case.images, NET, True)
        grads, images = oracle.backward(net, case.labels)
        grads = grads | {
            "images": images,
            "loss": cross_entropy(net.logits, case.labels),
            "correct": count_correct(net.logits, case.labels),
        }
        for precision in PRECISIONS:
            for tensor, value in grads.items():
                found[f"5/{precision}/{name}/{tensor}"] = value
    return found
