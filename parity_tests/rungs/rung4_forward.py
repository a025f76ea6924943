"""Rung 4: what the network computes, block by block, and keeps."""

from dataclasses import dataclass, replace

import numpy as np

from common.init import parameter_table
from common.recipe import Recipe
from parity_tests.harness.cases import (
    NET,
    PRECISIONS,
    Arrays,
    ordered,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import network as oracle
from parity_tests.oracle.layers import count_correct, cross_entropy

STAT_STEPS = 3
# Beyond what any preset has: a factor on all weights, and a recipe. Rung 5 has
# these cases, too; float64 alone, which needs no distance from ties. JAX
# compiles for each recipe and shape anew, so they have one new recipe.
BEYOND = {
    "huge": (1e6, NET),
    "minute": (
        1e-6,
        replace(NET, bn_eps=1e-40, bn_keep=0.35, logit_scale=3.0),
    ),
}


@dataclass(frozen=True)
class Case:
    """One network and the images that it is shown."""

    params: Arrays
    images: np.ndarray
    labels: np.ndarray


def cases(recipe: Recipe = NET) -> dict[str, Case]:
    """The inputs of this rung, by name.

    lowvar-3, lowvar-6: every convolution gives a variance of about 1e-3 and
        1e-6, so that eps of batch norm counts.
    offset: the mean of every convolution is large beside its deviation;
        E[x^2] - E[x]^2 has no digits left. Only the center of the kernels is
        not 0: zero padding would make a border, and the border a variance.
    tiny: 6 images of 8x8, so that batch norm sees 384 values per channel at
        first and 6 at last: n/(n-1) is 6/5.
    """
    plain = random_params(recipe, 1)
    images, labels = random_images(8, 32, 1), random_labels(8, 1)
    kernels = [n for n in plain if n.endswith("conv.kernel")]

    def scaled(factor: float) -> Arrays:
        factor = np.float32(factor)
        return plain | {name: plain[name] * factor for name in kernels}

    offset = dict(plain)
    for name in kernels:
        offset[name] = np.zeros_like(plain[name])
        offset[name][1, 1] = np.abs(plain[name][1, 1])
    for name in plain:
        if name.endswith("bn.bias"):
            offset[name] = plain[name] + np.float32(OFFSET)
    found = {
        "plain": Case(plain, images, labels),
        "lowvar-3": Case(scaled(0.06), images, labels),
        "lowvar-6": Case(scaled(0.002), images, labels),
        "offset": Case(offset, images + np.float32(OFFSET), labels),
        "tiny": Case(plain, images[:6, :8, :8], labels[:6]),
        "alone": Case(plain, images[:1], labels[:1]),
    }
    return {name: in_order(case) for name, case in found.items()}


def beyond(name: str) -> Case:
    """One of BEYOND.

    What a convolution gives has the factor twice, so the statistics go with
    it: batch norm sees deviations of 1e12 or 1e-12, and gives activations of
    1e6 or 1e-6.
    """
    factor, recipe = BEYOND[name]
    powers = {"kernel": 1, "scale": 1, "bias": 1, "mean": 2, "var": 4}
    params = random_params(recipe, 9)
    for row in parameter_table(recipe):
        params[row.name] *= np.float32(factor) ** powers[row.role]
    images = random_images(8, 32, 9) * np.float32(factor)
    return in_order(Case(params, images, random_labels(8, 9)))


def in_order(case: Case) -> Case:
    """The case with its images in the order of this machine."""
    return Case(case.params, *ordered(case.images, case.labels))


OFFSET = 32.0


def trace(driver: Driver) -> None:
    """Activations in both modes, losses, statistics after 1 and 3 steps."""
    for precision in PRECISIONS:
        recipe = in_precision(NET, precision)
        for name, case in cases().items():
            forward(driver, f"4/{precision}/{name}", recipe, case)
        losses(driver, f"4/{precision}/loss")
    for name, (_, recipe) in BEYOND.items():
        recipe = in_precision(recipe, "float64")
        forward(driver, f"4/float64/{name}", recipe, beyond(name))


def forward(driver: Driver, prefix: str, recipe: Recipe, case: Case) -> None:
    """One case in both modes."""
    state = driver.state(recipe, case.params)
    images = driver.images(case.images, recipe)
    labels = driver.labels(case.labels)
    driver.put_all(f"{prefix}/eval", driver.activations(state, images, False))
    sums = driver.eval_step(state, images, labels)
    driver.put_all(f"{prefix}/eval-step", sums)
    if prefix.endswith("alone"):
        return
    driver.put_all(f"{prefix}/train", driver.activations(state, images, True))
    state = driver.state(recipe, case.params)
    for step in range(1, STAT_STEPS + 1):
        state, metrics = driver.train_step(state, images, labels, 0.0)
        if step in (1, STAT_STEPS):
            put_stats(driver, f"{prefix}/stats{step}", state, recipe)
    driver.put_all(f"{prefix}/train-step", driver.numbers(metrics))


def put_stats(driver: Driver, prefix: str, state, recipe: Recipe) -> None:
    """The running statistics of a state."""
    arrays = driver.export(state, recipe)
    for row in parameter_table(recipe):
        if not row.trained:
            driver.put(f"{prefix}/{row.name}", arrays[row.name])


def loss_inputs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Logits and labels: usual ones, huge ones, ties, a single image."""
    logits = random_images(10, 32, 5).reshape(-1, 10)[:24]
    labels = random_labels(24, 5)
    ties = np.round(logits)
    return {
        "plain": (logits, labels),
        "large": (logits * np.float32(1000), labels),
        "ties": (ties, ties.argmax(1)),
        "one": (logits[:1], labels[:1]),
    }


def losses(driver: Driver, prefix: str) -> None:
    """The two functions of model.py's section Loss, by themselves."""
    precision = prefix.split("/")[1]
    for name, (logits, labels) in loss_inputs().items():
        logits = driver.adapter.tensor(logits.astype(precision), driver.device)
        labels = driver.labels(labels)
        loss = driver.model.cross_entropy(logits, labels)
        correct = driver.model.count_correct(logits, labels)
        driver.put(f"{prefix}/{name}/loss", driver.adapter.array(loss))
        driver.put(f"{prefix}/{name}/correct", driver.adapter.array(correct))


def expected() -> Arrays:
    """The same numbers from the oracle."""
    found = {}
    for precision in PRECISIONS:
        for name, case in cases().items():
            found |= expected_case(f"4/{precision}/{name}", case)
        for name, (logits, labels) in loss_inputs().items():
            prefix = f"4/{precision}/loss/{name}"
            logits = logits.astype(np.float64)
            found[f"{prefix}/loss"] = cross_entropy(logits, labels)
            found[f"{prefix}/correct"] = count_correct(logits, labels)
    for name, (_, recipe) in BEYOND.items():
        found |= expected_case(f"4/float64/{name}", beyond(name), recipe)
    return found


def expected_case(prefix: str, case: Case, recipe: Recipe = NET) -> Arrays:
    """The oracle's numbers of one case."""
    found, params = {}, case.params
    modes = {"eval": False} | (
        {} if prefix.endswith("alone") else {"train": True}
    )
    for mode, train in modes.items():
        net = oracle.forward(params, case.images, recipe, train)
        for name, value in net.activations.items():
            if name != "head":
                found[f"{prefix}/{mode}/{name}"] = value
        loss = cross_entropy(net.logits, case.labels)
        correct = count_correct(net.logits, case.labels)
        found[f"{prefix}/{mode}-step/loss"] = loss
        found[f"{prefix}/{mode}-step/correct"] = correct
    if prefix.endswith("alone"):
        return found
    for step in range(1, STAT_STEPS + 1):
        net = oracle.forward(params, case.images, recipe, True)
        params = params | net.stats
        if step in (1, STAT_STEPS):
            for name, value in net.stats.items():
                found[f"{prefix}/stats{step}/{name}"] = value
    return found
