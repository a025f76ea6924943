"""DavidNet in PyTorch: blocks, loss, network, probes.

Read beside tensorflow_eager/model.py and jax_flax/model.py. Here:
  - images are (N, C, H, W) inside, stored channels-last
  - train or eval mode lives on the module, not in the call
  - a module updates its own running statistics
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.init import CLASSES, IMAGE_CHANNELS, init_bound
from common.recipe import Recipe

# --- Init ---------------------------------------------------------------


def init_uniform(weight: Tensor) -> None:
    """Fill a weight, (out, in, ...), from U(-bound, bound) in place.

    What nn.Conv2d and nn.Linear do by default, said aloud: the other two
    frameworks have other defaults.
    """
    bound = init_bound(fan_in=weight[0].numel())
    nn.init.uniform_(weight, -bound, bound)


# --- Blocks -------------------------------------------------------------


class Dropout(nn.Dropout):
    """Element-wise dropout, with cheap random numbers on the CPU.

    nn.Dropout draws one number per element there, one after the other. Four
    16-bit numbers out of each 64-bit draw give such a mask, its rate right
    to 2^-17, in a third of the time; with its use, forward and backward,
    dropout of 8.4 million float32 numbers went from 75 ms to 50 ms.
    """

    def forward(self, images: Tensor) -> Tensor:
        if not self.training or self.p == 0 or images.is_cuda:
            return super().forward(images)
        draws = torch.empty((images.numel() + 3) // 4, dtype=torch.int64)
        bits = draws.random_(-(2**63), None).view(torch.int16)
        # An int16 lies below -2^15 + rate * 2^16 with probability rate.
        keep = bits >= round(self.p * 2**16) - 2**15
        keep = keep[: images.numel()].view(images.permute(0, 2, 3, 1).shape)
        mask = keep.permute(0, 3, 1, 2).to(images.dtype).div_(1 - self.p)
        return images * mask


class BatchNorm(nn.BatchNorm2d):
    """Batch norm over N, H and W. (N, C, H, W) -> the same

    Normalises with the biased variance of the batch and keeps the unbiased
    one, both float32 in bfloat16 training. Source: Ioffe and Szegedy 2015.
    """

    def __init__(self, channels: int, recipe: Recipe):
        # differs: bn-momentum (PyTorch counts the share of the new value)
        # differs: bn-eps
        super().__init__(
            channels, eps=recipe.bn_eps, momentum=1 - recipe.bn_keep
        )


class ConvBN(nn.Module):
    """3x3 conv, dropout, batch norm, ReLU. (N, c_in, H, W) -> (N, c_out, H, W)

    c_in, c_out: channels of the input and of the output.
    """

    def __init__(self, c_in: int, c_out: int, recipe: Recipe):
        super().__init__()
        # differs: conv-padding
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        init_uniform(self.conv.weight)  # differs: init-default
        self.dropout = Dropout(recipe.dropout_rate)
        self.bn = BatchNorm(c_out, recipe)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.bn(self.dropout(self.conv(images))))


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

    def forward(self, images: Tensor) -> Tensor:
        images = self.pool(self.conv_bn(images))
        if self.residual:
            images = images + self.res2(self.res1(images))
        return images


# --- Loss ---------------------------------------------------------------


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross entropy, summed over the batch. -> scalar float32

    logits: (N, 10); labels: (N,) int64.
    """
    # differs: loss-reduction (PyTorch's default is the mean)
    return F.cross_entropy(logits, labels, reduction="sum")


def count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many images have their highest logit at the label. -> scalar int"""
    return (logits.argmax(dim=1) == labels).sum()


# --- Network ------------------------------------------------------------


class DavidNet(nn.Module):
    """David Page's 9-layer ResNet for CIFAR-10.

    Called with images, (N, 3, 32, 32) float, and labels, (N,) int64, it
    returns the summed loss and the number of right answers.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        c = recipe.width
        self.prep = ConvBN(IMAGE_CHANNELS, c, recipe)
        self.layer1 = ResBlock(c, 2 * c, True, recipe)
        self.layer2 = ResBlock(2 * c, 4 * c, False, recipe)
        self.layer3 = ResBlock(4 * c, 8 * c, True, recipe)
        self.linear = nn.Linear(8 * c, CLASSES, bias=False)
        init_uniform(self.linear.weight)  # differs: init-default
        self.logit_scale = recipe.logit_scale
        self.half = recipe.precision == "bfloat16"

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, 8c, 4, 4): all convolutions."""
        # Autocast runs convolutions in bfloat16; batch norm keeps its
        # parameters and statistics in float32.
        with torch.autocast(images.device.type, torch.bfloat16, self.half):
            images = self.prep(images)
            return self.layer3(self.layer2(self.layer1(images)))

    def head(self, features: Tensor) -> Tensor:
        """(N, 8c, 4, 4) -> (N, 10): the maximum over the 4x4 positions."""
        # differs: pool-ties (the gradient of a tie is split evenly)
        highest = features.amax(dim=(2, 3)).to(self.linear.weight.dtype)
        return self.linear(highest) * self.logit_scale

    def logits(self, images: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, 10), not normalised."""
        return self.head(self.features(images))

    def forward(self, images: Tensor, labels: Tensor):
        logits = self.logits(images)
        return cross_entropy(logits, labels), count_correct(logits, labels)


def build_model(recipe: Recipe, seed: int) -> DavidNet:
    """The network with its weights at start, drawn by PyTorch."""
    torch.manual_seed(seed)
    dtype = torch.float64 if recipe.precision == "float64" else torch.float32
    model = DavidNet(recipe).to(dtype)
    return model.to(memory_format=torch.channels_last)


# --- Probes -------------------------------------------------------------


@torch.no_grad()
def activations(model: DavidNet, images: Tensor) -> dict[str, Tensor]:
    """What each block gives, by name, in the model's present mode.

    In training mode running statistics move, as in any other call.
    """
    named = {}
    with torch.autocast(images.device.type, torch.bfloat16, model.half):
        named["prep"] = images = model.prep(images)
        for name in ("layer1", "layer2", "layer3"):
            block = getattr(model, name)
            named[f"{name}.conv_bn"] = images = block.conv_bn(images)
            named[f"{name}.pool"] = images = block.pool(images)
            if block.residual:
                named[f"{name}.res1"] = inner = block.res1(images)
                named[f"{name}.res2"] = inner = block.res2(inner)
                images = images + inner
            named[name] = images
    named["logits"] = model.head(images)
    return named
