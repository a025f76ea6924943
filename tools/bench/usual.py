"""What people have in PyTorch: the same network, fed by a DataLoader.

Written as PyTorch's own tutorial on CIFAR-10 does it, without tricks: NCHW,
the allocator and the threads as they come, and images that are augmented one
by one in two processes beside the training.
"""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from common.cifar10.load import Split
from common.draws import IMAGE_SIDE
from common.init import CLASSES, IMAGE_CHANNELS
from common.recipe import Recipe
from common.schedule import sum_decay
from tools.bench import data
from tools.bench.plan import Job
from tools.bench.stats import timed

WORKERS = 2  # as in that tutorial


class Images(Dataset):
    """Training images, each augmented when it is asked for."""

    def __init__(self, split: Split, recipe: Recipe):
        self.split, self.recipe = split, recipe
        self.mean = torch.tensor(recipe.pixel_mean).view(-1, 1, 1)
        self.std = torch.tensor(recipe.pixel_std).view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """Pad, crop, flip, normalize, cut out. -> (3, 32, 32) float, label"""
        p, size = self.recipe.pad_each_side, self.recipe.cutout_size
        image = torch.tensor(self.split.images[place]).permute(2, 0, 1).float()
        image = F.pad(image, (p, p, p, p), mode="reflect")
        top, left = torch.randint(2 * p + 1, (2,)).tolist()
        image = image[:, top : top + IMAGE_SIDE, left : left + IMAGE_SIDE]
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        image = (image - self.mean) / self.std
        top, left = torch.randint(IMAGE_SIDE - size + 1, (2,)).tolist()
        image[:, top : top + size, left : left + size] = 0
        return image, int(self.split.labels[place])


def conv_bn(c_in: int, c_out: int) -> nn.Module:
    """3x3 conv, batch norm, ReLU."""
    conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """x + two ConvBN of x."""

    def __init__(self, c: int):
        super().__init__()
        self.inner = nn.Sequential(conv_bn(c, c), conv_bn(c, c))

    def forward(self, x: Tensor) -> Tensor:
        """(N, c, H, W) -> the same"""
        return x + self.inner(x)


class DavidNet(nn.Module):
    """The network, with the initial weights that its layers have."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        c, pool = recipe.width, nn.MaxPool2d(2)
        self.layers = nn.Sequential(
            conv_bn(IMAGE_CHANNELS, c),
            *(conv_bn(c, 2 * c), pool, Residual(2 * c)),
            *(conv_bn(2 * c, 4 * c), pool),
            *(conv_bn(4 * c, 8 * c), pool, Residual(8 * c)),
            *(nn.MaxPool2d(4), nn.Flatten()),
            nn.Linear(8 * c, CLASSES, bias=False),
        )
        self.logit_scale = recipe.logit_scale

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits. (N, 3, 32, 32) float -> (N, 10)"""
        return self.layers(images) * self.logit_scale


def train(model: nn.Module, split: Split, recipe: Recipe) -> Iterator[float]:
    """An epoch; the mean loss of each batch, after its update."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).train()
    loader = DataLoader(
        Images(split, recipe),
        recipe.batch_size,
        shuffle=True,
        num_workers=WORKERS,
    )
    loss_fn = nn.CrossEntropyLoss(reduction="sum")
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.peak_lr / 10 / recipe.batch_size,
        momentum=recipe.momentum,
        weight_decay=sum_decay(recipe),
        nesterov=True,
    )
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        yield loss.item() / len(labels)


def measure(job: Job, folder: Path) -> dict:
    """Images/s of the loop, once its processes are at work."""
    recipe = job.recipe()
    losses = train(DavidNet(recipe), data.load(folder), recipe)

    def seconds(batches: int) -> float:
        start = time.perf_counter()
        for _ in islice(losses, batches):
            pass
        return time.perf_counter() - start

    return timed("usual loop", seconds, recipe.batch_size, job.seconds)
