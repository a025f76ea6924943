"""JAX's part of a trace: arrays in and out, gradients, types."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from common.environments import FRAMEWORKS
from common.recipe import Recipe
from frameworks.jax_flax import model, parallel, step
from frameworks.jax_flax.step import TrainState

MODE = FRAMEWORKS["jax_flax"].mode
FAST_MODE = "compiled"  # where there are thousands of steps


def tensor(array: np.ndarray, device) -> Array:
    """An array as it is."""
    return jax.device_put(array, parallel.everywhere(device))


def images(array: np.ndarray, device) -> Array:
    """(N, H, W, C), as train_batches yields it."""
    return tensor(array, device)


def labels(array: np.ndarray, device) -> Array:
    """Of the type that to_device gives them."""
    return tensor(array.astype(np.int32), device)


def rate(lr: float, device) -> Array:
    """Of the type that run_epoch gives it."""
    return jnp.asarray(lr, float)


def array(value: Array) -> np.ndarray:
    """An array as it is; bfloat16, which NumPy lacks, as float32."""
    value = jnp.asarray(value)
    half = value.dtype == jnp.bfloat16
    return np.asarray(value.astype(jnp.float32) if half else value)


def pictures(value: Array) -> np.ndarray:
    """(N, H, W, C) already."""
    return array(value)


def dtype(value: Array) -> str:
    """Its name as NumPy spells it."""
    return value.dtype.name


@jax.jit(static_argnames=("graph", "train"))
def _activations(graph, params, stats, pixels, train):
    net = nnx.merge(graph, params, stats, copy=True)
    net.train() if train else net.eval()
    return model.activations(net, pixels, nnx.Rngs(0))


def settle(state: TrainState, device) -> TrainState:
    """On its device for good, else XLA compiles for both kinds of state."""
    return jax.device_put(state, parallel.everywhere(device))


def activations(state: TrainState, pixels: Array, train: bool) -> dict:
    """The probes, in training or evaluation mode."""
    return _activations(state.graph, state.params, state.stats, pixels, train)


@jax.jit
def _image_grad(state, pixels, right, lr):
    def loss_of(pixels):
        return step.train_step(state, pixels, right, lr)[1]["loss"]

    return jax.grad(loss_of)(pixels)


def image_grad(state: TrainState, pixels: Array, right: Array) -> Array:
    """The derivative by the images, of the loss inside train_step."""
    return _image_grad(state, pixels, right, rate(0.0, None))


@jax.jit
def _apply(state, grads, lr):
    updates, opt_state = state.optimizer.update(
        grads, state.opt_state, state.params
    )
    return replace(
        state,
        params=optax.apply_updates(
            state.params, optax.tree.scale(-lr, updates)
        ),
        opt_state=opt_state,
        step=state.step + 1,
    )


def apply(state: TrainState, grads: dict, lr: float, recipe) -> TrainState:
    """One update of the real optimizer by these gradients."""
    leaves = [
        (path, leaf.replace(jnp.array(grads[".".join(path)], leaf.dtype)))
        for path, leaf in nnx.to_flat_state(state.params)
    ]
    return _apply(state, nnx.from_flat_state(leaves), rate(lr, None))


def weight(state: TrainState, name: str, recipe: Recipe) -> np.ndarray:
    """One tensor of one axis, without the others."""
    leaf = state.params
    for part in name.split("."):
        leaf = leaf[part]
    return np.asarray(leaf[...])


def replicas(state: TrainState) -> list[list[np.ndarray]]:
    """All that a step changes, by device of this process."""
    leaves = jax.tree.leaves((state.params, state.stats, state.opt_state))
    shards = [
        [np.asarray(s.data) for s in x.addressable_shards] for x in leaves
    ]
    return [list(one) for one in zip(*shards, strict=True)]


def tf32() -> bool:
    """Whether a GPU may use TF32 anywhere."""
    return jax.config.jax_default_matmul_precision != "highest"


def counts(state: TrainState) -> tuple[int, int]:
    """Numbers that are trained, and running statistics, as nnx sorts them."""

    def numbers(tree):
        return sum(leaf.size for leaf in jax.tree.leaves(tree))

    return numbers(state.params), numbers(state.stats)
