"""The learning rate: straight lines between three points.

After David Page's `PiecewiseLinear` (cifar10-fast, `core.py`): up
from 0 to the peak, down to 0 at the end, a new value at every step.
"""

import numpy as np

from common.recipe import Recipe


def lr_at(epoch: float, recipe: Recipe) -> float:
    """The learning rate at a point in time.

    epoch: in epochs from the start, with fractions: 0 to recipe.epochs.
    Returns the learning rate for a loss that is the *mean* over the batch.

    The points are (0, 0), (peak_epoch, peak_lr) and (epochs, 0). A training
    shorter than 4 epochs has its peak at epoch 0 and only comes down.
    """
    points = [(0, 0.0), (recipe.peak_epoch, recipe.peak_lr)]
    if recipe.peak_epoch == 0:
        points = points[1:]
    points.append((recipe.epochs, 0.0))
    epochs, lrs = zip(*points, strict=True)
    return float(np.interp(epoch, epochs, lrs))


def step_lr(step: int, recipe: Recipe) -> float:
    """The learning rate of update `step`, counted from 0, for a *sum* loss.

    The loss is summed over the batch, so its gradient is batch_size times
    that of the mean; the learning rate is divided by batch_size. The last,
    partial batch of an epoch has the same divisor: its images count like all
    others.
    """
    return lr_at(step / recipe.steps_per_epoch, recipe) / recipe.batch_size


def epoch_lrs(epoch: int, recipe: Recipe) -> np.ndarray:
    """The learning rates of an epoch's updates, for a *sum* loss.

    epoch: counted from 0. Returns (steps_per_epoch,) float64.
    """
    first = epoch * recipe.steps_per_epoch
    steps = range(first, first + recipe.steps_per_epoch)
    return np.array([step_lr(step, recipe) for step in steps])


def lr_table(recipe: Recipe) -> np.ndarray:
    """The learning rates of all updates, (total_steps,) float64."""
    return np.concatenate([epoch_lrs(e, recipe) for e in range(recipe.epochs)])


def sum_decay(recipe: Recipe) -> float:
    """The weight decay to add to the gradient of a *sum* loss.

    weight_decay is meant beside the gradient of the mean; beside that of the
    sum it counts batch_size times, and the learning rate, which is divided by
    batch_size, makes up for it.
    """
    return recipe.weight_decay * recipe.batch_size
