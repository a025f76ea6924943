"""DavidNet's training step in plain NumPy float64: the fourth implementation.

It judges the other three, which could agree and be wrong together, and it
explains them: every derivative is written out by hand, nothing is hidden in
a framework. Finite differences check it (`unit/test_oracle.py`). What it
computes with is in `layers.py`; the images that it is shown come from
`data.py`.

Names and layouts are the canonical ones of `common/init.py`; images are
normalized, (N, 32, 32, 3). Whatever the type of the input, it computes in
float64. No argument is changed in place. It has no dropout, whose masks are
each framework's own; rung 4 checks their law.
"""

from dataclasses import dataclass, field

import numpy as np

from common.init import parameter_table
from common.recipe import Recipe
from common.schedule import sum_decay
from parity_tests.oracle.layers import (
    batch_norm,
    batch_norm_grad,
    batch_stats,
    conv3x3,
    conv3x3_grad,
    count_correct,
    cross_entropy,
    cross_entropy_grad,
    global_max,
    global_max_grad,
    linear,
    linear_grad,
    max_pool,
    max_pool_grad,
    relu,
    relu_grad,
    running_stats,
)

Array = np.ndarray
Arrays = dict[str, Array]

# The blocks after `prep`, in order, and whether they have a residual.
BLOCKS = {"layer1": True, "layer2": False, "layer3": True}
# Height and width at which each ConvBN works, in pixels.
SIDES = {
    "prep": 32,
    "layer1.conv_bn": 32,
    "layer1.res1": 16,
    "layer1.res2": 16,
    "layer2.conv_bn": 16,
    "layer3.conv_bn": 8,
    "layer3.res1": 4,
    "layer3.res2": 4,
}


@dataclass
class Forward:
    """One pass through the network: its results, and what made them."""

    params: Arrays
    recipe: Recipe
    train: bool
    dtype: type = np.float64
    # Outputs by name: blocks, ConvBNs (after ReLU), pools, head, logits.
    activations: Arrays = field(default_factory=dict)
    # All running statistics after the pass; in evaluation the old ones.
    stats: Arrays = field(default_factory=dict)
    # By ConvBN: inputs of its conv, its batch norm and its ReLU.
    inside: dict[str, tuple[Array, Array, Array]] = field(default_factory=dict)

    @property
    def logits(self) -> Array:
        """(N, 10), scaled."""
        return self.activations["logits"]


# --- Forward ---------------------------------------------------------------


def forward(
    params: Arrays,
    images: Array,
    recipe: Recipe,
    train: bool,
    dtype: type = np.float64,
) -> Forward:
    """The whole network.

    params: trained tensors and running statistics by name.
    dtype: np.float32 only to measure what its rounding does (`margins.py`).
    """
    net = Forward(as_type(params, dtype), recipe, train, dtype)
    acts = net.activations
    h = conv_bn(net, "prep", np.asarray(images, dtype))
    for name, residual in BLOCKS.items():
        h = res_block(net, name, h, residual)
    acts["head"] = global_max(h)
    outputs = linear(acts["head"], net.params["linear.kernel"])
    acts["logits"] = outputs * recipe.logit_scale
    return net


def conv_bn(net: Forward, name: str, images: Array) -> Array:
    """ReLU <- batch norm <- conv <- images."""
    recipe, params = net.recipe, net.params
    scale, bias = params[f"{name}.bn.scale"], params[f"{name}.bn.bias"]
    old = params[f"{name}.bn.mean"], params[f"{name}.bn.var"]

    conv = conv3x3(images, params[f"{name}.conv.kernel"])
    if net.train:
        used = batch_stats(conv)
        new = running_stats(*old, conv, recipe.bn_keep)
    else:
        used = new = old
    normed = batch_norm(conv, *used, scale, bias, recipe.bn_eps)

    net.stats[f"{name}.bn.mean"], net.stats[f"{name}.bn.var"] = new
    net.inside[name] = images, conv, normed
    net.activations[name] = relu(normed)
    return net.activations[name]


def res_block(net: Forward, name: str, images: Array, residual: bool) -> Array:
    """h = pool(conv_bn(images)); with residual: h + res2(res1(h))."""
    acts = net.activations
    h = max_pool(conv_bn(net, f"{name}.conv_bn", images))
    acts[f"{name}.pool"] = h
    if residual:
        branch = conv_bn(net, f"{name}.res1", h)
        h = h + conv_bn(net, f"{name}.res2", branch)
    acts[name] = h
    return h


# --- Backward: the same, from the end --------------------------------------


def backward(net: Forward, labels: Array) -> tuple[Arrays, Array]:
    """Derivatives of the sum of losses, of a pass with train=True.

    Returns those by each trained tensor, by name, and by the images.
    """
    if not net.train:
        raise ValueError("backward needs a forward pass with train=True")
    acts, grads = net.activations, {}
    d_outputs = cross_entropy_grad(net.logits, labels)
    d_outputs = d_outputs * net.recipe.logit_scale
    d_head, grads["linear.kernel"] = linear_grad(
        d_outputs, acts["head"], net.params["linear.kernel"]
    )
    d = global_max_grad(d_head, acts["layer3"])
    for name, residual in reversed(BLOCKS.items()):
        d = res_block_grad(net, name, d, residual, grads)
    d_images = conv_bn_grad(net, "prep", d, grads)
    return {name: grads[name] for name in trained(net.recipe)}, d_images


def conv_bn_grad(net: Forward, name: str, d: Array, grads: Arrays) -> Array:
    """Notes the derivatives by the tensors of `name` in `grads`.

    Returns the derivative by its images.
    """
    recipe, params = net.recipe, net.params
    images, conv, normed = net.inside[name]
    d = relu_grad(d, normed)
    d, grads[f"{name}.bn.scale"], grads[f"{name}.bn.bias"] = batch_norm_grad(
        d, conv, params[f"{name}.bn.scale"], recipe.bn_eps
    )
    d, grads[f"{name}.conv.kernel"] = conv3x3_grad(
        d, images, params[f"{name}.conv.kernel"]
    )
    return d


def res_block_grad(
    net: Forward, name: str, d: Array, residual: bool, grads: Arrays
) -> Array:
    """A sum hands its derivative to both sides; they meet again at h."""
    if residual:
        d_branch = conv_bn_grad(net, f"{name}.res2", d, grads)
        d = d + conv_bn_grad(net, f"{name}.res1", d_branch, grads)
    d = max_pool_grad(d, net.activations[f"{name}.conv_bn"])
    return conv_bn_grad(net, f"{name}.conv_bn", d, grads)


# --- Optimizer -------------------------------------------------------------


def trained(recipe: Recipe) -> list[str]:
    """The names of the tensors that the optimizer moves, in table order."""
    return [row.name for row in parameter_table(recipe) if row.trained]


def init_velocity(params: Arrays, recipe: Recipe) -> Arrays:
    """Standing still: zeros for every trained tensor."""
    return {name: np.zeros(params[name].shape) for name in trained(recipe)}


def optimizer_step(
    params: Arrays, velocity: Arrays, grads: Arrays, lr: float, recipe: Recipe
) -> tuple[Arrays, Arrays]:
    """Nesterov's momentum with coupled weight decay, on every trained tensor.

        g <- grad + decay w
        v <- m v + g
        w <- w - lr (g + m v)

    The rate stands outside the velocity: a change of it acts at once on the
    whole step. Returns new (params, velocity); statistics pass through.
    """
    m, decay = recipe.momentum, sum_decay(recipe)
    new_params, new_velocity = as_float64(params), {}
    for name in trained(recipe):
        w = new_params[name]
        g = grads[name] + decay * w
        v = m * velocity[name] + g
        new_velocity[name] = v
        new_params[name] = w - lr * (g + m * v)
    return new_params, new_velocity


# --- Steps -----------------------------------------------------------------


def train_step(
    params: Arrays,
    velocity: Arrays,
    images: Array,
    labels: Array,
    lr: float,
    recipe: Recipe,
    dtype: type = np.float64,
) -> tuple[Arrays, Arrays, float, int]:
    """One update: (new params with statistics, new velocity, loss, correct).

    lr: for the *sum* of losses, as `step_lr` of `common/schedule.py` gives.
    loss is the sum, before the update.
    """
    net = forward(params, images, recipe, True, dtype)
    grads, _ = backward(net, labels)
    new, velocity = optimizer_step(params, velocity, grads, lr, recipe)
    loss = cross_entropy(net.logits, labels)
    return new | net.stats, velocity, loss, count_correct(net.logits, labels)


def eval_step(
    params: Arrays, images: Array, labels: Array, recipe: Recipe
) -> tuple[float, int]:
    """(sum of losses, correct), on the running statistics."""
    net = forward(params, images, recipe, train=False)
    return (
        cross_entropy(net.logits, labels),
        count_correct(net.logits, labels),
    )


def as_float64(arrays: Arrays) -> Arrays:
    """The same arrays in float64, in a new dictionary."""
    return as_type(arrays, np.float64)


def as_type(arrays: Arrays, dtype: type) -> Arrays:
    """The same arrays in this type, in a new dictionary."""
    return {name: np.asarray(a, dtype) for name, a in arrays.items()}
