"""DavidNet in TensorFlow: blocks, loss, network, probes.

Read beside pytorch/model.py and jax_flax/model.py. Here:
  - layers and network are subclasses of Keras classes with a `call`
  - train or eval mode is an argument of the call, `training`
  - a layer makes its weights when it first sees an input
"""

import tensorflow as tf

from common.init import CLASSES, fan_in, init_bound
from common.recipe import Recipe

# --- Init ---------------------------------------------------------------


def init_uniform(shape: tuple[int, ...], dtype=None) -> tf.Tensor:
    """A weight, (..., in, out), from U(-bound, bound).

    A function of shape and dtype is all that Keras asks of an initializer.
    """
    bound = init_bound(fan_in(shape))
    return tf.random.uniform(shape, -bound, bound, dtype)


# --- Blocks -------------------------------------------------------------


def layer_dtype(recipe: Recipe) -> str:
    """Keras's name for the recipe's precision of layers."""
    bfloat16 = recipe.precision == "bfloat16"
    return "mixed_bfloat16" if bfloat16 else recipe.precision


class Dropout(tf.keras.layers.Layer):
    """Element-wise dropout whose masks come from the network's generator.

    The generator is shared, so that one line in `train_step` ties all masks
    to the step; keras.layers.Dropout has one of its own in each layer. Four
    16-bit numbers out of each 64-bit draw give a mask, its rate right to
    2^-17; with its use, forward and backward, dropout of 34 million float32
    numbers took 108 ms of a processor, 207 ms as tf.keras.random.dropout.
    """

    def __init__(self, generator: tf.keras.random.SeedGenerator, recipe):
        super().__init__(dtype=layer_dtype(recipe))
        self.generator = generator
        self.rate = recipe.dropout_rate

    def call(self, images, training=False):
        if not training or self.rate == 0:
            return images
        seed = tf.cast(self.generator.next(), tf.int32)
        count = tf.size(images)
        draws = tf.random.stateless_uniform(
            [(count + 3) // 4], seed, minval=None, maxval=None, dtype=tf.uint64
        )
        bits = tf.reshape(tf.bitcast(draws, tf.uint16), [-1])[:count]
        keep = tf.reshape(bits >= round(self.rate * 2**16), tf.shape(images))
        return images * (tf.cast(keep, images.dtype) / (1 - self.rate))


class BatchNorm(tf.keras.layers.Layer):
    """Batch norm over N, H and W. (N, H, W, C) -> the same

    Normalises with the biased variance of the batch and keeps the unbiased
    one, both float32 in bfloat16 training. Source: Ioffe and Szegedy 2015.
    """

    def __init__(self, channels: int, recipe: Recipe):
        super().__init__(dtype=layer_dtype(recipe))
        self.eps, self.keep = recipe.bn_eps, recipe.bn_keep
        # differs: bn-half (autocast would hand out bfloat16 copies)
        options = {"shape": (channels,), "autocast": False}
        self.scale = self.add_weight(initializer="ones", **options)
        self.bias = self.add_weight(initializer="zeros", **options)
        options["trainable"] = False
        self.mean = self.add_weight(initializer="zeros", **options)
        self.var = self.add_weight(initializer="ones", **options)

    def call(self, images, training=False):
        # differs: bn-running-var (the Keras layer keeps the biased one)
        # differs: bn-eps (the Keras layer has 1e-3, this op 1e-4)
        images, mean, var = self.normalise(images, training)
        if training:
            # differs: bn-momentum (the share of the old value)
            keep = self.keep
            self.mean.assign(keep * self.mean + (1 - keep) * mean)
            self.var.assign(keep * self.var + (1 - keep) * var)
        return images

    def normalise(self, images, training):
        """The result, and the mean and variance to keep."""
        weights = [w.value for w in (self.scale, self.bias)]
        stats = [s.value for s in (self.mean, self.var)]
        # differs: bn-x64 (the fused op has no float64)
        if images.dtype == tf.float64:
            return self.normalise_float64(images, *weights, *stats, training)
        if training:
            stats = [tf.zeros_like(s) for s in stats]
        return tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=weights[0],
            offset=weights[1],
            mean=stats[0],
            variance=stats[1],
            epsilon=self.eps,
            is_training=training,
        )[:3]

    def normalise_float64(self, images, scale, bias, mean, var, training):
        """The same in single steps."""
        unbiased = var
        if training:
            mean, var = tf.nn.moments(images, axes=[0, 1, 2])
            n = tf.cast(tf.size(images) // tf.size(mean), var.dtype)
            unbiased = var * n / (n - 1)
        images = (images - mean) * (tf.math.rsqrt(var + self.eps) * scale)
        return images + bias, mean, unbiased


class ConvBN(tf.keras.layers.Layer):
    """3x3 conv, dropout, batch norm, ReLU. (N, H, W, c_in) -> (N, H, W, c_out)

    c_out: channels of the output; those of the input are seen in the call.
    """

    def __init__(self, c_out: int, generator, recipe: Recipe):
        super().__init__(dtype=layer_dtype(recipe))
        self.conv = tf.keras.layers.Conv2D(
            c_out,
            3,
            padding="same",  # differs: conv-padding
            use_bias=False,
            data_format="channels_last",  # differs: data-format
            kernel_initializer=init_uniform,  # differs: init-default
            dtype=layer_dtype(recipe),
        )
        self.dropout = Dropout(generator, recipe)
        self.bn = BatchNorm(c_out, recipe)

    def call(self, images, training=False):
        images = self.dropout(self.conv(images), training=training)
        return tf.nn.relu(self.bn(images, training=training))


class ResBlock(tf.keras.layers.Layer):
    """ConvBN and 2x2 max pool; then, with residual, x + two ConvBN of x.

    (N, H, W, c_in) -> (N, H/2, W/2, c_out)
    """

    def __init__(self, c_out: int, residual: bool, generator, recipe: Recipe):
        super().__init__(dtype=layer_dtype(recipe))
        self.residual = residual
        self.conv_bn = ConvBN(c_out, generator, recipe)
        self.pool = tf.keras.layers.MaxPool2D(
            2,
            data_format="channels_last",  # differs: data-format
            dtype=layer_dtype(recipe),
        )
        if residual:
            self.res1 = ConvBN(c_out, generator, recipe)
            self.res2 = ConvBN(c_out, generator, recipe)

    def call(self, images, training=False):
        images = self.pool(self.conv_bn(images, training=training))
        if self.residual:
            inner = self.res1(images, training=training)
            images = images + self.res2(inner, training=training)
        return images


# --- Loss ---------------------------------------------------------------


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Softmax cross entropy, summed over the batch. -> scalar float32

    logits: (N, 10); labels: (N,) int64.
    """
    # differs: loss-reduction (Keras's losses take the mean)
    # differs: labels-shape (Keras's CIFAR-10 has labels (N, 1))
    return tf.reduce_sum(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def count_correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many images have their highest logit at the label. -> scalar int"""
    right = tf.argmax(logits, axis=1, output_type=labels.dtype) == labels
    return tf.math.count_nonzero(right)


# --- Network ------------------------------------------------------------


class DavidNet(tf.keras.Model):
    """David Page's 9-layer ResNet for CIFAR-10.

    Called with images, (N, 32, 32, 3) float, and labels, (N,) int64, it
    returns the summed loss and the number of right answers.
    """

    def __init__(self, recipe: Recipe):
        super().__init__(dtype=layer_dtype(recipe))
        c = recipe.width
        self.generator = tf.keras.random.SeedGenerator(0)
        self.prep = ConvBN(c, self.generator, recipe)
        self.layer1 = ResBlock(2 * c, True, self.generator, recipe)
        self.layer2 = ResBlock(4 * c, False, self.generator, recipe)
        self.layer3 = ResBlock(8 * c, True, self.generator, recipe)
        wide = "float64" if recipe.precision == "float64" else "float32"
        self.linear = tf.keras.layers.Dense(
            CLASSES,
            use_bias=False,
            kernel_initializer=init_uniform,  # differs: init-default
            dtype=wide,
        )
        self.logit_scale = recipe.logit_scale

    def features(self, images, training=False):
        """(N, 32, 32, 3) -> (N, 4, 4, 8c): all convolutions."""
        for block in (self.prep, self.layer1, self.layer2, self.layer3):
            images = block(images, training=training)
        return images

    def head(self, features):
        """(N, 4, 4, 8c) -> (N, 10): the maximum over the 4x4 positions."""
        # differs: pool-ties (the gradient of a tie is split evenly)
        highest = tf.reduce_max(features, axis=[1, 2])
        return self.linear(highest) * self.logit_scale

    def logits(self, images, training=False):
        """(N, 32, 32, 3) -> (N, 10), not normalised."""
        return self.head(self.features(images, training))

    def call(self, images, labels, training=False):
        logits = self.logits(images, training)
        return cross_entropy(logits, labels), count_correct(logits, labels)


def build_model(recipe: Recipe, seed: int) -> DavidNet:
    """The network with its weights at start, drawn by TensorFlow."""
    tf.random.set_seed(seed)
    model = DavidNet(recipe)
    wide = tf.float64 if recipe.precision == "float64" else tf.float32
    model(tf.zeros([1, 32, 32, 3], wide), tf.zeros([1], tf.int64))
    return model


# --- Probes -------------------------------------------------------------


def activations(
    model: DavidNet, images: tf.Tensor, training: bool = False
) -> dict[str, tf.Tensor]:
    """What each block gives, by name, in training or evaluation mode.

    In training mode running statistics move, as in any other call.
    """
    named = {}
    named["prep"] = images = model.prep(images, training=training)
    for name in ("layer1", "layer2", "layer3"):
        block = getattr(model, name)
        images = block.conv_bn(images, training=training)
        named[f"{name}.conv_bn"] = images
        named[f"{name}.pool"] = images = block.pool(images)
        if block.residual:
            inner = block.res1(images, training=training)
            named[f"{name}.res1"] = inner
            inner = block.res2(inner, training=training)
            named[f"{name}.res2"] = inner
            images = images + inner
        named[name] = images
    named["logits"] = model.head(images)
    return named
