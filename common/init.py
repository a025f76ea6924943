"""The table of parameters, and the initial weights.

The names and layouts here are the canonical ones: kernels (H, W, in, out),
linear (in, out). Checkpoints, traces and tests use them in all frameworks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from common.errors import CheckpointError
from common.recipe import Recipe

T = TypeVar("T")

CLASSES = 10
IMAGE_CHANNELS = 3


@dataclass(frozen=True)
class Parameter:
    """One row of the table: a tensor that a checkpoint holds."""

    name: str
    shape: tuple[int, ...]
    role: str  # "kernel", "scale", "bias", "mean" or "var"

    @property
    def trained(self) -> bool:
        """False for the running statistics of batch norm."""
        return self.role not in ("mean", "var")

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def fan_in(shape: tuple[int, ...]) -> int:
    """How many inputs one output sums over: all axes but the last, HWIO."""
    return math.prod(shape[:-1])


def init_bound(fan_in: int) -> float:
    """Half the width of the uniform distribution of a kernel at start.

    PyTorch's rule for convolution and linear layers, `kaiming_uniform_`
    with a = sqrt(5), comes out as 1 / sqrt(fan_in).
    """
    return 1 / math.sqrt(fan_in)


def conv_bn_channels(recipe: Recipe) -> dict[str, tuple[int, int]]:
    """Channels in and out of each ConvBN, by name, in network order."""
    c = recipe.width
    return {
        "prep": (IMAGE_CHANNELS, c),
        "layer1.conv_bn": (c, 2 * c),
        "layer1.res1": (2 * c, 2 * c),
        "layer1.res2": (2 * c, 2 * c),
        "layer2.conv_bn": (2 * c, 4 * c),
        "layer3.conv_bn": (4 * c, 8 * c),
        "layer3.res1": (8 * c, 8 * c),
        "layer3.res2": (8 * c, 8 * c),
    }


def parameter_table(recipe: Recipe) -> list[Parameter]:
    """All tensors of the network, trained ones and running statistics."""
    rows = []
    for name, (c_in, c_out) in conv_bn_channels(recipe).items():
        kernel = (3, 3, c_in, c_out)
        rows.append(Parameter(f"{name}.conv.kernel", kernel, "kernel"))
        for role in ("scale", "bias", "mean", "var"):
            rows.append(Parameter(f"{name}.bn.{role}", (c_out,), role))
    linear = (8 * recipe.width, CLASSES)
    rows.append(Parameter("linear.kernel", linear, "kernel"))
    return rows


def match_table(
    recipe: Recipe, own: Mapping[str, T], find: Callable[[str], T]
) -> dict[str, T]:
    """The tensors of a model by canonical name, in the order of the table.

    own: all tensors that the framework knows of, by its names for them;
    find: the tensor of a canonical name, AttributeError or KeyError if there
    is none. Raises CheckpointError unless the table names each tensor: one
    that it does not name would be trained, and be in no checkpoint.
    """
    named = {}
    for row in parameter_table(recipe):
        try:
            named[row.name] = find(row.name)
        except (AttributeError, KeyError) as error:
            raise CheckpointError(
                f"{row.name} stands in parameter_table() of common/init.py, "
                "but the model has no such tensor"
            ) from error
    known = {id(tensor) for tensor in named.values()}
    for name, tensor in own.items():
        if id(tensor) not in known:
            raise CheckpointError(
                f"the model's tensor {name} does not stand in "
                "parameter_table() of common/init.py: no checkpoint would "
                "hold it"
            )
    return named


def shared_params(recipe: Recipe, seed: int) -> dict[str, np.ndarray]:
    """One start for all frameworks: every tensor by name, float32.

    Each kernel has a random stream of its own, by its place in the table,
    so that it does not depend on how many numbers others took.
    """
    arrays = {}
    for place, row in enumerate(parameter_table(recipe)):
        if row.role == "kernel":
            rng = np.random.default_rng([seed, place])
            bound = init_bound(fan_in(row.shape))
            value = rng.uniform(-bound, bound, row.shape)
        elif row.role in ("scale", "var"):
            value = np.ones(row.shape)
        else:
            value = np.zeros(row.shape)
        arrays[row.name] = value.astype(np.float32)
    return arrays
