"""How often the loss function is called while the rate moves; prints it.

    python -m parity_tests.contract.retrace jax_flax compiled

Run in the framework's environment. The loss function is Python: op by op it
is called in each step; compiled, when a program is traced, not when it runs.
"""

import sys

from parity_tests.cases import NET, random_images, random_labels
from parity_tests.driver import Driver

STEPS = 4


def main(framework: str, mode: str) -> int:
    """The number of calls in STEPS steps after the first, at other rates."""
    driver, traced = Driver(framework, "cpu"), []
    cross_entropy = driver.model.cross_entropy

    def counted(logits, labels):
        traced.append(framework)
        return cross_entropy(logits, labels)

    driver.model.cross_entropy = counted
    state = driver.state(NET)
    train_step, _ = driver.step.make_steps(state, mode)
    if framework == "pytorch" and mode == "compiled":
        # Dynamo repeats what Python did when it traced: ask the module.
        return STEPS * (state.model._compiled_call_impl is None)
    images = driver.images(random_images(8, 32, 1), NET)
    labels = driver.labels(random_labels(8, 1))
    run_epoch, batch = driver.train.run_epoch, (images, labels)
    state, _ = run_epoch(train_step, state, [batch], 0, NET)
    assert traced, "neither called nor traced"
    traced.clear()
    run_epoch(train_step, state, [batch] * STEPS, 1, NET)
    return len(traced)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
