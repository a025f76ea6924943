"""What a user would take instead: the same network in Keras, by `fit`.

Written as Keras's own guides do it, with its defaults and without tricks.
`KERAS_BACKEND` says on which framework it runs.
"""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from common.init import CLASSES
from common.recipe import Recipe
from tools.bench import data
from tools.bench.plan import Job
from tools.bench.stats import timed


def conv_bn(images, channels: int):
    """3x3 conv, batch norm, ReLU."""
    images = layers.Conv2D(channels, 3, padding="same", use_bias=False)(images)
    images = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(images)
    return layers.ReLU()(images)


def block(images, channels: int, residual: bool):
    """A ConvBN and a pool; then, with residual, x + two ConvBN of x."""
    images = layers.MaxPooling2D(2)(conv_bn(images, channels))
    if residual:
        inner = conv_bn(conv_bn(images, channels), channels)
        images = layers.add([images, inner])
    return images


def build(recipe: Recipe) -> keras.Model:
    """The network, compiled with loss and optimizer."""
    c = recipe.width
    images = keras.Input((32, 32, 3))
    x = conv_bn(images, c)
    x = block(x, 2 * c, residual=True)
    x = block(x, 4 * c, residual=False)
    x = block(x, 8 * c, residual=True)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dense(CLASSES, use_bias=False)(x)
    model = keras.Model(images, layers.Rescaling(recipe.logit_scale)(x))
    model.compile(
        optimizer=keras.optimizers.SGD(
            recipe.peak_lr / 10,
            momentum=recipe.momentum,
            nesterov=True,
            weight_decay=recipe.weight_decay,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


class Clock(keras.callbacks.Callback):
    """The seconds of an epoch, without what `fit` does around it."""

    def on_epoch_begin(self, epoch, logs=None):
        """Start."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop; the logs are numbers, so all steps are done."""
        self.seconds = time.perf_counter() - self.start


def fitter(job: Job, folder: Path) -> Callable[[int], float]:
    """Seconds of `fit` for a number of batches, without augmentation."""
    recipe = job.recipe()
    split = data.load(folder)
    mean, std = np.float32(recipe.pixel_mean), np.float32(recipe.pixel_std)
    model, size = build(recipe), recipe.batch_size

    def fit(batches: int) -> float:
        n = batches * size
        clock = Clock()
        model.fit(
            (split.images[:n].astype(np.float32) - mean) / std,
            split.labels[:n].astype(np.int32),
            batch_size=size,
            callbacks=[clock],
            verbose=0,
        )
        return clock.seconds

    return fit


def measure(job: Job, folder: Path) -> dict:
    """Images/s of `fit`, on normalized images."""
    fit = fitter(job, folder)
    return timed("keras fit", fit, job.batch_size, job.seconds)
