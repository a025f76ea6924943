"""Rung 4: numbers that tf32 cannot hold.

A GPU may compute float32 convolutions and products in tf32, which keeps 10
bits behind the point of the two factors: 1 + 2^-12 becomes 1. Here all pixels
are that number and all kernels a power of two times it, so that every
convolution and the linear layer would lose 2^-12, 2.4e-4, of their result.
All numbers are positive: nothing cancels, and float32 is right to a few of
its last digits.
"""

import numpy as np

from common.init import fan_in, parameter_table
from parity_tests.harness.cases import NET, Arrays
from parity_tests.harness.driver import Driver
from parity_tests.oracle import network as oracle

PREFIX = "4/float32/tf32"
PROBE = np.float32(1 + 2**-12)
IMAGES = np.full((2, 32, 32, 3), PROBE)


def network() -> Arrays:
    """Kernels of the probe, scaled so that results stay near 1."""
    arrays = {}
    for row in parameter_table(NET):
        value = np.zeros(row.shape, np.float32)
        if row.role == "kernel":
            value += PROBE * np.float32(
                2.0 ** -np.ceil(np.log2(fan_in(row.shape)))
            )
        elif row.role in ("scale", "var"):
            value += 1
        arrays[row.name] = value
    return arrays


def trace(driver: Driver) -> None:
    """Every activation in evaluation mode."""
    state = driver.state(NET, network())
    images = driver.images(IMAGES, NET)
    driver.put_all(PREFIX, driver.activations(state, images, False))


def expected() -> Arrays:
    """The same from the oracle, in float64."""
    net = oracle.forward(network(), IMAGES, NET, False)
    return {
        f"{PREFIX}/{name}": value
        for name, value in net.activations.items()
        if name != "head"
    }
