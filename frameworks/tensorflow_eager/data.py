"""The data in TensorFlow: device, preprocessing, augmentation, batches.

Read beside pytorch/data.py and jax_flax/data.py. Here:
  - images are (N, H, W, C) on the disk, on the device and in the network
  - XLA compiles a batch's augmentation into one program for each batch size
  - integers are int64: TensorFlow keeps int32 tensors in the host's memory,
    and a GPU would wait for each use of one
  - tf.data is not used: the whole set is on the device
"""

from collections.abc import Iterable
from contextlib import suppress

import tensorflow as tf

from common.cifar10.load import Split
from common.draws import IMAGE_SIDE, Draws
from common.errors import DeviceError
from common.recipe import Recipe
from common.run.gpu import no_gpu
from common.run.machine import count_threads
from frameworks.tensorflow_eager.parallel import share_batch

# --- Device -------------------------------------------------------------


def find_device(name: str) -> str:
    """Return the device for `--device`, "auto", "cpu" or "gpu".

    Raises DeviceError if a GPU is asked for and TensorFlow sees none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        cuda = tf.sysconfig.get_build_info().get("cuda_version")
        no_gpu(name, "TensorFlow", cuda)
    return "/GPU:0" if gpus and name != "cpu" else "/CPU:0"


def describe_device(device: str) -> dict:
    """Describe the device for the record: name, threads, TF32."""
    name = "cpu"
    if device != "/CPU:0":
        gpu = tf.config.list_physical_devices("GPU")[0]
        name = tf.config.experimental.get_device_details(gpu)["device_name"]
    return {
        "device": name,
        "threads": count_threads("TF_NUM_INTRAOP_THREADS"),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
    }


def configure(recipe: Recipe, device: str) -> None:
    """Set every process-wide switch of TensorFlow.

    Raises DeviceError if a GPU shall not be used that is used already.
    """
    if device == "/CPU:0":
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            raise DeviceError(
                "--device cpu: TensorFlow has started with a GPU in this "
                "process; take another process"
            ) from error
    elif not tf.distribute.has_strategy():
        # Else TensorFlow takes the memory of every GPU that is here. Where it
        # has started before, it has it already, and refuses.
        gpus = tf.config.list_physical_devices("GPU")
        with suppress(RuntimeError):
            tf.config.set_visible_devices(gpus[:1], "GPU")
    # differs: tf32 (TensorFlow would use it in convolutions and products)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # The dtype of weights and the optimizer, then that of the layers.
    tf.keras.config.set_floatx(recipe.param_dtype)
    mixed = recipe.compute_dtype == "bfloat16"
    policy = "mixed_bfloat16" if mixed else recipe.compute_dtype
    tf.keras.config.set_dtype_policy(policy)


def to_device(split: Split, device: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Copy a split: images (n, 32, 32, 3) uint8, labels (n,) int64."""
    with tf.device(device):
        images = tf.constant(split.images)
        labels = tf.constant(split.labels, tf.int64)
    return images, labels


# --- Preprocess ---------------------------------------------------------


# Compiled, so that no batch copies mean and std to a GPU anew.
@tf.function(jit_compile=True)
def normalize(images: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Compute (pixel - mean) / std per channel. (..., 3) uint8 -> float"""
    mean = tf.constant(recipe.pixel_mean, recipe.param_dtype)
    std = tf.constant(recipe.pixel_std, recipe.param_dtype)
    return (tf.cast(images, mean.dtype) - mean) / std


# Compiled by XLA, since tf.pad has no kernel for uint8 on a GPU.
@tf.function(jit_compile=True)
def pad(images: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Reflect the border without repeating the edge. Side 32 -> 32 + 2p

    images: (n, 32, 32, 3) of any dtype.
    """
    # differs: pad-mode
    p = recipe.pad_each_side
    return tf.pad(images, [[0, 0], [p, p], [p, p], [0, 0]], mode="REFLECT")


# --- Augment ------------------------------------------------------------


def crop(images: tf.Tensor, top: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Cut a 32x32 window out of each image. (N, H, W, 3) -> (N, 32, 32, 3)

    top, left: (N,) integers, first row and first column of the window.
    """
    # differs: augment-granularity (tf.image.random_crop takes one offset
    # for the whole batch)
    side = tf.range(IMAGE_SIDE, dtype=top.dtype)
    rows = top[:, None] + side
    cols = left[:, None] + side
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, cols, axis=2, batch_dims=1)


def flip_lr(images: tf.Tensor, flip: tf.Tensor) -> tf.Tensor:
    """Flip images left to right where flip, (N,) bool, is true. (N, H, W, 3)"""
    return tf.where(flip[:, None, None, None], images[:, :, ::-1], images)


def cutout(
    images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, size: int
) -> tf.Tensor:
    """Zero a square of each image. (N, 32, 32, 3) -> the same

    top, left: (N,) integers, first row and first column of the square;
    size: its side in pixels. Source: DeVries and Taylor 2017.
    """
    side = tf.range(IMAGE_SIDE, dtype=top.dtype)
    rows = (side >= top[:, None]) & (side < top[:, None] + size)
    cols = (side >= left[:, None]) & (side < left[:, None] + size)
    hole = rows[:, :, None] & cols[:, None, :]
    return tf.where(hole[..., None], tf.zeros_like(images), images)


def augment(images: tf.Tensor, draws: Draws, recipe: Recipe) -> tf.Tensor:
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

Batches = Iterable[tuple[tf.Tensor, tf.Tensor]]


@tf.function(jit_compile=True)
def take_batch(
    data: tuple[tf.Tensor, tf.Tensor],
    arrays: dict[str, tf.Tensor],
    recipe: Recipe,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Augment one batch: images (N, 32, 32, 3) float, labels (N,) int64."""
    # tf.function does not look into a Draws: its tensors come as a dict.
    draws = Draws(**arrays)
    images, labels = (tf.gather(part, draws.order) for part in data)
    return augment(images, draws, recipe), labels


def train_batches(
    data: tuple[tf.Tensor, tf.Tensor], draws: Draws, recipe: Recipe
) -> Batches:
    """Yield the augmented batches of an epoch, the last, partial one too.

    data: padded images (n, 40, 40, 3) uint8 and labels (n,).
    Yields images (N, 32, 32, 3) float and labels (N,) int64.
    """
    images, _ = data
    with tf.device(images.device):
        # Once for the whole epoch.
        draws = draws.map(
            lambda d: tf.constant(d, bool if d.dtype == bool else tf.int64)
        )
    for batch in draws.batches(recipe.batch_size):
        yield take_batch(data, vars(share_batch(batch)), recipe)


def eval_batches(data: tuple[tf.Tensor, tf.Tensor], recipe: Recipe) -> Batches:
    """Yield all images in order, only normalized, the partial batch too."""
    # differs: short-batch
    images, labels = data
    for start in range(0, len(labels), recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        pixels = normalize(share_batch(images[part]), recipe)
        yield pixels, share_batch(labels[part])
