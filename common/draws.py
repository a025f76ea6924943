"""All random choices of an epoch that touch the data, drawn by NumPy.

The frameworks apply them; none draws its own. So all three see the same
images, equally shifted and flipped, in the same order.
"""

from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

import numpy as np

from common.recipe import Recipe

IMAGE_SIDE = 32


Array = TypeVar("Array", bound=Sized)  # of NumPy, or of a framework
Other = TypeVar("Other", bound=Sized)


@dataclass(frozen=True)
class Draws(Generic[Array]):
    """The choices for n images, in the order in which they are shown.

    Every field is an array of shape (n,).
    """

    order: Array  # int32, place of the image in the data set
    crop_top: Array  # int32, first row of the crop, 0 to 2 * padding
    crop_left: Array  # int32, first column of the crop
    flip: Array  # bool, flip left-right
    cutout_top: Array  # int32, first row of the blanked square
    cutout_left: Array  # int32, first column of the blanked square

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, part: slice) -> "Draws[Array]":
        """The choices for some of the images."""
        return Draws(*(getattr(self, f.name)[part] for f in fields(self)))

    def map(self, function: Callable[[Array], Other]) -> "Draws[Other]":
        """The same choices, each array as the function gives it."""
        return Draws(*(function(getattr(self, f.name)) for f in fields(self)))

    def batches(self, batch_size: int) -> Iterator["Draws[Array]"]:
        """The same choices batch by batch; the last one may be short."""
        for start in range(0, len(self), batch_size):
            yield self[start : start + batch_size]


def epoch_draws(seed: int, epoch: int, recipe: Recipe) -> Draws[np.ndarray]:
    """The choices of one epoch, counted from 0, for all training images.

    Each field has a random stream of its own: what one of them is used for,
    or how many numbers it takes, changes no other.
    """
    n = recipe.train_images
    streams = [
        np.random.default_rng(child)
        for child in np.random.SeedSequence([seed, epoch]).spawn(6)
    ]
    order, crop_top, crop_left, flip, cutout_top, cutout_left = streams
    crops = 2 * recipe.pad_each_side + 1
    # The square lies wholly inside the image, as in Page's Cutout.
    holes = IMAGE_SIDE - recipe.cutout_size + 1
    return Draws(
        order=order.permutation(n).astype(np.int32),
        crop_top=crop_top.integers(crops, size=n, dtype=np.int32),
        crop_left=crop_left.integers(crops, size=n, dtype=np.int32),
        flip=flip.integers(2, size=n, dtype=np.int8).astype(bool),
        cutout_top=cutout_top.integers(holes, size=n, dtype=np.int32),
        cutout_left=cutout_left.integers(holes, size=n, dtype=np.int32),
    )


def dropout_seed(seed: int, step: int, rank: int = 0) -> int:
    """A 32-bit seed for the dropout masks of one step, in one process.

    For generators that take one number; they may ignore the upper half of
    a longer one. Rank 0 has the seed of a process that is alone.
    """
    numbers = [seed, step, rank] if rank else [seed, step]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
