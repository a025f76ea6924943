"""How often a compiled step is traced while the rate moves; prints it.

    python -m parity_tests.contract.retrace pytorch

Run in the framework's environment. The loss function is Python: it is
called once for each trace, not once for each step.
"""

import sys

from parity_tests.cases import NET, random_images, random_labels
from parity_tests.driver import Driver

STEPS = 4


def main(framework: str) -> int:
    """The number of traces in one epoch of STEPS equal batches."""
    driver, traced = Driver(framework, "cpu"), []
    cross_entropy = driver.model.cross_entropy

    def counted(logits, labels):
        traced.append(framework)
        return cross_entropy(logits, labels)

    driver.model.cross_entropy = counted
    state = driver.state(NET)
    train_step, _ = driver.step.make_steps(state, "compiled")
    images = driver.images(random_images(8, 32, 1), NET)
    labels = driver.labels(random_labels(8, 1))
    batches = [(images, labels)] * STEPS
    driver.train.run_epoch(train_step, state, iter(batches), 0, NET)
    return len(traced)


if __name__ == "__main__":
    print(main(sys.argv[1]))
