"""A few real training images as one framework augments them.

    python -m tools.site.augmented --framework pytorch

Run in the framework's own environment, once for each. The site shows the
three files beside each other, and says whether they are equal bit by bit.
"""

import hashlib
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from common.cifar10.load import load_data
from common.draws import Draws, epoch_draws
from common.errors import UserError
from common.recipe import PRESETS, Recipe, Run
from common.run.usage import PathFlag

# Of the order in which epoch 0 of seed 0 shows the images.
FIRST, COUNT = 0, 8
SEED = 0
RECIPE = replace(PRESETS["dawnbench"], cutout_size=8)
STAGES = ("crop", "flip", "cutout")


@dataclass
class Flags:
    """Augment some images in one framework."""

    framework: Literal["tensorflow_eager", "pytorch", "jax_flax"]
    # folder of the .npz; its name is the framework's
    out: PathFlag = Path("traces/augmented")
    # where CIFAR-10 lies, as in the training programs
    data_dir: str | None = None


def chosen(data_dir: str | None = None) -> tuple[np.ndarray, np.ndarray, Draws]:
    """Images (n, 32, 32, 3) uint8 and labels as shown first, their draws.

    Touches no network. Raises a UserError if CIFAR-10 is not on this disk.
    """
    run = Run(offline=True, data_dir=data_dir)
    data = load_data(RECIPE, run, lambda _: None).train
    draws = epoch_draws(SEED, 0, RECIPE).part(FIRST, FIRST + COUNT)
    images = np.array(data.images[np.sort(draws.order)])
    images = images[np.argsort(np.argsort(draws.order))]
    return images, np.array(data.labels)[draws.order], draws


def fingerprint(array: np.ndarray) -> str:
    """The start of the SHA-256 of an array's bytes."""
    data = np.ascontiguousarray(array).tobytes()
    return hashlib.sha256(data).hexdigest()[:16]


def stages(module, images, draws: Draws, recipe: Recipe, place) -> dict:
    """The images after crop, after the flip and after all of it.

    module: a framework's data.py, or the oracle with the same functions;
    place: makes a tensor of an array.
    """
    padded = module.pad(place(images), recipe)
    crop = module.crop(padded, place(draws.crop_top), place(draws.crop_left))
    flip = module.flip_lr(crop, place(draws.flip))
    parts = [place(getattr(draws, name)) for name in draws.__dict__]
    cut = module.augment(padded, Draws(*parts), recipe)
    return dict(zip(STAGES, (crop, flip, cut), strict=True))


def main(argv: list[str] | None = None) -> int:
    """Write one framework's file; the exit code."""
    flags = tyro.cli(Flags, args=argv)
    try:
        images, labels, draws = chosen(flags.data_dir)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    module = import_module(f"frameworks.{flags.framework}.data")
    device = module.find_device("cpu")
    place = placer(flags.framework, device)
    found = stages(module, images, draws, RECIPE, place)
    arrays = {name: np.asarray(value) for name, value in found.items()}
    flags.out.mkdir(parents=True, exist_ok=True)
    target = flags.out / f"{flags.framework}.npz"
    np.savez(target, images=images, labels=labels, **arrays)
    print(target, *(fingerprint(array) for array in arrays.values()))
    return 0


def placer(framework: str, device):
    """The function that makes a framework's tensor of an array."""
    if framework == "pytorch":
        torch = import_module("torch")
        return lambda array: torch.tensor(array, device=device)
    if framework == "jax_flax":
        jax = import_module("jax")
        return lambda array: jax.device_put(array, device)
    return import_module("tensorflow").constant


if __name__ == "__main__":
    sys.exit(main())
