"""TensorFlow's pieces: the model's own layers, op by op."""

from collections.abc import Callable
from operator import attrgetter

import tensorflow as tf

from frameworks.tensorflow_eager.model import Dropout, cross_entropy
from tools.bench.parts import Part
from tools.bench.plan import Job
from tools.bench.training import Training


def random(part: Part, training: Training) -> tf.Tensor:
    """An input of a part, of the type that it gets."""
    half = training.recipe.precision == "bfloat16" and part.needs_input_grad
    size, side = training.recipe.batch_size, part.side
    with tf.device(training.device):
        images = tf.random.normal((size, side, side, part.channels))
        return tf.cast(images, tf.bfloat16 if half else tf.float32)


def operation(part: Part, training: Training, rate: float) -> Callable:
    """The part as a function of its input."""
    model = training.state.model
    if part.kind == "head":
        labels = training.arguments[1]
        return lambda images: cross_entropy(model.head(images), labels)
    block = attrgetter(part.block)(model)
    if part.kind == "sum":
        other = random(part, training)
        return lambda images: images + other
    if part.kind == "dropout":
        layer = Dropout(model.generator, training.recipe)
        layer.rate = rate
        return lambda images: layer(images, training=True)
    return {
        "conv": lambda images: block.conv(images),
        "batch norm": lambda images: block.bn(images, training=True),
        "ReLU": tf.nn.relu,
        "max pool": lambda images: block.pool(images),
    }[part.kind]


def passes(part: Part, training: Training, rate: float) -> tuple:
    """Two functions, forward and backward; None for a backward of nothing."""
    call, images = operation(part, training, rate), random(part, training)

    def forward() -> tf.Tensor:
        return call(images)

    if part.kind == "sum":  # its gradient is that of its result
        return forward, None
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        result = forward()
    sources = [images] if part.needs_input_grad else []
    sources += tape.watched_variables()
    grad = tf.ones_like(result)

    def backward() -> list[tf.Tensor]:
        return tape.gradient(result, sources, grad)

    return forward, backward


def update(training: Training) -> Callable:
    """The optimizer's update of all weights."""
    state = training.state
    weights = state.model.trainable_variables
    grads = [tf.zeros_like(weight) for weight in weights]
    return lambda: state.optimizer.apply(grads, weights)


def kernels(training: Training, job: Job) -> list[dict]:
    """None: the tables of parts say what takes how long."""
    return []
