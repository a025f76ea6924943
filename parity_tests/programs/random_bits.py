"""Whether JAX's own random bits are those of its model.py; prints `equal`.

    python -m parity_tests.programs.random_bits

Run in JAX's environment.
"""

import sys

import jax

from frameworks.jax_flax.model import random_bits

SHAPES = (1,), (3,), (4, 5, 6, 7), (64, 32, 32, 8)


def main() -> int:
    """Compare by several keys and shapes, compiled and op by op."""
    compiled = jax.jit(random_bits, static_argnums=1)
    for seed in (0, 1, 2**31 - 1):
        key = jax.random.fold_in(jax.random.key(seed), 7)
        for shape in SHAPES:
            judge = jax.random.bits(key, shape)
            for bits in (random_bits(key, shape), compiled(key, shape)):
                assert bits.dtype == judge.dtype
                assert (bits == judge).all(), (seed, shape)
    print("equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
