"""One step in TensorFlow: optimizer, state, training and evaluation step.

Read beside pytorch/step.py and jax_flax/step.py. Here:
  - a GradientTape records the forward pass, and `gradient` goes back over it
  - the optimizer calls TensorFlow's kernel: Keras's SGD has another Nesterov
  - variables change in place; a step returns the same state, since JAX's
    returns a new one
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from common.recipe import Recipe
from common.schedule import sum_decay
from frameworks.tensorflow_eager.model import DavidNet, build_model
from frameworks.tensorflow_eager.parallel import (
    in_replicas,
    sum_gradients,
)

Metrics = dict[str, tf.Tensor]

# --- Optimizer ----------------------------------------------------------


class Nesterov(tf.keras.optimizers.Optimizer):
    """Nesterov momentum as PyTorch and optax have it.

    g = gradient + decay w; v <- m v + g; w <- w - lr (g + m v)
    """

    def __init__(self, recipe: Recipe):
        super().__init__(learning_rate=0.0)
        self.decay, self.momentum = sum_decay(recipe), recipe.momentum

    def build(self, weights):
        super().build(weights)
        self.velocities = self.add_optimizer_variables(weights, "velocity")

    def update_step(self, grad, weight, learning_rate):
        # differs: nesterov-lr (Keras's SGD has it inside the velocity)
        # differs: weight-decay-coupling (Keras's SGD shrinks the weight)
        velocity = self.velocities[self._get_variable_index(weight)]
        tf.raw_ops.ResourceApplyMomentum(
            var=weight.handle,
            accum=velocity.value.handle,
            grad=grad + self.decay * weight,
            lr=learning_rate,
            momentum=self.momentum,
            use_nesterov=True,
        )


def make_optimizer(recipe: Recipe) -> Nesterov:
    """Make the optimizer: Nesterov momentum, coupled decay on every weight."""
    return Nesterov(recipe)


# --- State --------------------------------------------------------------


@dataclass(eq=False)  # compared by identity: it holds what changes
class TrainState:
    """All that a training step reads and changes."""

    model: DavidNet
    optimizer: Nesterov
    seed: int  # of the dropout masks

    @property
    def step(self) -> int:
        """How many updates have been made."""
        return int(self.optimizer.iterations.numpy())


def create_state(recipe: Recipe, seed: int, device: str) -> TrainState:
    """Create a network with its initial weights, and an optimizer at rest."""
    with tf.device(device):
        model = build_model(recipe, seed)
        optimizer = make_optimizer(recipe)
        optimizer.build(model.trainable_variables)
    return TrainState(model, optimizer, seed)


# --- Steps --------------------------------------------------------------


def train_step(
    state: TrainState, images: tf.Tensor, labels: tf.Tensor, lr: tf.Tensor
) -> tuple[TrainState, Metrics]:
    """Make one update, in place, and return the state.

    images: (N, 32, 32, 3) float; labels: (N,) int64; lr: scalar, the
    learning rate for the summed loss. Metrics: the sums "loss", "correct".
    """
    model, optimizer = state.model, state.optimizer
    if model.dropout_rate > 0:
        # differs: dropout-rng (the generator's key is made from the step)
        # differs: dropout-rank (the generator folds in the replica itself)
        key = state.seed * 2**32 + optimizer.iterations.value
        model.generator.reset_from_key_counter(key, [0, 0])
    # 1 forward
    with tf.GradientTape() as tape:
        # differs: train-eval
        loss, correct = model(images, labels, training=True)
    # 2 gradient
    weights = model.trainable_variables
    grads = tape.gradient(loss, weights)
    grads = sum_gradients(grads)
    # 3 update
    optimizer.learning_rate.assign(lr)  # differs: lr-retrace
    optimizer.apply(grads, weights)
    return state, {"loss": loss, "correct": correct}


def eval_step(
    state: TrainState, images: tf.Tensor, labels: tf.Tensor
) -> Metrics:
    """Evaluate a batch by running statistics. -> the same metrics"""
    loss, correct = state.model(images, labels, training=False)
    return {"loss": loss, "correct": correct}


def make_steps(state: TrainState, mode: str) -> tuple[Callable, Callable]:
    """Return train_step and eval_step for a mode, "eager" or "compiled".

    Compiled, each is one graph, traced once for each batch size. The learning
    rate is a tensor, since every new Python number would be a new graph.
    """

    def update(state, images, labels, lr):
        _, metrics = train_step(state, images, labels, lr)
        return metrics  # replicas and graphs return tensors only

    update, evaluate = in_replicas(update), in_replicas(eval_step)
    if mode == "compiled":
        update, evaluate = tf.function(update), tf.function(evaluate)
    return lambda state, *batch: (state, update(state, *batch)), evaluate
