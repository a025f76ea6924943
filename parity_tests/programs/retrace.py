"""How often the network is compiled, or called: in the warm-up, and after it.

    python -m parity_tests.programs.retrace jax_flax
    python -m parity_tests.programs.retrace pytorch world

world: as one of several processes would, whose gradients and moments are
summed; only compiled.

Run in the framework's environment; prints two numbers for each mode, eager
first. The loss function is Python: eagerly it is called in each step;
compiled, when a program is traced, not when it runs. Of PyTorch graphs are
counted: Dynamo repeats what Python did when it traced, a counted call too.
The learning rate moves from step to step, and the last batches are partial.
"""

import sys
from dataclasses import replace
from unittest import mock

from common.cifar10 import synthetic
from common.draws import epoch_draws
from common.schedule import epoch_lrs
from parity_tests.harness.cases import TRAJECTORY
from parity_tests.harness.driver import Driver

# As in rung 7 and test_same_training.py, so that caches know the programs.
RECIPE = replace(TRAJECTORY, precision="float64")


def count(framework: str, mode: str) -> tuple[int, int]:
    """Calls in the warm-up, and in an epoch and its evaluation after it."""
    if framework == "pytorch" and mode == "compiled":
        from parity_tests.gpu.pytorch import compiled

        found = compiled(RECIPE)
        return found["graphs"], found["graphs after the warm-up"]
    driver, calls = Driver(framework, "cpu"), []
    state = driver.state(RECIPE)
    arrays = synthetic.make(0, RECIPE.train_images, RECIPE.test_images)
    with record_losses(driver.model, calls):
        steps = driver.step.make_steps(state, mode)
        train, test = driver.splits(arrays, RECIPE)
        given = [steps, state, train, test, RECIPE]
        if framework == "jax_flax":
            given.append(False)  # not the loop of a GPU
        calls.clear()  # a layer of Keras is built by being called
        state = driver.train.warm_up(*given)
        before = len(calls)
        draws, lrs = epoch_draws(0, 1, RECIPE), epoch_lrs(1, RECIPE)
        batches = driver.data.train_batches(train, draws, RECIPE)
        state, _ = driver.train.run_epoch(steps[0], state, batches, lrs)
        batches = driver.data.eval_batches(test, RECIPE)
        driver.train.evaluate(steps[1], state, batches)
    return before, len(calls) - before


def record_losses(model, calls: list):
    """Note each call of the loss function of a framework's model.py."""
    cross_entropy = model.cross_entropy

    def counted(logits, labels):
        calls.append("loss")
        return cross_entropy(logits, labels)

    return mock.patch.object(model, "cross_entropy", counted)


def in_world() -> None:
    """Let PyTorch sum over a world of this process alone."""
    from torch import distributed

    store = distributed.HashStore()
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)


if __name__ == "__main__":
    modes = ["eager", "compiled"]
    if sys.argv[2:] == ["world"]:
        in_world()
        modes.remove("eager")
    for mode in modes:
        print(*count(sys.argv[1], mode))
