"""Checkpoints in PyTorch: canonical names and layouts, and back.

Read beside tensorflow_eager/checkpoint.py and jax_flax/checkpoint.py. Here:
  - PyTorch has other names: `weight`, `running_mean`, `running_var`
  - kernels are transposed: OIHW and (out, in) here, HWIO and (in, out) in files
  - the velocity is the optimizer's `momentum_buffer`, made by its first step
"""

from operator import attrgetter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common import checkpoint
from common.checkpoint import VELOCITY, Arrays
from common.init import match_table
from common.recipe import Recipe
from frameworks.pytorch.step import TrainState

# --- Convert ------------------------------------------------------------


def named_tensors(state: TrainState, recipe: Recipe) -> dict[str, Tensor]:
    """Map canonical names to the model's own tensors, each once.

    Raises CheckpointError unless the table in common/init.py names them all.
    """
    model = state.model
    roles = {
        "kernel": "weight",
        "scale": "weight",
        "bias": "bias",
        "mean": "running_mean",
        "var": "running_var",
    }

    def find(name: str) -> Tensor:
        owner, _, role = name.rpartition(".")
        return attrgetter(f"{owner}.{roles[role]}")(model)

    own = dict(model.named_parameters()) | dict(model.named_buffers())
    return match_table(recipe, own, find)


def export_arrays(state: TrainState, recipe: Recipe) -> Arrays:
    """Copy weights, statistics and velocity to arrays, by canonical name.

    The velocity is zero before the first step, and without momentum.
    """
    # differs: kernel-layout (here OIHW and (out, in))
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}

    def to_array(tensor: Tensor) -> np.ndarray:
        return tensor.permute(axes[tensor.dim()]).numpy(force=True).copy()

    arrays = {}
    for name, tensor in named_tensors(state, recipe).items():
        arrays[name] = to_array(tensor)
        if tensor.requires_grad:
            past = state.optimizer.state[tensor].get("momentum_buffer")
            # differs: velocity-meaning (SGD makes it in its first step)
            past = torch.zeros_like(tensor) if past is None else past
            arrays[VELOCITY + name] = to_array(past)
    return arrays


@torch.no_grad()
def import_arrays(
    state: TrainState, arrays: Arrays, step: int, recipe: Recipe
) -> TrainState:
    """Copy arrays and step into the state, in place, and return it."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}

    def from_array(array: np.ndarray) -> Tensor:
        return torch.tensor(array).permute(axes[array.ndim])

    for name, tensor in named_tensors(state, recipe).items():
        tensor.copy_(from_array(arrays[name]))
        # Without momentum SGD would leave it as it is, and it would grow old.
        if tensor.requires_grad and recipe.momentum > 0:
            past = torch.empty_like(tensor)
            past.copy_(from_array(arrays[VELOCITY + name]))
            state.optimizer.state[tensor]["momentum_buffer"] = past
    state.step = step
    return state


# --- Files --------------------------------------------------------------


def save(path: Path, state: TrainState, recipe: Recipe) -> None:
    """Write the state to a file. Raises DiskError."""
    arrays = export_arrays(state, recipe)
    checkpoint.write(path, arrays, state.step, recipe, "pytorch")


def load(path: Path, state: TrainState, recipe: Recipe) -> TrainState:
    """Read the state of a file, whichever framework wrote it.

    Raises CheckpointError if the file is damaged or does not fit the recipe.
    """
    found = checkpoint.read(path, recipe)
    return import_arrays(state, found.arrays, found.step, recipe)
