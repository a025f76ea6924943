"""Rung 4, dropout: place, rate, scale, a new mask in each step.

Masks differ from framework to framework, so their law is measured. In a
network whose batch norms have scale 0 and bias 1, and whose convolutions
take the mean of their input, every convolution gives one number c. What
batch norm keeps of it tells all: with the share k kept and the factor s,
the mean is c k s and the mean square c^2 k s^2. Were dropout in another
place, the two would not fit together.

That the gradient has the masks of the forward pass is seen in a usual network:
it must be the slope of the loss.
"""

from dataclasses import replace

import numpy as np

from common.checkpoint import VELOCITY
from common.init import conv_bn_channels, parameter_table
from common.recipe import Recipe
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
SLOPE = "4/float64/dropout-slope"
# How far the kernel goes to each side: 1e-5 moves some ReLUs over their kinks.
EPSILON = 1e-7


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
            # A key of the seed and the step, added, would be that of `next`;
            # with 64 times the seed `other-seed` would have that of `byte`.
            ("next-seed", 6, 0),
            ("other-seed", 9, 0),
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

        driver.put(f"{SLOPE}/{rate}", slope(driver, recipe))

    half = in_precision(replace(NET, dropout_rate=HALF_RATE), "bfloat16")
    state = driver.state(half, network(), 5, 0)
    labels = driver.labels(random_labels(IMAGES, 0))
    images = driver.images(pixels, half)
    state, _ = driver.train_step(state, images, labels, 0.0)
    put(driver, f"{HALF}/first", driver.export(state, half))


def trace_mode(driver: Driver, mode: str, prefix: str) -> None:
    """Two steps of one function in a mode, and the first of another seed.

    A function that is compiled once must not keep the masks of its first step.
    """
    pixels = np.ones((IMAGES, 32, 32, 3), np.float32)
    recipe = replace(NET, dropout_rate=RATES[0], precision="float64")
    images = driver.images(pixels, recipe)
    labels = driver.labels(random_labels(IMAGES, 0))
    rate = driver.adapter.rate(0.0, driver.device)
    for seed, names in ((5, ("first", "second")), (6, ("other-seed",))):
        state = driver.state(recipe, network(), seed)
        train_step, _ = driver.step.make_steps(state, mode)
        for case in names:
            state, _ = train_step(state, images, labels, rate)
            arrays = driver.export(state, recipe)
            put(driver, f"{prefix}/{case}", arrays)
            state = driver.load(state, network(), recipe, int(state.step))


def slope(driver: Driver, recipe: Recipe) -> float:
    """The slope of the loss along the gradient of the first kernel, by length.

    1 if the backward pass has the masks of the forward pass: between the
    first kernel and the loss lie those of all layers. They belong to the
    seed and the step, so three losses have the same ones.
    """
    case, name = cases()["plain"], "prep.conv.kernel"
    images = driver.images(case.images, recipe)
    labels = driver.labels(case.labels)

    def step(kernel: np.ndarray) -> tuple[float, np.ndarray]:
        params = case.params | {name: kernel}
        state = driver.state(recipe, params, 5, 3)
        state, metrics = driver.train_step(state, images, labels, 0.0)
        gradient = driver.export(state, recipe)[VELOCITY + name]
        return float(driver.numbers(metrics)["loss"]), gradient

    kernel = case.params[name].astype(np.float64)
    _, gradient = step(kernel)
    length = np.linalg.norm(gradient)
    way = EPSILON / length * gradient
    rise = step(kernel + way)[0] - step(kernel - way)[0]
    return rise / (2 * EPSILON * length)


def put(driver: Driver, prefix: str, arrays: Arrays) -> None:
    """Mean and unbiased variance of each channel, of one batch."""
    for name in conv_bn_channels(NET):
        mean = arrays[f"{name}.bn.mean"] / 0.1
        var = (arrays[f"{name}.bn.var"] - 0.9) / 0.1
        driver.put(f"{prefix}/{name}", np.stack([mean, var]))


def expected() -> Arrays:
    """Evaluation drops nothing and changes nothing; a gradient is a slope."""
    found = {}
    for rate in RATES:
        found[f"{SLOPE}/{rate}"] = np.array(1.0)
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
