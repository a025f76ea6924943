"""DavidNet in PyTorch: blocks, loss, network, probes.

Read beside tensorflow_eager/model.py and jax_flax/model.py. Here:
  - images are (N, C, H, W), stored channels-last
  - train or eval mode is a mode of the module, not an argument
  - batch norm is PyTorch's own, but for several processes; a module updates
    its running statistics
  - dropout masks come from one generator of the process, seeded in `step.py`
  - bfloat16 is a region of the code, `torch.autocast`, not a dtype of layers
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.init import CLASSES, IMAGE_CHANNELS, init_bound
from common.recipe import Recipe
from frameworks.pytorch.parallel import in_world, moments_over_world

# --- Init ---------------------------------------------------------------


def init_uniform(weight: Tensor) -> None:
    """Fill a weight, (out, in, ...), from U(-bound, bound) in place.

    nn.Conv2d and nn.Linear do the same by default; the other two frameworks
    do not.
    """
    bound = init_bound(fan_in=weight[0].numel())
    nn.init.uniform_(weight, -bound, bound)


# --- Blocks -------------------------------------------------------------


class BatchNorm(nn.BatchNorm2d):
    """Batch norm over N, H and W. (N, C, H, W) -> the same

    It normalizes with the biased variance of the batch and keeps the unbiased
    one, both float32 in bfloat16 training. Source: Ioffe and Szegedy 2015.
    """

    # The base class declares that they may be None.
    running_mean: Tensor
    running_var: Tensor
    momentum: float

    def __init__(self, channels: int, recipe: Recipe):
        # differs: bn-momentum (PyTorch counts the share of the new value)
        # differs: bn-eps
        super().__init__(
            channels, eps=recipe.bn_eps, momentum=1 - recipe.bn_keep
        )
        # Counted in every step, but read only where momentum is None.
        self.num_batches_tracked = None

    def forward(self, x: Tensor) -> Tensor:
        # Not by current_world(), which torch.compile cannot trace.
        if not (self.training and in_world()):
            return super().forward(x)
        # differs: bn-global (PyTorch's own would see this process's share)
        dtype, x = x.dtype, x.to(self.weight.dtype)
        mean, var, n = moments_over_world(x)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (n / (n - 1)), self.momentum)
        factor = torch.rsqrt(var + self.eps) * self.weight
        x = (x - mean[:, None, None]) * factor[:, None, None]
        return (x + self.bias[:, None, None]).to(dtype)


class ConvBN(nn.Module):
    """3x3 conv, dropout, batch norm, ReLU. (N, c_in, H, W) -> (N, c_out, H, W)

    c_in, c_out: channels of the input and of the output.
    """

    def __init__(self, c_in: int, c_out: int, recipe: Recipe):
        super().__init__()
        # differs: conv-padding
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        init_uniform(self.conv.weight)  # differs: init-default
        self.dropout = nn.Dropout(recipe.dropout_rate)
        self.bn = BatchNorm(c_out, recipe)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.dropout(self.conv(x))))


class ResBlock(nn.Module):
    """ConvBN and 2x2 max pool; then, with residual, x + two ConvBN of x.

    (N, c_in, H, W) -> (N, c_out, H/2, W/2)
    """

    def __init__(self, c_in: int, c_out: int, residual: bool, recipe: Recipe):
        super().__init__()
        self.residual = residual
        self.conv_bn = ConvBN(c_in, c_out, recipe)
        self.pool = nn.MaxPool2d(2)
        if residual:
            self.res1 = ConvBN(c_out, c_out, recipe)
            self.res2 = ConvBN(c_out, c_out, recipe)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv_bn(x))
        if self.residual:
            x = x + self.res2(self.res1(x))
        return x


# --- Loss ---------------------------------------------------------------


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum the softmax cross entropy over the batch. -> scalar float

    logits: (N, 10); labels: (N,) int64.
    """
    # differs: loss-reduction (PyTorch's default is the mean)
    return F.cross_entropy(logits, labels, reduction="sum")


def count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Count the images whose highest logit is at the label. -> scalar int"""
    return (logits.argmax(dim=1) == labels).sum()


# --- Network ------------------------------------------------------------


class DavidNet(nn.Module):
    """David Page's 9-layer ResNet for CIFAR-10.

    Called with images, (N, 3, 32, 32) float, and labels, (N,) int64, it
    returns the summed loss and the number of correct predictions.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.dropout_rate = recipe.dropout_rate
        c = recipe.width
        self.prep = ConvBN(IMAGE_CHANNELS, c, recipe)
        self.layer1 = ResBlock(c, 2 * c, True, recipe)
        self.layer2 = ResBlock(2 * c, 4 * c, False, recipe)
        self.layer3 = ResBlock(4 * c, 8 * c, True, recipe)
        self.linear = nn.Linear(8 * c, CLASSES, bias=False)
        init_uniform(self.linear.weight)  # differs: init-default
        self.logit_scale = recipe.logit_scale
        self.mixed_precision = recipe.compute_dtype == "bfloat16"

    def features(self, images: Tensor) -> Tensor:
        """Apply all convolutions. (N, 3, 32, 32) -> (N, 8c, 4, 4)"""
        # Autocast runs convolutions in bfloat16; batch norm keeps its
        # parameters and statistics in float32.
        with torch.autocast(
            images.device.type, torch.bfloat16, enabled=self.mixed_precision
        ):
            x = self.prep(images)
            for block in (self.layer1, self.layer2, self.layer3):
                x = block(x)
            return x

    def head(self, features: Tensor) -> Tensor:
        """Take the maximum over 4x4 positions. (N, 8c, 4, 4) -> (N, 10)"""
        # differs: pool-ties (the gradient of a tie is split evenly)
        highest = features.amax(dim=(2, 3)).to(self.linear.weight.dtype)
        return self.linear(highest) * self.logit_scale

    def logits(self, images: Tensor) -> Tensor:
        """Compute the logits. (N, 3, 32, 32) -> (N, 10)"""
        return self.head(self.features(images))

    def forward(self, images: Tensor, labels: Tensor):
        logits = self.logits(images)
        return cross_entropy(logits, labels), count_correct(logits, labels)


def build_model(recipe: Recipe, seed: int) -> DavidNet:
    """Build the network, with initial weights drawn by PyTorch."""
    torch.manual_seed(seed)
    dtype = getattr(torch, recipe.param_dtype)
    return DavidNet(recipe).to(dtype=dtype, memory_format=torch.channels_last)


# --- Probes -------------------------------------------------------------


@torch.no_grad()
def activations(model: DavidNet, images: Tensor) -> dict[str, Tensor]:
    """Return the output of each block, by name, in the model's mode.

    images: (N, 3, 32, 32) float. In training mode the running statistics
    change, as in any other call.
    """
    named = {}
    with torch.autocast(
        images.device.type, torch.bfloat16, enabled=model.mixed_precision
    ):
        named["prep"] = x = model.prep(images)
        for name in ("layer1", "layer2", "layer3"):
            block = getattr(model, name)
            named[f"{name}.conv_bn"] = x = block.conv_bn(x)
            named[f"{name}.pool"] = x = block.pool(x)
            if block.residual:
                named[f"{name}.res1"] = inner = block.res1(x)
                named[f"{name}.res2"] = inner = block.res2(inner)
                x = x + inner
            named[name] = x
    named["logits"] = model.head(x)
    return named
