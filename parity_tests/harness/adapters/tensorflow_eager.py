"""TensorFlow's part of a trace: tensors in and out, gradients, types."""

from operator import attrgetter

import numpy as np
import tensorflow as tf

from common.environments import FRAMEWORKS
from common.recipe import Recipe
from frameworks.tensorflow_eager import checkpoint, model, step
from frameworks.tensorflow_eager.step import TrainState

MODE = FRAMEWORKS["tensorflow_eager"].mode
FAST_MODE = "compiled"  # where there are thousands of steps
# Else it warns that each new recipe is traced anew, as it should be.
tf.get_logger().setLevel("ERROR")


def tensor(array: np.ndarray, device) -> tf.Tensor:
    """An array as it is."""
    with tf.device(device):
        return tf.constant(array)


def images(array: np.ndarray, device) -> tf.Tensor:
    """(N, H, W, C), as train_batches yields it."""
    return tensor(array, device)


def labels(array: np.ndarray, device) -> tf.Tensor:
    """Of the type that to_device gives them."""
    return tensor(array.astype(np.int64), device)


def rate(lr: float, device) -> tf.Tensor:
    """Of the type that run_epoch gives it."""
    return tf.constant(lr, tf.keras.config.floatx())


def array(value) -> np.ndarray:
    """A tensor as it is; bfloat16, which NumPy lacks, as float32."""
    value = tf.convert_to_tensor(value)
    if value.dtype == tf.bfloat16:
        value = tf.cast(value, tf.float32)
    return value.numpy()


def pictures(value: tf.Tensor) -> np.ndarray:
    """(N, H, W, C) already."""
    return array(value)


def dtype(value: tf.Tensor) -> str:
    """Its name as NumPy spells it."""
    return value.dtype.name


def settle(state: TrainState, device) -> TrainState:
    """Nothing to do: it was changed in place."""
    return state


def activations(state: TrainState, pixels: tf.Tensor, train: bool) -> dict:
    """The probes, in training or evaluation mode."""
    return model.activations(state.model, pixels, training=train)


def image_grad(state: TrainState, pixels: tf.Tensor, right: tf.Tensor):
    """The derivative by the images, of the loss inside train_step."""
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        _, metrics = step.train_step(state, pixels, right, rate(0.0, None))
    return tape.gradient(metrics["loss"], pixels)


def apply(state: TrainState, grads: dict, lr: float, recipe) -> TrainState:
    """One update of the real optimizer by these gradients."""
    tensors = checkpoint.named_tensors(state, recipe)
    by_id = {id(tensors[name]): grad for name, grad in grads.items()}
    weights = state.model.trainable_variables
    state.optimizer.learning_rate.assign(lr)
    state.optimizer.apply(
        [tf.constant(by_id[id(w)], w.dtype) for w in weights], weights
    )
    return state


def weight(state: TrainState, name: str, recipe: Recipe) -> np.ndarray:
    """One tensor of one axis, without the others."""
    return attrgetter(name)(state.model).numpy()


def replicas(state: TrainState) -> list[list[np.ndarray]]:
    """All that a step changes, by device of this process."""
    variables = [*state.model.variables, *state.optimizer.variables]
    values = [getattr(v.value, "values", (v.value,)) for v in variables]
    return [[x.numpy() for x in one] for one in zip(*values, strict=True)]


def replica_losses(
    state: TrainState, pixels: tf.Tensor, right: tf.Tensor
) -> list[float]:
    """The training loss of the same images in each replica."""
    strategy = tf.distribute.get_strategy()
    loss = strategy.run(lambda: state.model(pixels, right, training=True)[0])
    return [float(one) for one in strategy.experimental_local_results(loss)]


def tf32() -> bool:
    """Whether a GPU may use TF32 anywhere."""
    return tf.config.experimental.tensor_float_32_execution_enabled()


def counts(state: TrainState) -> tuple[int, int]:
    """Numbers that are trained, and running statistics, as Keras counts.

    The state of the dropout masks' generator is Keras's own affair.
    """
    others = state.model.non_trainable_variables
    return (
        sum(int(tf.size(w)) for w in state.model.trainable_variables),
        sum(int(tf.size(w)) for w in others if "seed" not in w.path),
    )
