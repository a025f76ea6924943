"""Recipes and inputs that all traces and the oracle share, made by NumPy.

All numbers fit in float32, so that both precisions see the same inputs.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from common.init import parameter_table, shared_params
from common.recipe import Recipe

Arrays = dict[str, np.ndarray]
ROOT = Path(__file__).parents[2]
PRECISIONS = ("float64", "float32")
# Other cases of the same kinds: other seeds, and the images of each batch in
# another order. `tools/machines` sets them; 0, 0 are the ladder's own.
VARIANT = int(os.environ.get("DAVIDNET_PARITY_VARIANT", "0"))
ORDER = int(os.environ.get("DAVIDNET_PARITY_ORDER", "0"))
# Seeds of the float32 cases, by variant: `python -m parity_tests.calm` chose
# them, so that no ReLU, pool or largest logit is near a tie.
CALM_FILE = Path(__file__).with_name("calm_seeds.json")

# Every field differs from its default where that tells something apart.
# Rungs 4 and 5: no decay, so that the first velocity is the gradient.
NET = Recipe(width=8, batch_size=8, cutout_size=0, weight_decay=0.0)
# Rung 2: two whole batches and a short one, in training and evaluation.
DATA = Recipe(width=2, batch_size=16, train_images=37, test_images=41)
# Rungs 1 and 6: no gradient but that of the decay.
# (1e-300 times a gradient is lost beside any weight; 0 is no logit scale.)
STILL = Recipe(width=1, cutout_size=0, logit_scale=1e-300)
# Rung 7: 4 epochs of 5 steps, the last of 12 images. Warm-up in steps 0 to
# 5, the peak at 5, decay to the end; step 10 is between two epochs.
TRAJECTORY = Recipe(
    width=8, epochs=4, batch_size=16, train_images=76, test_images=24
)
# The calm cases, in float32: small, and at a lower rate (rung7_calm.py).
SMALL = replace(NET, width=4)
CALM = replace(TRAJECTORY, width=4, peak_lr=0.01, cutout_size=0)
# Full width, two steps; at the default rate and with the full decay.
WIDE = Recipe(epochs=4, batch_size=8, train_images=16, test_images=8)
# Rung 8, the short race, in float64: in float32 rounding alone moves accuracies
# by 8 points after two epochs.
RACE = Recipe(
    width=8,
    epochs=5,
    batch_size=32,
    peak_lr=0.05,
    cutout_size=0,
    train_images=1024,
    test_images=256,
)
RECIPES = {
    "net": NET,
    "small": SMALL,
    "data": DATA,
    "still": STILL,
    "trajectory": TRAJECTORY,
    "calm": CALM,
    "wide": WIDE,
    "race": RACE,
    "full": Recipe(),
}


def rng(*seed: int) -> np.random.Generator:
    """A stream of its own for each purpose, and each variant."""
    return np.random.default_rng([*seed, VARIANT] if VARIANT else seed)


def ordered(*arrays: np.ndarray) -> Iterator[np.ndarray]:
    """The images and labels of a batch, in the order of this machine."""
    for array in arrays:
        if ORDER == 0:
            yield array
        else:
            yield array[rng(ORDER, 47).permutation(len(array))]


def calm_seeds() -> dict:
    """By float32 case its seed; of the trajectory, one for each step."""
    return json.loads(CALM_FILE.read_text())[str(VARIANT)]


def random_params(recipe: Recipe, seed: int) -> Arrays:
    """A network in mid-training: nothing is 0, 1 or symmetric."""
    draw, arrays = rng(seed, 40), shared_params(recipe, seed)
    for row in parameter_table(recipe):
        if row.role == "kernel":
            continue
        value = {
            "scale": lambda n: draw.uniform(0.5, 1.5, n),
            "bias": lambda n: draw.normal(0, 0.3, n),
            "mean": lambda n: draw.normal(0, 0.3, n),
            "var": lambda n: draw.uniform(0.5, 2, n),
        }[row.role](row.shape)
        arrays[row.name] = value.astype(np.float32)
    return arrays


def calm_params(recipe: Recipe, seed: int) -> Arrays:
    """The same, with few numbers near 0 before a ReLU.

    Batch norm gives each channel a standard deviation of 0.5 to 1.5; here
    its mean is 1.5 to 2 above or below 0, so that at most a sixth of a
    channel lies beyond.
    """
    draw, arrays = rng(seed, 48), random_params(recipe, seed)
    for name, array in arrays.items():
        if name.endswith("bn.bias"):
            side = draw.choice([-1.0, 1.0], array.shape)
            value = side * draw.uniform(1.5, 2.0, array.shape)
            arrays[name] = value.astype(np.float32)
    return arrays


def random_images(n: int, side: int, seed: int) -> np.ndarray:
    """(n, side, side, 3) float32, like normalized images."""
    return rng(seed, 41).normal(size=(n, side, side, 3)).astype(np.float32)


def random_labels(n: int, seed: int) -> np.ndarray:
    """(n,) integers, 0 to 9."""
    return rng(seed, 42).integers(10, size=n)


def recipe_hash() -> str:
    """One sum over all recipes of the ladder, and the variant of its cases."""
    recipes = {k: asdict(r) for k, r in RECIPES.items()}
    text = json.dumps(recipes | {"variant": VARIANT, "order": ORDER})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_hash() -> str:
    """One sum over what both sides of a comparison must share.

    That is common/, and what makes the cases and traces: parity_tests/rungs/,
    parity_tests/harness/ with the seeds, and the oracle with David Page's
    numbers. The frameworks' own folders are what is compared.
    """
    return hash_of(shared_files())


def hash_of(files: Iterable[Path]) -> str:
    """One sum over the names and contents of some files of this project."""
    total = hashlib.sha256()
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        total.update(name.encode() + file.read_bytes())
    return total.hexdigest()[:16]


def shared_files() -> list[Path]:
    """The files that source_hash() covers."""
    rooms = ("rungs", "harness", "oracle")
    folders = (ROOT / "common", *(ROOT / "parity_tests" / r for r in rooms))
    return [
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in (".py", ".json", ".npz")
    ]
