"""The data in JAX: device, preprocessing, augmentation, batches.

Read beside tensorflow_eager/data.py and pytorch/data.py. Here:
  - augmentation is compiled into one program per batch size
  - images are (N, H, W, C) and stay so
  - labels are int32; 64-bit types are off unless asked for
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from common.cifar10.load import Split
from common.draws import IMAGE_SIDE, Draws
from common.errors import DeviceError
from common.recipe import Recipe

# A transfer or a jitted call may take Draws as they are.
jax.tree_util.register_dataclass(Draws)

# --- Device -------------------------------------------------------------


def find_device(name: str) -> jax.Device:
    """The device for `--device`: "auto", "cpu" or "gpu".

    Raises DeviceError when a GPU is asked for and JAX sees none.
    """
    if name == "cpu":  # else JAX takes a GPU's memory even when it is unused
        jax.config.update("jax_platforms", "cpu")
    try:
        device = jax.devices("cpu" if name == "cpu" else "gpu")[0]
    except RuntimeError as error:
        if name == "gpu":
            raise DeviceError(
                "--device gpu: JAX sees no GPU on this machine"
            ) from error
        device = jax.devices("cpu")[0]
    jax.config.update("jax_default_device", device)
    # differs: tf32 (XLA would use it where the GPU has it)
    jax.config.update("jax_default_matmul_precision", "highest")
    return device


def device_name(device: jax.Device) -> str:
    """What the record calls the device: "cpu", or the GPU's name."""
    return "cpu" if device.platform == "cpu" else device.device_kind


def to_device(split: Split, device: jax.Device) -> tuple[Array, Array]:
    """A split as arrays: images (n, 32, 32, 3) uint8, labels (n,) int32."""
    images = jax.device_put(split.images, device)
    labels = jax.device_put(split.labels.astype("int32"), device)
    return images, labels


# --- Preprocess ---------------------------------------------------------


def normalize(images: Array, recipe: Recipe) -> Array:
    """(pixel - mean) / std of each channel. (..., 3) uint8 -> float"""
    float64 = recipe.precision == "float64"
    dtype = jnp.float64 if float64 else jnp.float32
    mean = jnp.array(recipe.pixel_mean, dtype)
    std = jnp.array(recipe.pixel_std, dtype)
    return (images.astype(dtype) - mean) / std


def pad(images: Array, recipe: Recipe) -> Array:
    """Reflect the border, edge pixels not repeated. 32 -> 32 + 2p a side

    images: (n, 32, 32, 3) of any dtype.
    """
    # differs: pad-mode
    p = recipe.pad_each_side
    return jnp.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), mode="reflect")


# --- Augment ------------------------------------------------------------


def crop(images: Array, top: Array, left: Array) -> Array:
    """A 32x32 window of each image. (N, H, W, 3) -> (N, 32, 32, 3)

    top, left: (N,) integers, the first row and column of the window.
    """
    # differs: augment-granularity (an offset for each image)
    side = jnp.arange(IMAGE_SIDE)
    n = jnp.arange(len(images))
    rows = top[:, None] + side
    cols = left[:, None] + side
    return images[n[:, None, None], rows[:, :, None], cols[:, None, :]]


def flip_lr(images: Array, flip: Array) -> Array:
    """Mirror the images where flip, (N,) bool, is true. (N, H, W, 3)"""
    return jnp.where(flip[:, None, None, None], images[:, :, ::-1], images)


def cutout(images: Array, top: Array, left: Array, size: int) -> Array:
    """Zero a square of each image. (N, 32, 32, 3) -> the same

    top, left: (N,) integers, the square's first row and column;
    size: its side in pixels. Source: DeVries and Taylor 2017.
    """
    side = jnp.arange(IMAGE_SIDE)
    rows = (side >= top[:, None]) & (side < top[:, None] + size)
    cols = (side >= left[:, None]) & (side < left[:, None] + size)
    hole = rows[:, :, None] & cols[:, None, :]
    return jnp.where(hole[..., None], 0, images)


def augment(images: Array, draws: Draws, recipe: Recipe) -> Array:
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

Batches = Iterator[tuple[Array, Array]]


@partial(jax.jit, static_argnames="recipe")
def take_batch(
    data: tuple[Array, Array], draws: Draws, recipe: Recipe
) -> tuple[Array, Array]:
    """One augmented batch, as one compiled program."""
    images, labels = data
    return augment(images[draws.order], draws, recipe), labels[draws.order]


def train_batches(
    data: tuple[Array, Array], draws: Draws, recipe: Recipe
) -> Batches:
    """The augmented batches of an epoch, the short last one included.

    data: padded images (n, 40, 40, 3) uint8 and labels (n,).
    Yields images (N, 32, 32, 3) float and labels (N,) int32.
    """
    for batch in draws.batches(recipe.batch_size):
        yield take_batch(data, batch, recipe)


def eval_batches(data: tuple[Array, Array], recipe: Recipe) -> Batches:
    """All images in order, normalised only, the short batch included."""
    # differs: short-batch
    images, labels = data
    for start in range(0, len(labels), recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        yield normalize(images[part], recipe), labels[part]
