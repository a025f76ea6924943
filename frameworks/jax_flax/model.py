"""DavidNet in JAX with flax nnx: blocks, loss, network, probes.

Read beside tensorflow_eager/model.py and pytorch/model.py. Here:
  - train or eval mode is told by the key of the dropout masks: a call with
    a key trains, a call without one evaluates
  - running statistics change on the module; `step.py` takes them out
  - random numbers come from keys that are handed down, not from a state
"""

import math

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from common.init import CLASSES, IMAGE_CHANNELS, fan_in, init_bound
from common.recipe import Recipe

# --- Init ---------------------------------------------------------------


def init_uniform(key: Array, shape: tuple[int, ...], dtype=None) -> Array:
    """A weight, (..., in, out), from U(-bound, bound).

    A function of key, shape and dtype is what flax calls an initializer.
    """
    bound = init_bound(fan_in(shape))
    return jax.random.uniform(key, shape, dtype, -bound, bound)


# --- Blocks -------------------------------------------------------------


def param_dtype(recipe: Recipe) -> jnp.dtype:
    """The type of weights, statistics, logits and loss."""
    wide = "float64" if recipe.precision == "float64" else "float32"
    return jnp.dtype(wide)


def random_bits(key: Array, shape: tuple[int, ...]) -> Array:
    """The bits of jax.random.bits(key, shape), uint32, faster on a CPU.

    Threefry-2x32 of the elements' numbers. JAX makes a loop of its rounds
    on a CPU, which runs on one core and is not fused with the use of the
    bits; written out, 33 million take a fifth of the time. Source: Salmon
    et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    k = jax.random.key_data(key)
    k = [k[0], k[1], k[0] ^ k[1] ^ jnp.uint32(0x1BD11BDA)]
    count = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    a, b = jnp.full(shape, k[0]), count + k[1]
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            a = a + b
            b = (b << turn | b >> (32 - turn)) ^ a
        a = a + k[(group + 1) % 3]
        b = b + k[(group + 2) % 3] + jnp.uint32(group + 1)
    return a ^ b


class Dropout(nnx.Dropout):
    """Element-wise dropout, of which the mask is a comparison of integers."""

    def __call__(self, images: Array, key: Array | None) -> Array:
        if key is None or self.rate == 0:
            return images
        keep = random_bits(key, images.shape) >= round(self.rate * 2**32)
        return jnp.where(keep, images / (1 - self.rate), 0)


class BatchNorm(nnx.Module):
    """Batch norm over N, H and W. (N, H, W, C) -> the same

    Normalises with the biased variance of the batch and keeps the unbiased
    one, both float32 in bfloat16 training. Source: Ioffe and Szegedy 2015.
    """

    def __init__(self, channels: int, recipe: Recipe):
        dtype = param_dtype(recipe)
        self.eps, self.keep = recipe.bn_eps, recipe.bn_keep
        self.scale = nnx.Param(jnp.ones(channels, dtype))
        self.bias = nnx.Param(jnp.zeros(channels, dtype))
        # differs: bn-x64 (nnx.BatchNorm keeps float32 always)
        self.mean = nnx.BatchStat(jnp.zeros(channels, dtype))
        self.var = nnx.BatchStat(jnp.ones(channels, dtype))

    def __call__(self, images: Array, training: bool) -> Array:
        dtype = images.dtype
        images = images.astype(self.mean.dtype)  # differs: bn-half
        mean, var = self.mean[...], self.var[...]
        if training:
            axes = (0, 1, 2)
            mean = images.mean(axes)
            # differs: bn-fast-variance (nnx.BatchNorm takes E[x^2]-E[x]^2)
            var = jnp.square(images - mean).mean(axes)
            # differs: bn-running-var (nnx.BatchNorm keeps the biased one)
            n = images.size // mean.size
            # differs: bn-momentum (the share of the old value)
            keep = self.keep
            self.mean[...] = keep * self.mean[...] + (1 - keep) * mean
            unbiased = var * (n / (n - 1))
            self.var[...] = keep * self.var[...] + (1 - keep) * unbiased
        factor = jax.lax.rsqrt(var + self.eps) * self.scale[...]
        return ((images - mean) * factor + self.bias[...]).astype(dtype)


class ConvBN(nnx.Module):
    """3x3 conv, dropout, batch norm, ReLU. (N, H, W, c_in) -> (N, H, W, c_out)

    c_in, c_out: channels of the input and of the output.
    """

    def __init__(self, c_in: int, c_out: int, recipe: Recipe, rngs: nnx.Rngs):
        bfloat16 = recipe.precision == "bfloat16"
        self.conv = nnx.Conv(
            c_in,
            c_out,
            (3, 3),
            padding="SAME",  # differs: conv-padding
            use_bias=False,
            kernel_init=init_uniform,  # differs: init-default
            dtype=jnp.bfloat16 if bfloat16 else param_dtype(recipe),
            param_dtype=param_dtype(recipe),
            rngs=rngs,
        )
        self.dropout = Dropout(recipe.dropout_rate)
        self.bn = BatchNorm(c_out, recipe)

    def __call__(self, images: Array, key: Array | None = None) -> Array:
        images = self.dropout(self.conv(images), key)
        training = key is not None  # differs: train-eval
        return jax.nn.relu(self.bn(images, training))


def max_pool(images: Array) -> Array:
    """The maximum of each 2x2 square. (N, H, W, C) -> (N, H/2, W/2, C)"""

    # differs: pool-ties (>= picks one winner, jnp.maximum splits)
    def larger(a, b):
        return jnp.where(a >= b, a, b)

    # Four slices: reduce_window's gradient takes 7 times as long on a CPU.
    top = larger(images[:, ::2, ::2], images[:, ::2, 1::2])
    bottom = larger(images[:, 1::2, ::2], images[:, 1::2, 1::2])
    return larger(top, bottom)


class ResBlock(nnx.Module):
    """ConvBN and 2x2 max pool; then, with residual, x + two ConvBN of x.

    (N, H, W, c_in) -> (N, H/2, W/2, c_out)
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        residual: bool,
        recipe: Recipe,
        rngs: nnx.Rngs,
    ):
        self.residual = residual
        self.conv_bn = ConvBN(c_in, c_out, recipe, rngs)
        if residual:
            self.res1 = ConvBN(c_out, c_out, recipe, rngs)
            self.res2 = ConvBN(c_out, c_out, recipe, rngs)

    def pool(self, images: Array) -> Array:
        return max_pool(images)

    def __call__(self, images: Array, key: Array | None = None) -> Array:
        keys = split(key, 3)
        images = self.pool(self.conv_bn(images, keys[0]))
        if self.residual:
            images = images + self.res2(self.res1(images, keys[1]), keys[2])
        return images


def split(key: Array | None, number: int) -> list[Array | None]:
    """As many keys from one, or as many times None from None."""
    return [None] * number if key is None else jax.random.split(key, number)


# --- Loss ---------------------------------------------------------------


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Softmax cross entropy, summed over the batch. -> scalar float32

    logits: (N, 10); labels: (N,) int32.
    """
    # differs: loss-reduction (optax gives one loss per image)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).sum()


def count_correct(logits: Array, labels: Array) -> Array:
    """How many images have their highest logit at the label. -> scalar int"""
    return (logits.argmax(axis=1) == labels).sum()


# --- Network ------------------------------------------------------------


class DavidNet(nnx.Module):
    """David Page's 9-layer ResNet for CIFAR-10.

    Called with images, (N, 32, 32, 3) float, and labels, (N,) int32, it
    returns the summed loss and the number of right answers.
    """

    def __init__(self, recipe: Recipe, rngs: nnx.Rngs):
        c = recipe.width
        self.prep = ConvBN(IMAGE_CHANNELS, c, recipe, rngs)
        self.layer1 = ResBlock(c, 2 * c, True, recipe, rngs)
        self.layer2 = ResBlock(2 * c, 4 * c, False, recipe, rngs)
        self.layer3 = ResBlock(4 * c, 8 * c, True, recipe, rngs)
        self.linear = nnx.Linear(
            8 * c,
            CLASSES,
            use_bias=False,
            kernel_init=init_uniform,  # differs: init-default
            param_dtype=param_dtype(recipe),
            rngs=rngs,
        )
        self.logit_scale = recipe.logit_scale

    def features(self, images: Array, key: Array | None = None) -> Array:
        """(N, 32, 32, 3) -> (N, 4, 4, 8c): all convolutions."""
        keys = split(key, 4)
        blocks = (self.prep, self.layer1, self.layer2, self.layer3)
        for block, key in zip(blocks, keys, strict=True):
            images = block(images, key)
        return images

    def head(self, features: Array) -> Array:
        """(N, 4, 4, 8c) -> (N, 10): the maximum over the 4x4 positions."""
        # differs: pool-ties (the gradient of a tie is split evenly)
        highest = features.max(axis=(1, 2)).astype(self.linear.kernel.dtype)
        return self.linear(highest) * self.logit_scale

    def logits(self, images: Array, key: Array | None = None) -> Array:
        """(N, 32, 32, 3) -> (N, 10), not normalised."""
        return self.head(self.features(images, key))

    def __call__(
        self, images: Array, labels: Array, key: Array | None = None
    ) -> tuple[Array, Array]:
        logits = self.logits(images, key)
        return cross_entropy(logits, labels), count_correct(logits, labels)


def build_model(recipe: Recipe, seed: int) -> DavidNet:
    """The network with its weights at start, drawn by JAX."""
    return DavidNet(recipe, nnx.Rngs(params=seed))


# --- Probes -------------------------------------------------------------


def activations(
    model: DavidNet, images: Array, key: Array | None = None
) -> dict[str, Array]:
    """What each block gives, by name, in training mode if there is a key.

    In training mode running statistics move, as in any other call.
    """
    named, keys = {}, split(key, 4)
    named["prep"] = images = model.prep(images, keys[0])
    for name, key in zip(("layer1", "layer2", "layer3"), keys[1:], strict=True):
        block, keys = getattr(model, name), split(key, 3)
        named[f"{name}.conv_bn"] = images = block.conv_bn(images, keys[0])
        named[f"{name}.pool"] = images = block.pool(images)
        if block.residual:
            named[f"{name}.res1"] = inner = block.res1(images, keys[1])
            named[f"{name}.res2"] = inner = block.res2(inner, keys[2])
            images = images + inner
        named[name] = images
    named["logits"] = model.head(images)
    return named
