"""Checkpoints in TensorFlow: canonical names and layouts, and back.

Read beside pytorch/checkpoint.py and jax_flax/checkpoint.py. Here:
  - the canonical names are the attributes of the model: nothing is renamed
  - the canonical layouts are TensorFlow's own: nothing is transposed
  - the velocity is a list in the optimizer, in the order of the weights
"""

from operator import attrgetter
from pathlib import Path

import tensorflow as tf

from common import checkpoint
from common.checkpoint import VELOCITY, Arrays
from common.init import match_table, parameter_table
from common.recipe import Recipe
from frameworks.tensorflow_eager.step import TrainState

# --- Convert ------------------------------------------------------------


def named_tensors(
    state: TrainState, recipe: Recipe
) -> dict[str, tf.keras.Variable]:
    """Map canonical names to variables of model and optimizer, each once.

    Raises CheckpointError unless the table in common/init.py names them all.
    """
    model, weights = state.model, state.model.trainable_variables
    velocities = dict(
        zip(map(id, weights), state.optimizer.velocities, strict=True)
    )
    # `weights` leaves out the state of the masks' generator, which
    # train_step sets by the step. Numbered, since a path need not be unique.
    own = {f"{n} {v.path}": v for n, v in enumerate(model.weights)}
    named = match_table(recipe, own, lambda name: attrgetter(name)(model))
    trained = [row.name for row in parameter_table(recipe) if row.trained]
    return named | {
        VELOCITY + name: velocities[id(named[name])] for name in trained
    }


def export_arrays(state: TrainState, recipe: Recipe) -> Arrays:
    """Copy weights, statistics and velocity to arrays, by canonical name."""
    variables = named_tensors(state, recipe)
    return {name: v.numpy() for name, v in variables.items()}


def import_arrays(
    state: TrainState, arrays: Arrays, step: int, recipe: Recipe
) -> TrainState:
    """Copy arrays and step into the state, in place, and return it."""
    for name, variable in named_tensors(state, recipe).items():
        variable.assign(arrays[name])
    state.optimizer.iterations.assign(step)
    return state


# --- Files --------------------------------------------------------------


def save(path: Path, state: TrainState, recipe: Recipe) -> None:
    """Write the state to a file. Raises DiskError."""
    arrays = export_arrays(state, recipe)
    checkpoint.write(path, arrays, state.step, recipe, "tensorflow_eager")


def load(path: Path, state: TrainState, recipe: Recipe) -> TrainState:
    """Read the state of a file, whichever framework wrote it.

    Raises CheckpointError if the file is damaged or does not fit the recipe.
    """
    found = checkpoint.read(path, recipe)
    return import_arrays(state, found.arrays, found.step, recipe)
