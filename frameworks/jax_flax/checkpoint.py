"""Checkpoints in JAX: canonical names and layouts, and back.

Read beside tensorflow_eager/checkpoint.py and pytorch/checkpoint.py. Here:
  - the canonical names are the paths in the state: nothing is renamed
  - the canonical layouts are JAX's own: nothing is turned
"""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from common import checkpoint
from common.checkpoint import VELOCITY, Arrays
from common.recipe import Recipe
from frameworks.jax_flax.step import TrainState

# --- Convert ------------------------------------------------------------


def to_arrays(tree: nnx.State, prefix: str = "") -> Arrays:
    """The arrays of a state by canonical name."""
    return {
        prefix + ".".join(path): np.array(leaf[...])
        for path, leaf in nnx.to_flat_state(tree)
    }


def from_arrays(tree: nnx.State, arrays: Arrays, prefix: str = ""):
    """A state like `tree` with the arrays of these canonical names."""
    return nnx.from_flat_state(
        (
            path,
            leaf.replace(
                jnp.array(arrays[prefix + ".".join(path)], leaf.dtype)
            ),
        )
        for path, leaf in nnx.to_flat_state(tree)
    )


def export_arrays(state: TrainState, recipe: Recipe) -> Arrays:
    """Weights, statistics and velocity as arrays by canonical name."""
    velocity = optax.tree.get(state.opt_state, "trace")
    return (
        to_arrays(state.params)
        | to_arrays(state.stats)
        | to_arrays(velocity, VELOCITY)
    )


def import_arrays(
    state: TrainState, arrays: Arrays, step: int, recipe: Recipe
) -> TrainState:
    """A state with these arrays and this step."""
    velocity = optax.tree.get(state.opt_state, "trace")
    (device,) = jax.tree.leaves(state.params)[0].devices()
    state = replace(
        state,
        params=from_arrays(state.params, arrays),
        stats=from_arrays(state.stats, arrays),
        opt_state=optax.tree.set(
            state.opt_state, trace=from_arrays(velocity, arrays, VELOCITY)
        ),
        step=jnp.array(step, jnp.int32),
    )
    # Bound to the device, as create_state does: a program is compiled anew
    # for arrays that are free to move.
    return jax.device_put(state, device)


# --- Files --------------------------------------------------------------


def save(path: Path, state: TrainState, recipe: Recipe) -> None:
    """Write the state to a file. Raises DiskError."""
    arrays = export_arrays(state, recipe)
    checkpoint.write(path, arrays, int(state.step), recipe, "jax_flax")


def load(path: Path, state: TrainState, recipe: Recipe) -> TrainState:
    """The state of a file, whichever framework wrote it.

    Raises CheckpointError if it is damaged or does not fit the recipe.
    """
    found = checkpoint.read(path, recipe)
    return import_arrays(state, found.arrays, found.step, recipe)
