"""Pictures that teach: images on their way into the network.

The oracle draws them. Rung 2 of the ladder shows that the bytes of the three
frameworks are equal to the oracle's.
"""

import base64
import io
import os
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from common.cifar10.classes import CLASS_NAMES
from common.cifar10.load import Cifar10, Split, load_data
from common.draws import epoch_draws
from common.errors import UserError
from common.recipe import PRESETS, Run
from parity_tests.oracle import data as oracle

COUNT, SEED = 8, 0  # images of epoch 0, in the order of this seed
RECIPE = replace(PRESETS["dawnbench"], cutout_size=8)


def picture(image: np.ndarray) -> str:
    """A data address of an image: (H, W, 3) uint8, or normalized float."""
    if image.dtype != np.uint8:
        image = image * np.array(RECIPE.pixel_std) + RECIPE.pixel_mean
        image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


@dataclass
class Shown:
    """One training image, its choices and what each stage made of it."""

    label: str
    place: int  # in the training set
    draws: dict[str, int]
    plain: str
    padded: str
    stages: dict[str, str]


def cifar10(data_dir: str | None = None) -> tuple[Cifar10 | None, str]:
    """The data as they are on this disk, or why they are not."""
    try:
        run = Run(offline=True, data_dir=data_dir)
        return load_data(RECIPE, run, lambda _: None), ""
    except UserError as error:
        cache = os.environ.get("DAVIDNET_CACHE", "~/.cache/davidnet")
        return None, f"no CIFAR-10 on this disk ({cache}): {error}"


def lesson(train: Split) -> list[Shown]:
    """The first images that a training sees, with their stages."""
    draws = epoch_draws(SEED, 0, RECIPE)[:COUNT]
    images = np.stack([train.images[i] for i in draws.order])
    padded = oracle.pad(images, RECIPE)
    crop = oracle.crop(padded, draws.crop_top, draws.crop_left)
    flip = oracle.flip_lr(crop, draws.flip)
    cut = oracle.augment(images, draws, RECIPE)
    return [
        Shown(
            label=CLASS_NAMES[int(train.labels[place])],
            place=int(place),
            draws={n: int(a[i]) for n, a in vars(draws).items()},
            plain=picture(images[i]),
            padded=picture(padded[i]),
            stages={
                "crop": picture(crop[i]),
                "flip": picture(flip[i]),
                "all": picture(cut[i]),
            },
        )
        for i, place in enumerate(draws.order)
    ]
