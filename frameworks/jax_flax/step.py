"""One step in JAX: optimizer, state, training and evaluation step.

Read beside tensorflow_eager/step.py and pytorch/step.py. Here:
  - `jax.value_and_grad` transforms the loss function into one that returns
    gradients
  - the optimizer is a chain of optax; `train_step` applies the learning rate
  - no array changes in place: a step returns a new state
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from common.recipe import Recipe
from common.schedule import sum_decay
from frameworks.jax_flax.model import build_model
from frameworks.jax_flax.parallel import (
    everywhere,
    share_batch,
    sum_gradients,
)

Metrics = dict[str, Array]

# --- Optimizer ----------------------------------------------------------


@cache  # part of the state: with another one XLA would compile a step again
def make_optimizer(recipe: Recipe) -> optax.GradientTransformation:
    """Make the optimizer: Nesterov momentum, coupled decay on every weight.

    g = gradient + decay w; v <- m v + g. Its updates are g + m v, which
    `train_step` multiplies by the learning rate: w <- w - lr (g + m v)
    """
    return optax.chain(
        # differs: weight-decay-coupling (first in the chain: coupled)
        optax.add_decayed_weights(sum_decay(recipe)),
        # differs: nesterov-lr
        optax.trace(recipe.momentum, nesterov=True),
    )


# --- State --------------------------------------------------------------


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """All that a training step reads; what it changes, it returns anew."""

    params: nnx.State  # what is trained
    stats: nnx.State  # running mean and variance of batch norm
    opt_state: optax.OptState
    step: Array  # int32, how many updates have been made
    key: Array  # of the dropout masks
    graph: nnx.GraphDef = field(metadata={"static": True})
    optimizer: optax.GradientTransformation = field(metadata={"static": True})


def create_state(recipe: Recipe, seed: int, device: jax.Device) -> TrainState:
    """Create a network with its initial weights, and an optimizer at rest."""
    graph, params, stats = nnx.split(
        build_model(recipe, seed), nnx.Param, nnx.BatchStat
    )
    optimizer = make_optimizer(recipe)
    state = TrainState(
        params=params,
        stats=stats,
        opt_state=optimizer.init(params),
        step=jnp.array(0, jnp.int32),
        # nnx.Rngs has drawn the weights from fold_in(key, 0), 1, ...
        key=jax.random.fold_in(jax.random.key(seed), 2**32 - 1),
        graph=graph,
        optimizer=optimizer,
    )
    return jax.device_put(state, everywhere(device))


# --- Steps --------------------------------------------------------------


def train_step(
    state: TrainState, images: Array, labels: Array, lr: Array
) -> tuple[TrainState, Metrics]:
    """Make one update and return the new state, which replaces the old one.

    images: (N, 32, 32, 3) float; labels: (N,) int32; lr: scalar, the
    learning rate for the summed loss. Metrics: the sums "loss", "correct".
    """
    images, labels = share_batch(images), share_batch(labels)
    # differs: dropout-rng (a key is a value: each step makes its own)
    key = jax.random.fold_in(state.key, state.step)

    # 1 forward
    def loss_fn(params):
        # A copy, since a differentiated function may change nothing outside.
        model = nnx.merge(state.graph, params, state.stats, copy=True)
        model.train()  # differs: train-eval
        loss, correct = model(images, labels, nnx.Rngs(dropout=key))
        # differs: bn-update-owner (what the call changed must be returned)
        return loss, (correct, nnx.state(model, nnx.BatchStat))

    # 2 gradient
    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (loss, (correct, stats)), grads = grad_fn(state.params)
    grads = sum_gradients(grads)
    # 3 update
    updates, opt_state = state.optimizer.update(
        grads, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, optax.tree.scale(-lr, updates))
    state = replace(
        state,
        params=params,
        stats=stats,
        opt_state=opt_state,
        step=state.step + 1,
    )
    return state, {"loss": loss, "correct": correct}


def eval_step(state: TrainState, images: Array, labels: Array) -> Metrics:
    """Evaluate a batch by running statistics. -> the same metrics"""
    images, labels = share_batch(images), share_batch(labels)
    model = nnx.merge(state.graph, state.params, state.stats)
    model.eval()
    loss, correct = model(images, labels)
    return {"loss": loss, "correct": correct}


def make_steps(state: TrainState, mode: str) -> tuple[Callable, Callable]:
    """Return train_step and eval_step for a mode, "eager" or "compiled".

    Compiled, each is one program, compiled once for each batch size. Donation
    lets the new state take the memory of the old one.
    """
    if mode == "compiled":
        return jax.jit(train_step, donate_argnums=0), jax.jit(eval_step)
    return train_step, eval_step
