"""Rung 4 in bfloat16: which types stand where, and how near the results."""

import numpy as np

from common.init import conv_bn_channels
from parity_tests.cases import NET, Arrays
from parity_tests.driver import Driver, in_precision
from parity_tests.rung4_forward import cases, judge_case, put_stats


def trace(driver: Driver) -> None:
    """Types inside a real step; losses and statistics of single steps."""
    recipe, case = in_precision(NET, "bfloat16"), cases()["plain"]
    prefix = "4/bfloat16/plain"
    state = driver.state(recipe, case.params)
    images, labels = driver.images(case.images, recipe), None
    labels = driver.labels(case.labels)
    train_step, _ = driver.step.make_steps(state, driver.adapter.MODE)
    found = driver.adapter.step_dtypes(state, train_step, images, labels)
    for name in (*conv_bn_channels(NET), "logits", "loss"):
        driver.put(f"{prefix}/types/{name}", np.array(found[name]))
    state = driver.state(recipe, case.params)
    sums = driver.eval_step(state, images, labels)
    driver.put(f"{prefix}/eval-step/loss", sums["loss"])
    state, metrics = driver.train_step(state, images, labels, 0.0)
    sums = driver.numbers(metrics)
    driver.put(f"{prefix}/train-step/loss", sums["loss"])
    put_stats(driver, f"{prefix}/stats1", state, recipe)


def judge() -> Arrays:
    """The types as specified, and the oracle's float64 numbers."""
    prefix = "4/bfloat16/plain"
    found = judge_case(prefix, cases()["plain"])
    for name in conv_bn_channels(NET):
        found[f"{prefix}/types/{name}"] = np.array("bfloat16")
    for name in ("logits", "loss"):
        found[f"{prefix}/types/{name}"] = np.array("float32")
    return found
