"""DavidNet in JAX with flax nnx: blocks, loss, network, probes.

Read beside tensorflow_eager/model.py and pytorch/model.py. Here:
  - images are (N, H, W, C)
  - train or eval mode is a mode of the module, as in PyTorch
  - batch norm is written out; `step.py` takes the changed statistics out
  - initial weights and dropout masks come from `rngs`, an argument
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from common.init import CLASSES, IMAGE_CHANNELS, fan_in, init_bound
from common.recipe import Recipe

# --- Init ---------------------------------------------------------------


def init_uniform(key: Array, shape: tuple[int, ...], dtype=None) -> Array:
    """Draw a weight, (..., in, out), from U(-bound, bound).

    flax takes any function of key, shape and dtype as an initializer.
    """
    bound = init_bound(fan_in(shape))
    return jax.random.uniform(key, shape, dtype, -bound, bound)


# --- Blocks -------------------------------------------------------------


class BatchNorm(nnx.Module):
    """Batch norm over N, H and W. (N, H, W, C) -> the same

    It normalizes with the biased variance of the batch and keeps the unbiased
    one, both float32 in bfloat16 training. Source: Ioffe and Szegedy 2015.
    """

    def __init__(self, channels: int, recipe: Recipe):
        dtype = recipe.param_dtype
        self.eps, self.keep = recipe.bn_eps, recipe.bn_keep
        self.use_running_average = False  # which train() and eval() set
        self.scale = nnx.Param(jnp.ones(channels, dtype))
        self.bias = nnx.Param(jnp.zeros(channels, dtype))
        # differs: bn-x64 (nnx.BatchNorm keeps float32 always)
        self.mean = nnx.BatchStat(jnp.zeros(channels, dtype))
        self.var = nnx.BatchStat(jnp.ones(channels, dtype))

    def __call__(self, x: Array) -> Array:
        dtype = x.dtype
        x = x.astype(self.mean.dtype)  # differs: bn-half
        mean, var = self.mean[...], self.var[...]
        if not self.use_running_average:
            axes = (0, 1, 2)
            mean = x.mean(axes)
            # differs: bn-fast-variance (nnx.BatchNorm takes E[x^2]-E[x]^2)
            var = jnp.square(x - mean).mean(axes)
            # differs: bn-running-var (nnx.BatchNorm keeps the biased one)
            n = x.size // mean.size
            unbiased = var * (n / (n - 1))
            # differs: bn-momentum (the share of the old value)
            keep = self.keep
            self.mean[...] = keep * self.mean[...] + (1 - keep) * mean
            self.var[...] = keep * self.var[...] + (1 - keep) * unbiased
        factor = jax.lax.rsqrt(var + self.eps) * self.scale[...]
        return ((x - mean) * factor + self.bias[...]).astype(dtype)


class ConvBN(nnx.Module):
    """3x3 conv, dropout, batch norm, ReLU. (N, H, W, c_in) -> (N, H, W, c_out)

    c_in, c_out: channels of the input and of the output.
    """

    def __init__(self, c_in: int, c_out: int, recipe: Recipe, rngs: nnx.Rngs):
        self.conv = nnx.Conv(
            c_in,
            c_out,
            (3, 3),
            padding="SAME",  # differs: conv-padding
            use_bias=False,
            kernel_init=init_uniform,  # differs: init-default
            dtype=recipe.compute_dtype,
            param_dtype=recipe.param_dtype,
            rngs=rngs,
        )
        self.dropout = nnx.Dropout(recipe.dropout_rate)
        self.bn = BatchNorm(c_out, recipe)

    def __call__(self, x: Array, rngs: nnx.Rngs | None = None) -> Array:
        return jax.nn.relu(self.bn(self.dropout(self.conv(x), rngs=rngs)))


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

    def pool(self, x: Array) -> Array:
        # differs: pool-ties (one winner, as in the other two)
        return nnx.max_pool(x, (2, 2), strides=(2, 2))

    def __call__(self, x: Array, rngs: nnx.Rngs | None = None) -> Array:
        x = self.pool(self.conv_bn(x, rngs))
        if self.residual:
            x = x + self.res2(self.res1(x, rngs), rngs)
        return x


# --- Loss ---------------------------------------------------------------


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Sum the softmax cross entropy over the batch. -> scalar float

    logits: (N, 10); labels: (N,) int32.
    """
    # differs: loss-reduction (optax gives one loss per image)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).sum()


def count_correct(logits: Array, labels: Array) -> Array:
    """Count the images whose highest logit is at the label. -> scalar int"""
    return (logits.argmax(axis=1) == labels).sum()


# --- Network ------------------------------------------------------------


class DavidNet(nnx.Module):
    """David Page's 9-layer ResNet for CIFAR-10.

    Called with images, (N, 32, 32, 3) float, and labels, (N,) int32, it
    returns the summed loss and the number of correct predictions.
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
            param_dtype=recipe.param_dtype,
            rngs=rngs,
        )
        self.logit_scale = recipe.logit_scale

    def features(self, images: Array, rngs: nnx.Rngs | None = None) -> Array:
        """Apply all convolutions. (N, 32, 32, 3) -> (N, 4, 4, 8c)"""
        x = self.prep(images, rngs)
        for block in (self.layer1, self.layer2, self.layer3):
            x = block(x, rngs)
        return x

    def head(self, features: Array) -> Array:
        """Take the maximum over 4x4 positions. (N, 4, 4, 8c) -> (N, 10)"""
        # differs: pool-ties (the gradient of a tie is split evenly)
        highest = features.max(axis=(1, 2)).astype(self.linear.kernel.dtype)
        return self.linear(highest) * self.logit_scale

    def logits(self, images: Array, rngs: nnx.Rngs | None = None) -> Array:
        """Compute the logits. (N, 32, 32, 3) -> (N, 10)"""
        return self.head(self.features(images, rngs))

    def __call__(
        self, images: Array, labels: Array, rngs: nnx.Rngs | None = None
    ) -> tuple[Array, Array]:
        logits = self.logits(images, rngs)
        return cross_entropy(logits, labels), count_correct(logits, labels)


def build_model(recipe: Recipe, seed: int) -> DavidNet:
    """Build the network, with initial weights drawn by JAX."""
    return DavidNet(recipe, nnx.Rngs(params=seed))


# --- Probes -------------------------------------------------------------


def activations(
    model: DavidNet, images: Array, rngs: nnx.Rngs | None = None
) -> dict[str, Array]:
    """Return the output of each block, by name, in the model's mode.

    images: (N, 32, 32, 3) float. In training mode the running statistics
    change, as in any other call.
    """
    named = {}
    named["prep"] = x = model.prep(images, rngs)
    for name in ("layer1", "layer2", "layer3"):
        block = getattr(model, name)
        named[f"{name}.conv_bn"] = x = block.conv_bn(x, rngs)
        named[f"{name}.pool"] = x = block.pool(x)
        if block.residual:
            named[f"{name}.res1"] = inner = block.res1(x, rngs)
            named[f"{name}.res2"] = inner = block.res2(inner, rngs)
            x = x + inner
        named[name] = x
    named["logits"] = model.head(x)
    return named
