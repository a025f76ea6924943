"""The data in PyTorch: device, preprocessing, augmentation, batches.

Read beside tensorflow_eager/data.py and jax_flax/data.py. Here:
  - images are stored as (N, H, W, C); a batch is an (N, C, H, W) view of that
  - augmentation is tensor indexing, run eagerly on the device
  - labels are int64, which PyTorch's cross entropy requires
  - a DataLoader is not used: the whole set is on the device
"""

import warnings
from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor

from common.cifar10.load import Split
from common.draws import IMAGE_SIDE, Draws
from common.recipe import Recipe
from common.run.gpu import no_gpu
from frameworks.pytorch.parallel import share_batch

# --- Device -------------------------------------------------------------


def find_device(name: str) -> torch.device:
    """Return the device for `--device`, "auto", "cpu" or "gpu".

    Raises DeviceError if a GPU is asked for and PyTorch sees none.
    """
    gpu = name != "cpu" and torch.cuda.is_available()
    if not gpu:
        no_gpu(name, "PyTorch", torch.version.cuda, torch.cuda.init)
    return torch.device("cuda" if gpu else "cpu")


def describe_device(device: torch.device) -> dict:
    """Describe the device for the record: name, threads, TF32."""
    cpu = device.type == "cpu"
    return {
        "device": "cpu" if cpu else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads(),
        "tf32": torch.backends.cudnn.allow_tf32,
    }


def configure(recipe: Recipe, device: torch.device) -> None:
    """Set every process-wide switch of PyTorch.

    Nothing depends on recipe or device: dtypes belong to each module here.
    """
    # differs: tf32 (PyTorch would use it in convolutions)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    # torch.compile advises to use it.
    warnings.filterwarnings("ignore", "TensorFloat32 tensor cores")
    # Try cuDNN's algorithms for a convolution while warming up and keep the
    # fastest; the other two frameworks do so by default.
    torch.backends.cudnn.benchmark = True


def to_device(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    """Copy a split: images (n, 32, 32, 3) uint8, labels (n,) int64."""
    # A copy: the arrays are memory maps of the cache.
    images = torch.tensor(split.images, device=device)
    # differs: labels-shape
    labels = torch.tensor(split.labels, dtype=torch.int64, device=device)
    return images, labels


# --- Preprocess ---------------------------------------------------------


@cache  # one transfer in all: one for every batch would make a GPU wait
@torch.inference_mode(False)  # one that autograd takes, whoever asks first
def mean_and_std(recipe: Recipe, device: torch.device) -> Tensor:
    """Return mean and standard deviation of each channel's pixels. (2, 3)"""
    dtype = getattr(torch, recipe.param_dtype)
    both = (recipe.pixel_mean, recipe.pixel_std)
    return torch.tensor(both, dtype=dtype, device=device)


def normalize(images: Tensor, recipe: Recipe) -> Tensor:
    """Compute (pixel - mean) / std per channel. (..., 3) uint8 -> float"""
    mean, std = mean_and_std(recipe, images.device)
    return (images.to(mean.dtype) - mean) / std


def pad(images: Tensor, recipe: Recipe) -> Tensor:
    """Reflect the border without repeating the edge. Side 32 -> 32 + 2p

    images: (n, 32, 32, 3) of any dtype.
    """
    # differs: pad-mode (F.pad reflects the last axes; an index takes any)
    p = recipe.pad_each_side
    place = torch.arange(-p, IMAGE_SIDE + p, device=images.device).abs()
    last = IMAGE_SIDE - 1
    place = last - (last - place).abs()
    return images[:, place][:, :, place]


# --- Augment ------------------------------------------------------------


def crop(images: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """Cut a 32x32 window out of each image. (N, H, W, 3) -> (N, 32, 32, 3)

    top, left: (N,) integers, first row and first column of the window.
    """
    # differs: augment-granularity (an offset for each image)
    # A view of all windows, (N, rows, cols, 32, 32, 3): picking one copies
    # whole rows of it, in a fifth of the time of an index for each pixel.
    windows = images.unfold(1, IMAGE_SIDE, 1).unfold(2, IMAGE_SIDE, 1)
    n = torch.arange(len(images), device=images.device)
    return windows.permute(0, 1, 2, 4, 5, 3)[n, top, left]


def flip_lr(images: Tensor, flip: Tensor) -> Tensor:
    """Flip images left to right where flip, (N,) bool, is true. (N, H, W, 3)"""
    return torch.where(flip[:, None, None, None], images.flip(2), images)


def cutout(images: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
    """Zero a square of each image. (N, 32, 32, 3) -> the same

    top, left: (N,) integers, first row and first column of the square;
    size: its side in pixels. Source: DeVries and Taylor 2017.
    """
    side = torch.arange(IMAGE_SIDE, device=images.device)
    rows = (side >= top[:, None]) & (side < top[:, None] + size)
    cols = (side >= left[:, None]) & (side < left[:, None] + size)
    hole = rows[:, :, None] & cols[:, None, :]
    return images.masked_fill(hole[..., None], 0)


def augment(images: Tensor, draws: Draws, recipe: Recipe) -> Tensor:
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

Batches = Iterable[tuple[Tensor, Tensor]]


def take_batch(
    data: tuple[Tensor, Tensor], draws: Draws, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Augment one batch: images (N, 3, 32, 32) float, labels (N,) int64."""
    images, labels = data
    images = augment(images[draws.order], draws, recipe)
    return images.permute(0, 3, 1, 2), labels[draws.order]


def train_batches(
    data: tuple[Tensor, Tensor], draws: Draws, recipe: Recipe
) -> Batches:
    """Yield the augmented batches of an epoch, the last, partial one too.

    data: padded images (n, 40, 40, 3) uint8 and labels (n,).
    Yields images (N, 3, 32, 32) float and labels (N,) int64.
    """
    images, _ = data
    # Once for the whole epoch.
    draws = draws.map(lambda d: torch.from_numpy(d).to(images.device))
    for batch in draws.batches(recipe.batch_size):
        yield take_batch(data, share_batch(batch), recipe)


def eval_batches(data: tuple[Tensor, Tensor], recipe: Recipe) -> Batches:
    """Yield all images in order, only normalized, the partial batch too."""
    # differs: short-batch
    images, labels = data
    for start in range(0, len(labels), recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        pixels = normalize(share_batch(images[part]), recipe)
        yield pixels.permute(0, 3, 1, 2), share_batch(labels[part])
