"""DavidNet in TensorFlow: blocks, loss, network, probes.

Read beside pytorch/model.py and jax_flax/model.py. Here:
  - images are (N, H, W, C)
  - train or eval mode is an argument of the call, `training`
  - a layer creates its weights at its first input, not in `__init__`
  - batch norm has two paths, since the fused op has no float64 and sees
    the images of one replica only
  - all dropout layers share one generator, whose state `step.py` sets
"""

from functools import partial

import tensorflow as tf

from common.draws import IMAGE_SIDE
from common.init import CLASSES, IMAGE_CHANNELS, fan_in, init_bound
from common.recipe import Recipe
from frameworks.tensorflow_eager.parallel import (
    in_world,
    moments_over_world,
)

# --- Init ---------------------------------------------------------------


def init_uniform(shape: tuple[int, ...], dtype: str) -> tf.Tensor:
    """Draw a weight, (..., in, out), from U(-bound, bound).

    Keras takes any function of shape and dtype as an initializer.
    """
    bound = init_bound(fan_in(shape))
    return tf.random.uniform(shape, -bound, bound, dtype)


# --- Blocks -------------------------------------------------------------


class BatchNorm(tf.keras.layers.Layer):
    """Batch norm over N, H and W. (N, H, W, C) -> the same

    It normalizes with the biased variance of the batch and keeps the unbiased
    one, both float32 in bfloat16 training. Source: Ioffe and Szegedy 2015.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.eps, self.keep = recipe.bn_eps, recipe.bn_keep

    def build(self, shape: tuple[int, ...]) -> None:
        # differs: bn-half (autocast would hand out bfloat16 copies)
        add = partial(self.add_weight, shape=shape[-1:], autocast=False)
        self.scale = add(name="scale", initializer="ones")
        self.bias = add(name="bias", initializer="zeros")
        # All replicas have the same.
        add = partial(add, trainable=False, aggregation="only_first_replica")
        self.mean = add(name="mean", initializer="zeros")
        self.var = add(name="var", initializer="ones")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        # differs: bn-x64 (the fused op has no float64)
        # differs: bn-global (it does not sum over replicas)
        by_steps = x.dtype == tf.float64 or in_world()
        normalize = self.by_steps if by_steps else self.fused
        x, mean, var = normalize(x, training)
        if training:
            self.mean.assign(mean)
            self.var.assign(var)
        return x

    def fused(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, ...]:
        """Normalize by one kernel. -> x, and the mean and variance to keep"""
        # differs: bn-running-var (the Keras layer keeps the biased one)
        # differs: bn-eps (the Keras layer has 1e-3, this op 1e-4)
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.scale.value,
            offset=self.bias.value,
            mean=self.mean.value,
            variance=self.var.value,
            epsilon=self.eps,
            # differs: bn-momentum (here the share of the new value)
            exponential_avg_factor=1 - self.keep,
            is_training=training,
        )[:3]

    def by_steps(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, ...]:
        """Do the same as `fused` in single operations, for any dtype."""
        dtype, x = x.dtype, tf.cast(x, self.mean.dtype)
        mean, var = kept = self.mean.value, self.var.value
        if training:
            mean, var, n = moments_over_world(x)
            keep = self.keep  # differs: bn-momentum (share of the old value)
            kept = (
                keep * self.mean.value + (1 - keep) * mean,
                keep * self.var.value + (1 - keep) * (var * n / (n - 1)),
            )
        x = tf.nn.batch_normalization(
            x, mean, var, self.bias.value, self.scale.value, self.eps
        )
        return tf.cast(x, dtype), *kept


class ConvBN(tf.keras.layers.Layer):
    """3x3 conv, dropout, batch norm, ReLU. (N, H, W, c_in) -> (N, H, W, c_out)

    c_out: channels of the output; the first call tells those of the input.
    generator: source of the dropout masks, one for the whole network.
    """

    def __init__(
        self,
        c_out: int,
        recipe: Recipe,
        generator: tf.random.Generator,
    ):
        super().__init__()
        self.conv = tf.keras.layers.Conv2D(
            c_out,
            3,
            padding="same",  # differs: conv-padding
            use_bias=False,
            data_format="channels_last",  # differs: data-format
            kernel_initializer=init_uniform,  # differs: init-default
        )
        self.dropout_rate, self.generator = recipe.dropout_rate, generator
        self.bn = BatchNorm(recipe)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.conv(x)
        if training and self.dropout_rate > 0:
            # differs: dropout-half (it draws and scales in the input's dtype)
            wide = tf.nn.experimental.general_dropout(
                tf.cast(x, self.variable_dtype),
                self.dropout_rate,
                self.generator.uniform,
            )
            x = tf.cast(wide, x.dtype)
        return tf.nn.relu(self.bn(x, training=training))


class ResBlock(tf.keras.layers.Layer):
    """ConvBN and 2x2 max pool; then, with residual, x + two ConvBN of x.

    (N, H, W, c_in) -> (N, H/2, W/2, c_out)
    """

    def __init__(
        self,
        c_out: int,
        residual: bool,
        recipe: Recipe,
        generator: tf.random.Generator,
    ):
        super().__init__()
        self.residual = residual
        self.conv_bn = ConvBN(c_out, recipe, generator)
        self.pool = tf.keras.layers.MaxPool2D(
            2,
            data_format="channels_last",  # differs: data-format
        )
        if residual:
            self.res1 = ConvBN(c_out, recipe, generator)
            self.res2 = ConvBN(c_out, recipe, generator)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.pool(self.conv_bn(x, training=training))
        if self.residual:
            inner = self.res1(x, training=training)
            x = x + self.res2(inner, training=training)
        return x


# --- Loss ---------------------------------------------------------------


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Sum the softmax cross entropy over the batch. -> scalar float

    logits: (N, 10); labels: (N,) int64.
    """
    # differs: loss-reduction (Keras's losses take the mean)
    # differs: labels-shape (Keras's CIFAR-10 has labels (N, 1))
    return tf.reduce_sum(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def count_correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Count the images whose highest logit is at the label. -> scalar int"""
    right = tf.argmax(logits, axis=1, output_type=labels.dtype) == labels
    return tf.math.count_nonzero(right)


# --- Network ------------------------------------------------------------


class DavidNet(tf.keras.Model):
    """David Page's 9-layer ResNet for CIFAR-10.

    Called with images, (N, 32, 32, 3) float, and labels, (N,) int64, it
    returns the summed loss and the number of correct predictions.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        c = recipe.width
        # differs: dropout-rng (one generator, which train_step ties to the
        # step; keras.layers.Dropout has one of its own in each layer)
        self.generator = tf.random.Generator.from_key_counter(
            0, [0, 0], "philox"
        )
        self.prep = ConvBN(c, recipe, self.generator)
        self.layer1 = ResBlock(2 * c, True, recipe, self.generator)
        self.layer2 = ResBlock(4 * c, False, recipe, self.generator)
        self.layer3 = ResBlock(8 * c, True, recipe, self.generator)
        self.linear = tf.keras.layers.Dense(
            CLASSES,
            use_bias=False,
            kernel_initializer=init_uniform,  # differs: init-default
            dtype=recipe.param_dtype,
        )
        self.logit_scale = recipe.logit_scale
        self.dropout_rate = recipe.dropout_rate

    def features(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Apply all convolutions. (N, 32, 32, 3) -> (N, 4, 4, 8c)"""
        x = self.prep(images, training=training)
        for block in (self.layer1, self.layer2, self.layer3):
            x = block(x, training=training)
        return x

    def head(self, features: tf.Tensor) -> tf.Tensor:
        """Take the maximum over 4x4 positions. (N, 4, 4, 8c) -> (N, 10)"""
        # differs: pool-ties (the gradient of a tie is split evenly)
        highest = tf.reduce_max(features, axis=[1, 2])
        return self.linear(highest) * self.logit_scale

    def logits(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Compute the logits. (N, 32, 32, 3) -> (N, 10)"""
        return self.head(self.features(images, training))

    def call(
        self, images: tf.Tensor, labels: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self.logits(images, training)
        return cross_entropy(logits, labels), count_correct(logits, labels)


def build_model(recipe: Recipe, seed: int) -> DavidNet:
    """Build the network, with initial weights drawn by TensorFlow."""
    tf.random.set_seed(seed)
    model = DavidNet(recipe)
    images = tf.zeros([1, IMAGE_SIDE, IMAGE_SIDE, IMAGE_CHANNELS])
    model(images, tf.zeros([1], tf.int64))  # creates the weights
    return model


# --- Probes -------------------------------------------------------------


def activations(
    model: DavidNet, images: tf.Tensor, training: bool = False
) -> dict[str, tf.Tensor]:
    """Return the output of each block, by name, in training or eval mode.

    images: (N, 32, 32, 3) float. In training mode the running statistics
    change, as in any other call.
    """
    named = {}
    named["prep"] = x = model.prep(images, training=training)
    for name in ("layer1", "layer2", "layer3"):
        block = getattr(model, name)
        x = block.conv_bn(x, training=training)
        named[f"{name}.conv_bn"] = x
        named[f"{name}.pool"] = x = block.pool(x)
        if block.residual:
            inner = block.res1(x, training=training)
            named[f"{name}.res1"] = inner
            inner = block.res2(inner, training=training)
            named[f"{name}.res2"] = inner
            x = x + inner
        named[name] = x
    named["logits"] = model.head(x)
    return named
