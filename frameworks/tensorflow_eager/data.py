"""The data in TensorFlow: device, preprocessing, augmentation, batches.

Read beside pytorch/data.py and jax_flax/data.py. Here:
  - a tf.data pipeline slices the draws into batches and brings them to the
    device ahead of their use; there they are applied, as one XLA program
  - images are (N, H, W, C) and stay so
  - integers are int64: TensorFlow keeps int32 tensors in the host's memory,
    and every use of one would make a GPU wait
"""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import tensorflow as tf

from common.cifar10.load import Split
from common.draws import IMAGE_SIDE, Draws
from common.errors import DeviceError
from common.recipe import Recipe

# --- Device -------------------------------------------------------------


def find_device(name: str) -> str:
    """The device for `--device`: "auto", "cpu" or "gpu".

    Raises DeviceError when a GPU is asked for and TensorFlow sees none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name == "gpu" and not gpus:
        raise DeviceError(
            "--device gpu: TensorFlow sees no GPU on this machine"
        )
    if name == "cpu":
        tf.config.set_visible_devices([], "GPU")
    # differs: tf32 (TensorFlow would use it in convolutions and products)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return "/GPU:0" if gpus and name != "cpu" else "/CPU:0"


def device_name(device: str) -> str:
    """What the record calls the device: "cpu", or the GPU's name."""
    if device == "/CPU:0":
        return "cpu"
    gpu = tf.config.list_physical_devices("GPU")[0]
    return tf.config.experimental.get_device_details(gpu)["device_name"]


def to_device(split: Split, device: str) -> tuple[tf.Tensor, tf.Tensor]:
    """A split as tensors: images (n, 32, 32, 3) uint8, labels (n,) int64."""
    with tf.device(device):
        images = tf.constant(split.images)
        labels = tf.constant(split.labels, tf.int64)
    return images, labels


# --- Preprocess ---------------------------------------------------------


def normalize(images: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """(pixel - mean) / std of each channel. (..., 3) uint8 -> float"""
    float64 = recipe.precision == "float64"
    dtype = tf.float64 if float64 else tf.float32
    mean = tf.constant(recipe.pixel_mean, dtype)
    std = tf.constant(recipe.pixel_std, dtype)
    return (tf.cast(images, dtype) - mean) / std


def pad(images: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Reflect the border, edge pixels not repeated. 32 -> 32 + 2p a side

    images: (n, 32, 32, 3) of any dtype.
    """
    # differs: pad-mode (a gather: tf.pad mirrors no bytes on a GPU)
    p = recipe.pad_each_side
    place = np.pad(np.arange(IMAGE_SIDE), p, mode="reflect")
    return tf.gather(tf.gather(images, place, axis=1), place, axis=2)


# --- Augment ------------------------------------------------------------


def crop(images: tf.Tensor, top: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """A 32x32 window of each image. (N, H, W, 3) -> (N, 32, 32, 3)

    top, left: (N,) integers, the first row and column of the window.
    """
    # differs: augment-granularity (tf.image.random_crop takes one offset
    # for the whole batch)
    side = tf.range(IMAGE_SIDE, dtype=top.dtype)
    rows = top[:, None] + side
    cols = left[:, None] + side
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    images = tf.gather(tf.transpose(images, [0, 2, 1, 3]), cols, batch_dims=1)
    return tf.transpose(images, [0, 2, 1, 3])


def flip_lr(images: tf.Tensor, flip: tf.Tensor) -> tf.Tensor:
    """Mirror the images where flip, (N,) bool, is true. (N, H, W, 3)"""
    return tf.where(flip[:, None, None, None], images[:, :, ::-1], images)


def cutout(
    images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, size: int
) -> tf.Tensor:
    """Zero a square of each image. (N, 32, 32, 3) -> the same

    top, left: (N,) integers, the square's first row and column;
    size: its side in pixels. Source: DeVries and Taylor 2017.
    """
    side = tf.range(IMAGE_SIDE, dtype=top.dtype)
    rows = (side >= top[:, None]) & (side < top[:, None] + size)
    cols = (side >= left[:, None]) & (side < left[:, None] + size)
    hole = rows[:, :, None] & cols[:, None, :]
    return tf.where(hole[..., None], tf.zeros_like(images), images)


def augment(images: tf.Tensor, draws: Draws, recipe: Recipe) -> tf.Tensor:
    """Crop, mirror, normalise, cut out, as drawn. (N, 40, 40, 3) uint8 ->
    (N, 32, 32, 3) float
    """
    images = crop(images, draws.crop_top, draws.crop_left)
    images = normalize(flip_lr(images, draws.flip), recipe)
    if recipe.cutout_size:
        images = cutout(
            images, draws.cutout_top, draws.cutout_left, recipe.cutout_size
        )
    return images


# --- Batches ------------------------------------------------------------

Batches = Iterator[tuple[tf.Tensor, tf.Tensor]]


# By XLA: as a graph of single ops it takes six times as long on a CPU, and
# some of the ops have no kernel for bytes on a GPU.
@tf.function(jit_compile=True)
def take_batch(
    data: tuple[tf.Tensor, tf.Tensor],
    draws: dict[str, tf.Tensor],
    recipe: Recipe,
) -> tuple[tf.Tensor, tf.Tensor]:
    """One augmented batch, as one compiled program."""
    draws = Draws(**draws)
    images, labels = (tf.gather(part, draws.order) for part in data)
    return augment(images, draws, recipe), labels


def train_batches(
    data: tuple[tf.Tensor, tf.Tensor], draws: Draws, recipe: Recipe
) -> Batches:
    """The augmented batches of an epoch, the short last one included.

    data: padded images (n, 40, 40, 3) uint8 and labels (n,).
    Yields images (N, 32, 32, 3) float and labels (N,) int64.
    """
    images, _ = data
    wide = {
        name: draw if draw.dtype == bool else draw.astype("int64")
        for name, draw in asdict(draws).items()
    }
    # One element per image: its place and its draws, not its pixels.
    slices = tf.data.Dataset.from_tensor_slices(wide)
    # Nothing is left to tune. The tuner's thread can sleep through the end
    # of an epoch, twice as long each time: epochs of 34 s ended after 41 s.
    options = tf.data.Options()
    options.autotune.enabled = False
    slices = slices.batch(recipe.batch_size).with_options(options)
    prefetch = tf.data.experimental.prefetch_to_device(images.device, 2)
    # Set twice: a prefetch to a device does not pass the options on.
    for batch in slices.apply(prefetch).with_options(options):
        yield take_batch(data, batch, recipe)


def eval_batches(data: tuple[tf.Tensor, tf.Tensor], recipe: Recipe) -> Batches:
    """All images in order, normalised only, the short batch included."""
    # differs: short-batch
    images, labels = data
    for start in range(0, len(labels), recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        yield normalize(images[part], recipe), labels[part]
