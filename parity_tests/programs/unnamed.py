"""A layer that the table of parameters does not name: it must be refused.

    python -m parity_tests.programs.unnamed pytorch

Run in the framework's environment; prints what is said when its state is
exported and when arrays are imported into it.
"""

import sys

from common.checkpoint import shared_start
from common.errors import CheckpointError
from parity_tests.harness.cases import NET
from parity_tests.harness.driver import Driver


def extra_layer(framework: str):
    """A layer of 3 to 3, built, as each framework has it."""
    if framework == "pytorch":
        from torch import nn

        return nn.Linear(3, 3, bias=False)
    if framework == "jax_flax":
        from flax import nnx

        return nnx.Linear(3, 3, use_bias=False, rngs=nnx.Rngs(0))
    import tensorflow as tf

    layer = tf.keras.layers.Dense(3, use_bias=False)
    layer.build((None, 3))
    return layer


def main(framework: str) -> None:
    """Print two lines."""
    driver = Driver(framework, "cpu")
    network = driver.model.DavidNet

    class Changed(network):
        """The network with a layer that no table names."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.extra = extra_layer(framework)

    driver.model.DavidNet = Changed
    state = driver.step.create_state(NET, 0, driver.device)
    arrays = shared_start(NET, 0)
    for use in (
        lambda: driver.checkpoint.export_arrays(state, NET),
        lambda: driver.checkpoint.import_arrays(state, arrays, 0, NET),
    ):
        try:
            use()
            print("accepted")
        except CheckpointError as error:
            print(error)


if __name__ == "__main__":
    main(sys.argv[1])
