"""Rung 4 in bfloat16: which types stand where, and how near the results."""

import numpy as np

from common.init import conv_bn_channels
from parity_tests.harness.cases import NET, Arrays
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.rungs.rung4_forward import (
    Case,
    cases,
    expected_case,
    put_stats,
)


def trace(driver: Driver) -> None:
    """Types inside a real step; losses and statistics of single steps."""
    recipe, case = in_precision(NET, "bfloat16"), cases()["plain"]
    prefix = "4/bfloat16/plain"
    state = driver.state(recipe, case.params)
    images = driver.images(case.images, recipe)
    labels = driver.labels(case.labels)
    train_step, _ = driver.step.make_steps(state, driver.adapter.MODE)
    found = driver.step_dtypes(state, train_step, images, labels)
    for name in (*conv_bn_channels(NET), "logits", "loss"):
        driver.put(f"{prefix}/types/{name}", np.array(found[name]))
    state = driver.state(recipe, case.params)
    sums = driver.eval_step(state, images, labels)
    driver.put(f"{prefix}/eval-step/loss", sums["loss"])
    state, metrics = driver.train_step(state, images, labels, 0.0)
    sums = driver.numbers(metrics)
    driver.put(f"{prefix}/train-step/loss", sums["loss"])
    put_stats(driver, f"{prefix}/stats1", state, recipe)
    trace_between(driver)


def between() -> Case:
    """Half of the pixels 1, and half the next number of bfloat16.

    The mean of both is none of bfloat16's numbers.
    """
    plain = cases()["plain"]
    kernel = np.zeros_like(plain.params["prep.conv.kernel"])
    kernel[1, 1, 0] = 1  # what the convolution gives is the red plane
    mean = np.zeros_like(plain.params["prep.bn.mean"])
    changed = {"prep.conv.kernel": kernel, "prep.bn.mean": mean}
    images = np.ones_like(plain.images)
    images[:, ::2] += 2.0**-7
    return Case(plain.params | changed, images, plain.labels)


def trace_between(driver: Driver) -> None:
    """The mean of that case, op by op.

    A compiler may keep more digits than a type has, and so hide that a
    statistic is computed in bfloat16.
    """
    recipe, case = in_precision(NET, "bfloat16"), between()
    state = driver.state(recipe, case.params)
    images = driver.images(case.images, recipe)
    labels = driver.labels(case.labels)
    state, _ = driver.train_step(state, images, labels, 0.0, "eager")
    mean = driver.export(state, recipe)["prep.bn.mean"]
    driver.put("4/bfloat16/between/stats1/prep.bn.mean", mean)


def expected() -> Arrays:
    """The types as specified, and the oracle's float64 numbers."""
    prefix = "4/bfloat16/plain"
    found = expected_case(prefix, cases()["plain"])
    mean = np.full(NET.width, 0.1 * (1 + 2.0**-8))
    found["4/bfloat16/between/stats1/prep.bn.mean"] = mean
    for name in conv_bn_channels(NET):
        found[f"{prefix}/types/{name}"] = np.array("bfloat16")
    for name in ("logits", "loss"):
        found[f"{prefix}/types/{name}"] = np.array("float32")
    return found
