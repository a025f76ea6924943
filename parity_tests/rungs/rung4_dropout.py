"""Rung 4, dropout: place, rate, scale, a new mask in each step.

Masks differ from framework to framework, so their law is measured. In a
network whose batch norms have scale 0 and bias 1, and whose convolutions
take the mean of their input, every convolution gives one number c. What
batch norm keeps of it tells all: with the share k kept and the factor s,
the mean is c k s and the mean square c^2 k s^2. Were dropout in another
place, the two would not fit together.
"""

from dataclasses import replace

import numpy as np

from common.init import conv_bn_channels, parameter_table
from parity_tests.harness.cases import NET, Arrays, random_labels
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import network as oracle
from parity_tests.oracle.layers import count_correct, cross_entropy
from parity_tests.rungs.rung4_forward import cases

RATES = (0.25,)
# The rate of the preset `dropout`, which bfloat16 does not hold.
HALF_RATE = 0.05
HALF = f"4/bfloat16/dropout-{HALF_RATE}"
IMAGES = 16


def network() -> Arrays:
    """Constant activations everywhere."""
    arrays = {}
    for row in parameter_table(NET):
        value = np.zeros(row.shape, np.float32)
        if row.name.endswith("conv.kernel"):
            value[1, 1] = np.reshape(weights_of_mean(row.shape[2]), (-1, 1))
        elif row.role in ("bias", "var"):
            value += 1
        arrays[row.name] = value
    return arrays


def weights_of_mean(channels: int) -> np.ndarray:
    """Numbers that sum to 1, and are exact in float32."""
    if channels == 3:
        return np.array([0.5, 0.25, 0.25])
    return np.full(channels, 1 / channels)


def trace(driver: Driver) -> None:
    """Statistics after single steps, at several steps and seeds."""
    pixels = np.ones((IMAGES, 32, 32, 3), np.float32)
    for rate in RATES:
        recipe = in_precision(replace(NET, dropout_rate=rate), "float64")
        prefix = f"4/float64/dropout-{rate}"
        for case, seed, step in (
            ("first", 5, 0),
            ("again", 5, 0),
            ("next", 5, 1),
            ("other-seed", 6, 0),
            # An epoch of `dawnbench`, and what a byte holds, later.
            ("epoch", 5, 98),
            ("byte", 5, 256),
        ):
            state = driver.state(recipe, network(), seed, step)
            images = driver.images(pixels, recipe)
            labels = driver.labels(random_labels(IMAGES, 0))
            state, _ = driver.train_step(state, images, labels, 0.0)
            arrays = driver.export(state, recipe)
            put(driver, f"{prefix}/{case}", arrays)
            if case == "first":  # the next step by itself, not by loading
                state, _ = driver.train_step(
                    driver.load(state, network(), recipe, int(state.step)),
                    images,
                    labels,
                    0.0,
                )
                arrays = driver.export(state, recipe)
                put(driver, f"{prefix}/second", arrays)
                sums = driver.eval_step(state, images, labels)
                driver.put_all(f"{prefix}/eval", sums)
                after = driver.export(state, recipe)
                same = all(
                    np.array_equal(after[name], arrays[name]) for name in after
                )
                driver.put(f"{prefix}/eval/stats-kept", int(same))
        # There all logits are 0; here a mask would be seen.
        plain = cases()["plain"]
        state = driver.state(recipe, plain.params)
        images = driver.images(plain.images, recipe)
        sums = driver.eval_step(state, images, driver.labels(plain.labels))
        driver.put_all(f"4/float64/evaluation/dropout-{rate}", sums)

    half = in_precision(replace(NET, dropout_rate=HALF_RATE), "bfloat16")
    state = driver.state(half, network(), 5, 0)
    labels = driver.labels(random_labels(IMAGES, 0))
    images = driver.images(pixels, half)
    state, _ = driver.train_step(state, images, labels, 0.0)
    put(driver, f"{HALF}/first", driver.export(state, half))


def put(driver: Driver, prefix: str, arrays: Arrays) -> None:
    """Mean and unbiased variance of each channel, of one batch."""
    for name in conv_bn_channels(NET):
        mean = arrays[f"{name}.bn.mean"] / 0.1
        var = (arrays[f"{name}.bn.var"] - 0.9) / 0.1
        driver.put(f"{prefix}/{name}", np.stack([mean, var]))


def expected() -> Arrays:
    """Evaluation drops nothing and changes nothing."""
    found = {}
    for rate in RATES:
        prefix = f"4/float64/dropout-{rate}/eval"
        # linear.kernel is 0, so are all logits.
        found[f"{prefix}/loss"] = np.array(IMAGES * np.log(10))
        found[f"{prefix}/correct"] = np.array(
            (random_labels(IMAGES, 0) == 0).sum()
        )
        found[f"{prefix}/stats-kept"] = np.array(1)
        plain = cases()["plain"]
        net = oracle.forward(plain.params, plain.images, NET, False)
        prefix = f"4/float64/evaluation/dropout-{rate}"
        found[f"{prefix}/loss"] = cross_entropy(net.logits, plain.labels)
        found[f"{prefix}/correct"] = count_correct(net.logits, plain.labels)
    return found
