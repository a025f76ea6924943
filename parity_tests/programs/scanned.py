"""JAX's program with the loop that it takes on a GPU, run on a CPU.

    python -m parity_tests.programs.scanned --preset smoke --out FOLDER

Run in JAX's environment, with any flags of the program itself. Its last line
says how often the epoch was compiled: in the warm-up, and in all. Only the
choice of the loop is tested: a convolution inside a loop is slow on a CPU.
"""

import sys
from types import SimpleNamespace
from unittest import mock

from frameworks.jax_flax import data, step, train

STAND_IN = SimpleNamespace(platform="gpu", device_kind="a CPU, as if a GPU")


def main() -> int:
    """Train by the flags; the program's exit code."""
    cpu = data.find_device("cpu")
    warm_up, counts = train.warm_up, []

    def warmed_up(*args) -> step.TrainState:
        state = warm_up(*args)
        counts.append(train.scan_epoch._cache_size())
        return state

    on_cpu = mock.patch.multiple(
        train,
        warm_up=warmed_up,
        find_device=lambda name: STAND_IN,
        configure=lambda recipe, device: data.configure(recipe, cpu),
        to_device=lambda split, device: data.to_device(split, cpu),
        create_state=lambda recipe, seed, device: step.create_state(
            recipe, seed, cpu
        ),
    )
    with on_cpu:
        code = train.main()
    print(*counts, train.scan_epoch._cache_size())
    return code


if __name__ == "__main__":
    sys.exit(main())
