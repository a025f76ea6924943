"""Checkpoints in JAX: canonical names and layouts, and back.

Read beside tensorflow_eager/checkpoint.py and pytorch/checkpoint.py. Here:
  - the canonical names are the paths in the state: nothing is renamed
  - the canonical layouts are JAX's own: nothing is transposed
  - `import_arrays` returns a new state, which shares no array but
    `key` with the old
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
from common.init import match_table
from common.recipe import Recipe
from frameworks.jax_flax.step import TrainState

# --- Convert ------------------------------------------------------------


def named_tensors(state: TrainState, recipe: Recipe) -> dict[str, nnx.Variable]:
    """Map canonical names to the state's own variables, each once.

    Raises CheckpointError unless the table in common/init.py names them all.
    """
    own = {
        ".".join(map(str, path)): leaf
        for tree in (state.params, state.stats)
        for path, leaf in nnx.to_flat_state(tree)
    }
    return match_table(recipe, own, own.__getitem__)


def export_arrays(state: TrainState, recipe: Recipe) -> Arrays:
    """Copy weights, statistics and velocity to arrays, by canonical name."""
    named = named_tensors(state, recipe)
    arrays = {name: np.array(leaf[...]) for name, leaf in named.items()}
    velocity = optax.tree.get(state.opt_state, "trace")
    for path, leaf in nnx.to_flat_state(velocity):
        arrays[VELOCITY + ".".join(map(str, path))] = np.array(leaf[...])
    return arrays


def import_arrays(
    state: TrainState, arrays: Arrays, step: int, recipe: Recipe
) -> TrainState:
    """Return a new state with these arrays and this step."""

    def from_arrays(tree: nnx.State, prefix: str = "") -> nnx.State:
        return nnx.map_state(
            lambda path, leaf: leaf.replace(
                jnp.array(arrays[prefix + ".".join(map(str, path))], leaf.dtype)
            ),
            tree,
        )

    named_tensors(state, recipe)  # raises, unless the table names them all
    velocity = optax.tree.get(state.opt_state, "trace")
    velocity = from_arrays(velocity, VELOCITY)
    place = state.step.sharding
    state = replace(
        state,
        params=from_arrays(state.params),
        stats=from_arrays(state.stats),
        opt_state=optax.tree.set(state.opt_state, trace=velocity),
        step=jnp.array(step, jnp.int32),
    )
    # Committed to a place, as in create_state: for arrays that are not, JAX
    # would compile the step again.
    return jax.device_put(state, place)


# --- Files --------------------------------------------------------------


def save(path: Path, state: TrainState, recipe: Recipe) -> None:
    """Write the state to a file. Raises DiskError."""
    arrays = export_arrays(state, recipe)
    checkpoint.write(path, arrays, int(state.step), recipe, "jax_flax")


def load(path: Path, state: TrainState, recipe: Recipe) -> TrainState:
    """Read the state of a file, whichever framework wrote it.

    Raises CheckpointError if the file is damaged or does not fit the recipe.
    """
    found = checkpoint.read(path, recipe)
    return import_arrays(state, found.arrays, found.step, recipe)
