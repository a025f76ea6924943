"""Pictures that teach: images on their way into the network."""

import base64
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.cifar10.classes import CLASS_NAMES
from common.errors import UserError
from parity_tests.oracle import data as oracle_data
from tools.site.augmented import (
    COUNT,
    RECIPE,
    STAGES,
    chosen,
    fingerprint,
)
from tools.site.contract import FRAMEWORKS


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
    top: int
    left: int
    flip: bool
    hole_top: int
    hole_left: int
    plain: str
    padded: str
    stages: dict[str, dict[str, str]]  # by maker, by stage


@dataclass
class Verdict:
    """Whether a stage is the same in all three."""

    stage: str
    sums: dict[str, str]  # by framework
    equal: bool
    largest: float  # difference between any two


@dataclass
class Lesson:
    """What the page of pictures shows of the data."""

    shown: list[Shown]
    makers: dict[str, str]  # folder: title, or the oracle
    verdicts: list[Verdict]
    problem: str = ""


def lesson(folder: Path | None, data_dir: str | None = None) -> Lesson:
    """Images as the frameworks augmented them, or else as the oracle does.

    folder: of the files that `tools.site.augmented` wrote, or None.
    """
    try:
        images, labels, draws = chosen(data_dir)
    except UserError as error:
        cache = os.environ.get("DAVIDNET_CACHE", "~/.cache/davidnet")
        reason = f"no CIFAR-10 on this disk ({cache}): {error}"
        return Lesson([], {}, [], reason)
    padded = oracle_data.pad(images, RECIPE)
    made = dict(traces(folder, images))
    problem = ""
    makers = {name: FRAMEWORKS[name] for name in made}
    if len(made) < len(FRAMEWORKS):
        made = {"oracle": oracle(images, draws)}
        makers = {"oracle": "the NumPy oracle"}
        problem = "the frameworks' own pictures were not made"
    shown = [
        Shown(
            label=CLASS_NAMES[int(labels[i])],
            place=int(draws.order[i]),
            top=int(draws.crop_top[i]),
            left=int(draws.crop_left[i]),
            flip=bool(draws.flip[i]),
            hole_top=int(draws.cutout_top[i]),
            hole_left=int(draws.cutout_left[i]),
            plain=picture(images[i]),
            padded=picture(padded[i]),
            stages={
                maker: {name: picture(found[name][i]) for name in STAGES}
                for maker, found in made.items()
            },
        )
        for i in range(COUNT)
    ]
    return Lesson(shown, makers, list(verdicts(made)), problem)


def oracle(images: np.ndarray, draws) -> dict[str, np.ndarray]:
    """The same stages by parity_tests/oracle/data.py."""
    padded = oracle_data.pad(images, RECIPE)
    crop = oracle_data.crop(padded, draws.crop_top, draws.crop_left)
    flip = oracle_data.flip_lr(crop, draws.flip)
    cut = oracle_data.augment(images, draws, RECIPE)
    return dict(zip(STAGES, (crop, flip, cut), strict=True))


def traces(folder: Path | None, images) -> Iterator[tuple[str, dict]]:
    """The frameworks' files, of exactly these images; others are no use."""
    for framework in FRAMEWORKS if folder else ():
        try:
            with np.load(folder / f"{framework}.npz") as file:
                found = {name: file[name] for name in file.files}
        except (OSError, ValueError):
            continue
        wanted = {*STAGES, "images"}
        if wanted <= set(found) and np.array_equal(found["images"], images):
            yield framework, found


def verdicts(made: dict[str, dict]) -> Iterator[Verdict]:
    """A verdict for each stage."""
    for stage in STAGES:
        arrays = [found[stage] for found in made.values()]
        sums = {
            maker: fingerprint(found[stage]) for maker, found in made.items()
        }
        wide = [array.astype(np.float64) for array in arrays]
        largest = max(float(abs(a - wide[0]).max()) for a in wide)
        yield Verdict(stage, sums, len(set(sums.values())) == 1, largest)
