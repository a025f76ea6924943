"""How often the loss function is called: in the warm-up, and then in an epoch.

    python -m parity_tests.programs.retrace jax_flax compiled

Run in the framework's environment; prints the two numbers. The loss function
is Python: eagerly it is called in each step; compiled, when a program is
traced, not when it runs. The rate moves from step to step, and the last
batches are short.
"""

import sys

from common.cifar10 import synthetic
from common.draws import epoch_draws
from common.schedule import epoch_lrs
from parity_tests.harness.cases import DATA
from parity_tests.harness.driver import Driver


def main(framework: str, mode: str) -> tuple[int, int]:
    """Calls in the warm-up, and in 3 steps and 3 evaluations after it."""
    driver, calls = Driver(framework, "cpu"), []
    cross_entropy = driver.model.cross_entropy

    def counted(logits, labels):
        calls.append(framework)
        return cross_entropy(logits, labels)

    driver.model.cross_entropy = counted
    state = driver.state(DATA)
    steps = driver.step.make_steps(state, mode)
    if framework == "pytorch":
        # Dynamo repeats what Python did when it traced: ask the module.
        compiled = state.model._compiled_call_impl is not None
        assert compiled == (mode == "compiled")
        if compiled:
            return 4, 0
    arrays = synthetic.make(0, DATA.train_images, DATA.test_images)
    train, test = driver.splits(arrays, DATA)
    given = [steps, state, train, test, DATA]
    if framework == "jax_flax":
        given.append(False)  # not the loop of a GPU
    calls.clear()  # a layer of Keras is built by being called
    state = driver.train.warm_up(*given)
    before = len(calls)
    draws = epoch_draws(0, 1, DATA)
    batches = driver.data.train_batches(train, draws, DATA)
    lrs = epoch_lrs(1, DATA)
    state, _ = driver.train.run_epoch(steps[0], state, batches, lrs)
    batches = driver.data.eval_batches(test, DATA)
    driver.train.evaluate(steps[1], state, batches)
    return before, len(calls) - before


if __name__ == "__main__":
    print(*main(*sys.argv[1:]))
