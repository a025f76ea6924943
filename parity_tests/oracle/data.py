"""What happens to an image before the network sees it, in plain NumPy.

Loops over single images, as one would explain it. Public functions take and
return batches; random choices come in as arguments, one per image.
"""

import numpy as np

from common.draws import IMAGE_SIDE, Draws
from common.recipe import Recipe

Array = np.ndarray


def normalize(images: Array, recipe: Recipe) -> Array:
    """(pixel - mean) / std by channel: (N, H, W, 3) uint8 -> float64."""
    mean, std = np.array(recipe.pixel_mean), np.array(recipe.pixel_std)
    return (images.astype(np.float64) - mean) / std


def pad(images: Array, recipe: Recipe) -> Array:
    """The image is reflected at its edge pixels, which are not repeated.

    The edge itself is not repeated: ... 2 1 [0 1 2 ... 31] 30 29 ...
    """
    places = [
        _reflect(place)
        for place in range(
            -recipe.pad_each_side, IMAGE_SIDE + recipe.pad_each_side
        )
    ]
    return np.stack([image[places][:, places] for image in images])


def _reflect(place: int) -> int:
    """The row or column of the picture that is seen at `place`."""
    last = IMAGE_SIDE - 1
    if place < 0:
        return -place
    if place > last:
        return 2 * last - place
    return place


def crop(images: Array, top: Array, left: Array) -> Array:
    """32x32 from the padded image, its first row and column as drawn."""
    return np.stack(
        [
            image[row : row + IMAGE_SIDE, col : col + IMAGE_SIDE]
            for image, row, col in zip(images, top, left, strict=True)
        ]
    )


def flip_lr(images: Array, flip: Array) -> Array:
    """Columns in reverse order where `flip` is True."""
    return np.stack(
        [
            image[:, ::-1] if flipped else image
            for image, flipped in zip(images, flip, strict=True)
        ]
    )


def cutout(images: Array, top: Array, left: Array, recipe: Recipe) -> Array:
    """A square of zeros in each image; a new array."""
    out, size = images.copy(), recipe.cutout_size
    for image, row, col in zip(out, top, left, strict=True):
        image[row : row + size, col : col + size] = 0
    return out


def augment(images: Array, draws: Draws, recipe: Recipe) -> Array:
    """Reflect-pad, crop, flip, normalize, cutout.

    images: (N, 32, 32, 3) uint8, already in the order in which they are
        shown: images[i] gets the choices draws[i]; draws.order is not used.
    Returns (N, 32, 32, 3) float64.

    Moving pixels and normalizing them may change places, bit for bit. The
    square may not: its zeros are those of the normalized image, the mean
    color, and its place is counted in the image as the network sees it.
    """
    images = pad(images, recipe)
    images = crop(images, draws.crop_top, draws.crop_left)
    images = flip_lr(images, draws.flip)
    images = normalize(images, recipe)
    return cutout(images, draws.cutout_top, draws.cutout_left, recipe)
