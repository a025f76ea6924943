"""Checkpoints in PyTorch: canonical names and layouts, and back.

Read beside tensorflow_eager/checkpoint.py and jax_flax/checkpoint.py. Here:
  - kernels are turned: OIHW and (out, in) inside, HWIO and (in, out) in files
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

# PyTorch's names for the last part of a canonical name.
NAMES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
UNUSED = "num_batches_tracked"


def named_tensors(state: TrainState, recipe: Recipe) -> dict[str, Tensor]:
    """The model's own tensors by canonical name, each of them once."""
    model = state.model

    def find(name: str) -> Tensor:
        owner, _, role = name.rpartition(".")
        return attrgetter(f"{owner}.{NAMES[role]}")(model)

    own = dict(model.named_parameters()) | dict(model.named_buffers())
    # PyTorch counts batches for a momentum that is not used here.
    own = {n: t for n, t in own.items() if not n.endswith(UNUSED)}
    return match_table(recipe, own, find)


def to_canonical(tensor: Tensor) -> np.ndarray:
    """(out, in, H, W) -> (H, W, in, out); (out, in) -> (in, out)"""
    # differs: kernel-layout
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[tensor.dim()]
    return tensor.detach().permute(axes).cpu().numpy().copy()


def from_canonical(array: np.ndarray) -> Tensor:
    """(H, W, in, out) -> (out, in, H, W); (in, out) -> (out, in)"""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return torch.tensor(array).permute(axes)


def export_arrays(state: TrainState, recipe: Recipe) -> Arrays:
    """Weights, statistics and velocity as arrays by canonical name."""
    arrays = {}
    for name, tensor in named_tensors(state, recipe).items():
        arrays[name] = to_canonical(tensor)
        if tensor.requires_grad:
            past = state.optimizer.state[tensor].get("momentum_buffer")
            # differs: velocity-meaning (made by the first step)
            past = torch.zeros_like(tensor) if past is None else past
            arrays[VELOCITY + name] = to_canonical(past)
    return arrays


@torch.no_grad()
def import_arrays(
    state: TrainState, arrays: Arrays, step: int, recipe: Recipe
) -> TrainState:
    """The state with these arrays and this step. Changes it in place."""
    for name, tensor in named_tensors(state, recipe).items():
        tensor.copy_(from_canonical(arrays[name]))
        if tensor.requires_grad:
            past = torch.empty_like(tensor)
            past.copy_(from_canonical(arrays[VELOCITY + name]))
            state.optimizer.state[tensor]["momentum_buffer"] = past
    state.step = step
    return state


# --- Files --------------------------------------------------------------


def save(path: Path, state: TrainState, recipe: Recipe) -> None:
    """Write the state to a file. Raises DiskError."""
    arrays = export_arrays(state, recipe)
    checkpoint.write(path, arrays, state.step, recipe, "pytorch")


def load(path: Path, state: TrainState, recipe: Recipe) -> TrainState:
    """The state of a file, whichever framework wrote it.

    Raises CheckpointError if it is damaged or does not fit the recipe.
    """
    found = checkpoint.read(path, recipe)
    return import_arrays(state, found.arrays, found.step, recipe)
