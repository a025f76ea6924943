"""One step in PyTorch: optimizer, state, training and evaluation step.

Read beside tensorflow_eager/step.py and jax_flax/step.py. Here:
  - `loss.backward()` adds the gradients to those that the parameters hold
  - the optimizer is PyTorch's own SGD
  - module and optimizer change in place; a step returns the same state, since
    JAX's returns a new one
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from common.draws import dropout_seed
from common.recipe import Recipe
from common.schedule import sum_decay
from frameworks.pytorch.model import DavidNet, build_model
from frameworks.pytorch.parallel import current_world, sum_gradients

Metrics = dict[str, Tensor]

# --- Optimizer ----------------------------------------------------------


def make_optimizer(model: DavidNet, recipe: Recipe) -> torch.optim.SGD:
    """Make the optimizer: Nesterov momentum, coupled decay on every weight.

    g = gradient + decay w; v <- m v + g; w <- w - lr (g + m v)
    model: the optimizer keeps the list of the parameters that it changes.
    """
    # differs: nesterov-lr
    # differs: weight-decay-coupling
    return torch.optim.SGD(
        model.parameters(),
        lr=0.0,  # which train_step sets anew
        momentum=recipe.momentum,
        weight_decay=sum_decay(recipe),
        nesterov=recipe.momentum > 0,  # PyTorch refuses it without momentum
        fused=True,
    )


# --- State --------------------------------------------------------------


@dataclass(eq=False)  # compared by identity: it holds what changes
class TrainState:
    """All that a training step reads and changes."""

    model: DavidNet
    network: nn.Module  # the model; its backward() sums over all processes
    optimizer: torch.optim.SGD
    seed: int  # of the dropout masks
    step: int = 0  # how many updates have been made


def create_state(recipe: Recipe, seed: int, device: torch.device) -> TrainState:
    """Create a network with its initial weights, and an optimizer at rest."""
    model = build_model(recipe, seed).to(device)
    optimizer = make_optimizer(model, recipe)
    return TrainState(model, sum_gradients(model), optimizer, seed)


# --- Steps --------------------------------------------------------------


def train_step(
    state: TrainState, images: Tensor, labels: Tensor, lr: float
) -> tuple[TrainState, Metrics]:
    """Make one update, in place, and return the state.

    images: (N, 3, 32, 32) float; labels: (N,) int64; lr: the learning rate
    for the summed loss. Metrics: the sums "loss", "correct".
    """
    state.model.train()  # differs: train-eval
    if state.model.dropout_rate > 0:
        # differs: dropout-rng
        rank = current_world().rank  # differs: dropout-rank
        torch.manual_seed(dropout_seed(state.seed, state.step, rank))
    # 1 forward
    loss, correct = state.network(images, labels)
    # 2 gradient
    state.optimizer.zero_grad()
    loss.backward()
    # 3 update
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    state.optimizer.step()
    state.step += 1
    return state, {"loss": loss.detach(), "correct": correct}


@torch.inference_mode()
def eval_step(state: TrainState, images: Tensor, labels: Tensor) -> Metrics:
    """Evaluate a batch by running statistics. -> the same metrics"""
    state.model.eval()
    loss, correct = state.model(images, labels)
    return {"loss": loss, "correct": correct}


def make_steps(state: TrainState, mode: str) -> tuple[Callable, Callable]:
    """Return train_step and eval_step for a mode, "eager" or "compiled".

    Compiled, the network is one program, forward and backward (in several
    processes one for each bucket of gradients, so that a sum can begin); the
    optimizer's update is one fused kernel already. The mode is the model's:
    it stays compiled, whoever calls it.
    """
    if mode == "compiled":
        # One program per batch size, as in the other two frameworks.
        state.model.compile(dynamic=False, fullgraph=True)
    return train_step, eval_step
