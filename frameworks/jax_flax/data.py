"""The data in JAX: device, preprocessing, augmentation, batches.

Read beside tensorflow_eager/data.py and pytorch/data.py. Here:
  - images are (N, H, W, C) on the disk, on the device and in the network
  - XLA compiles a batch's augmentation into one program for each batch size
  - labels are int32, since JAX has no 64-bit types unless x64 is enabled
  - `jax.devices` raises an exception if a GPU is asked for and not there
"""

from collections.abc import Iterable
from functools import partial
from importlib.util import find_spec

import jax
import jax.numpy as jnp
from jax import Array

from common.cifar10.load import Split
from common.draws import IMAGE_SIDE, Draws
from common.recipe import Recipe
from common.run.gpu import no_gpu
from common.run.machine import count_threads
from frameworks.jax_flax.parallel import put_everywhere

# A transfer or a jitted call may take Draws as they are.
jax.tree_util.register_dataclass(Draws)

# --- Device -------------------------------------------------------------


def find_device(name: str) -> jax.Device:
    """Return the device for `--device`, "auto", "cpu" or "gpu".

    Raises DeviceError if a GPU is asked for and JAX sees none.
    """
    if name == "cpu":  # else JAX takes a GPU's memory even when it is unused
        jax.config.update("jax_platforms", "cpu")
    try:
        device = jax.devices("cpu" if name == "cpu" else "gpu")[0]
    except RuntimeError:
        cuda = "13" if find_spec("jax_cuda13_plugin") else None
        no_gpu(name, "JAX", cuda, partial(jax.devices, "cuda"))
        device = jax.devices("cpu")[0]
    return device


def describe_device(device: jax.Device) -> dict:
    """Describe the device for the record: name, threads, TF32."""
    cpu = device.platform == "cpu"
    return {
        "device": "cpu" if cpu else device.device_kind,
        "threads": count_threads("NPROC"),
        "tf32": jax.config.jax_default_matmul_precision != "highest",
    }


def configure(recipe: Recipe, device: jax.Device) -> None:
    """Set every process-wide switch of JAX."""
    if jax.sharding.get_mesh().empty:  # else arrays go to all of its devices
        jax.config.update("jax_default_device", device)
    # 64-bit types are off unless asked for.
    jax.config.update("jax_enable_x64", recipe.param_dtype == "float64")
    # differs: tf32 (XLA would use it where the GPU has it)
    jax.config.update("jax_default_matmul_precision", "highest")


def to_device(split: Split, device: jax.Device) -> tuple[Array, Array]:
    """Copy a split: images (n, 32, 32, 3) uint8, labels (n,) int32."""
    images = put_everywhere(split.images, device)
    labels = put_everywhere(split.labels.astype("int32"), device)
    return images, labels


# --- Preprocess ---------------------------------------------------------


# Compiled, so that no batch copies mean and std to a GPU anew.
@jax.jit(static_argnames="recipe")
def normalize(images: Array, recipe: Recipe) -> Array:
    """Compute (pixel - mean) / std per channel. (..., 3) uint8 -> float"""
    mean = jnp.array(recipe.pixel_mean, recipe.param_dtype)
    std = jnp.array(recipe.pixel_std, recipe.param_dtype)
    return (images.astype(mean.dtype) - mean) / std


def pad(images: Array, recipe: Recipe) -> Array:
    """Reflect the border without repeating the edge. Side 32 -> 32 + 2p

    images: (n, 32, 32, 3) of any dtype.
    """
    # differs: pad-mode
    p = recipe.pad_each_side
    return jnp.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), mode="reflect")


# --- Augment ------------------------------------------------------------


def crop(images: Array, top: Array, left: Array) -> Array:
    """Cut a 32x32 window out of each image. (N, H, W, 3) -> (N, 32, 32, 3)

    top, left: (N,) integers, first row and first column of the window.
    """
    # differs: augment-granularity (an offset for each image)
    side = jnp.arange(IMAGE_SIDE)
    n = jnp.arange(len(images))
    rows = top[:, None] + side
    cols = left[:, None] + side
    return images[n[:, None, None], rows[:, :, None], cols[:, None, :]]


def flip_lr(images: Array, flip: Array) -> Array:
    """Flip images left to right where flip, (N,) bool, is true. (N, H, W, 3)"""
    return jnp.where(flip[:, None, None, None], images[:, :, ::-1], images)


def cutout(images: Array, top: Array, left: Array, size: int) -> Array:
    """Zero a square of each image. (N, 32, 32, 3) -> the same

    top, left: (N,) integers, first row and first column of the square;
    size: its side in pixels. Source: DeVries and Taylor 2017.
    """
    side = jnp.arange(IMAGE_SIDE)
    rows = (side >= top[:, None]) & (side < top[:, None] + size)
    cols = (side >= left[:, None]) & (side < left[:, None] + size)
    hole = rows[:, :, None] & cols[:, None, :]
    return jnp.where(hole[..., None], 0, images)


def augment(images: Array, draws: Draws, recipe: Recipe) -> Array:
    """Crop, flip, normalize, cut out, as `draws` says.

    (N, 40, 40, 3) uint8 -> (N, 32, 32, 3) float
    """
    images = crop(images, draws.crop_top, draws.crop_left)
    images = normalize(flip_lr(images, draws.flip), recipe)
    if recipe.cutout_size:
        images = cutout(
            images, draws.cutout_top, draws.cutout_left, recipe.cutout_size
        )
    return images


# --- Batches ------------------------------------------------------------

Batches = Iterable[tuple[Array, Array]]


@jax.jit(static_argnames="recipe")
def take_batch(
    data: tuple[Array, Array], draws: Draws, recipe: Recipe
) -> tuple[Array, Array]:
    """Augment one batch: images (N, 32, 32, 3) float, labels (N,) int32."""
    images, labels = data
    images = augment(images[draws.order], draws, recipe)
    return images, labels[draws.order]


def train_batches(
    data: tuple[Array, Array], draws: Draws, recipe: Recipe
) -> Batches:
    """Yield the augmented batches of an epoch, the last, partial one too.

    data: padded images (n, 40, 40, 3) uint8 and labels (n,).
    Yields images (N, 32, 32, 3) float and labels (N,) int32.
    """
    for batch in draws.batches(recipe.batch_size):
        yield take_batch(data, batch, recipe)


def eval_batches(data: tuple[Array, Array], recipe: Recipe) -> Batches:
    """Yield all images in order, only normalized, the partial batch too."""
    # differs: short-batch
    images, labels = data
    for start in range(0, len(labels), recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        yield normalize(images[part], recipe), labels[part]
