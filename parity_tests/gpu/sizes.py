"""Bytes of a full batch, from two small ones; seconds of the host alone."""

import time
from collections.abc import Callable
from dataclasses import replace

from common.cifar10 import synthetic
from common.draws import epoch_draws
from common.recipe import Recipe
from parity_tests.harness.driver import Driver

FEW, MORE = 8, 16  # images
STEPS = 30  # of which the fastest counts: the first ones make caches


def at_batch(measure: Callable[[int], int], batch: int) -> int:
    """What `measure(images)` would be for a batch; it is affine in images.

    Weights and statistics count once, whatever the batch; each image adds
    the same.
    """
    few = measure(FEW)
    each, rest = divmod(measure(MORE) - few, MORE - FEW)
    if rest:
        raise ValueError("expected the same number of bytes for each image")
    return few + each * (batch - FEW)


def host_seconds(framework: str, mode: str, recipe: Recipe) -> float:
    """What a step, with its batch, costs the host if kernels cost nothing.

    Of a network so small that its arithmetic takes no time. The time is that
    of this thread, so other programs change it little.
    """
    driver, few = Driver(framework, "cpu"), {"width": 1, "batch_size": 4}
    tiny = replace(recipe, **few, train_images=4, test_images=4)
    state, draws = driver.state(tiny), epoch_draws(0, 0, tiny)
    data, _ = driver.splits(synthetic.make(0, 4, 4), tiny)
    train_step, _ = driver.step.make_steps(state, mode)
    lr = driver.adapter.rate(0.0, driver.device)
    found = []
    for _ in range(STEPS):
        start = time.thread_time()
        [(images, labels)] = driver.data.train_batches(data, draws, tiny)
        train_step(state, images, labels, lr)
        found.append(time.thread_time() - start)
    return min(found)
