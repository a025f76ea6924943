"""Rung 2: images on their way into the network."""

from dataclasses import replace

import numpy as np

from common.cifar10 import synthetic
from common.draws import Draws, epoch_draws
from common.recipe import Recipe
from parity_tests.harness.cases import DATA, PRECISIONS, Arrays, rng
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import data as oracle_data

N = 12  # images for the single operations
# No preset has such a border, hole, batch, mean or deviation. All training
# images are one batch.
OTHER = replace(
    DATA,
    pad_each_side=31,
    cutout_size=21,
    batch_size=37,
    pixel_mean=(20.0, 200.0, 90.0),
    pixel_std=(3.0, 70.0, 11.0),
    precision="float64",
)


def sets() -> Arrays:
    """A small data set."""
    return synthetic.make(5, DATA.train_images, DATA.test_images)


def choices() -> dict[str, np.ndarray]:
    """Offsets at the corners and between, flips on and off."""
    draw = rng(0, 43)
    top = np.r_[0, 0, 8, 8, draw.integers(9, size=N - 4)].astype(np.int32)
    left = np.r_[0, 8, 0, 8, draw.integers(9, size=N - 4)].astype(np.int32)
    hole = np.r_[0, 0, 24, 24, draw.integers(25, size=N - 4)]
    return {
        "top": top,
        "left": left,
        "flip": np.arange(N) % 3 == 0,
        "hole_top": hole.astype(np.int32),
        "hole_left": hole[::-1].astype(np.int32),
    }


def trace(driver: Driver) -> None:
    """Single operations on bytes, then whole epochs of batches."""
    data, adapter = sets(), driver.adapter
    pick = {k: adapter.tensor(v, driver.device) for k, v in choices().items()}
    images = adapter.tensor(data["x_train"][:N], driver.device)
    padded = driver.data.pad(images, DATA)
    found = {
        "pad": padded,
        "crop": driver.data.crop(padded, pick["top"], pick["left"]),
        "flip": driver.data.flip_lr(images, pick["flip"]),
        "cutout": driver.data.cutout(
            images, pick["hole_top"], pick["hole_left"], 8
        ),
    }
    for name, value in found.items():
        driver.put(f"2/uint8/{name}/images", adapter.array(value))
    for precision in PRECISIONS:
        recipe = in_precision(DATA, precision)
        driver.data.configure(recipe, driver.device)
        normal = driver.data.normalize(images, recipe)
        driver.put(f"2/{precision}/normalize/images", adapter.array(normal))
        train, test = driver.splits(data, recipe)
        # Once with holes and once without, two different epochs.
        for epoch, size in enumerate((8, 0)):
            plan = in_precision(with_cutout(size), precision)
            batches = driver.data.train_batches(
                train, epoch_draws(7, epoch, plan), plan
            )
            put_batches(driver, f"2/{precision}/train{size}", batches)
        batches = driver.data.eval_batches(test, recipe)
        put_batches(driver, f"2/{precision}/eval", batches)
    train, test = driver.splits(data, OTHER)
    draws = epoch_draws(7, 2, OTHER)
    batches = driver.data.train_batches(train, draws, OTHER)
    put_batches(driver, "2/float64/other-train", batches)
    batches = driver.data.eval_batches(test, OTHER)
    put_batches(driver, "2/float64/other-eval", batches)


def with_cutout(size: int):
    """The recipe of this rung with holes of this size."""
    return replace(DATA, cutout_size=size)


def put_batches(driver: Driver, prefix: str, batches) -> None:
    """Images, labels and sizes of all batches of an epoch."""
    images, labels = [], []
    for some, right in batches:
        images.append(driver.adapter.pictures(some))
        labels.append(driver.adapter.array(right))
    driver.put(f"{prefix}/sizes", [len(right) for right in labels])
    driver.put(f"{prefix}/images", np.concatenate(images))
    driver.put(f"{prefix}/labels", np.concatenate(labels))
    driver.put(f"{prefix}/labels-shape", labels[0].shape)


def expected() -> Arrays:
    """The same from the oracle."""
    data, pick = sets(), choices()
    images = data["x_train"][:N]
    padded = oracle_data.pad(images, DATA)
    found = {
        "2/uint8/pad/images": padded,
        "2/uint8/crop/images": oracle_data.crop(
            padded, pick["top"], pick["left"]
        ),
        "2/uint8/flip/images": oracle_data.flip_lr(images, pick["flip"]),
        "2/uint8/cutout/images": oracle_data.cutout(
            images, pick["hole_top"], pick["hole_left"], DATA
        ),
    }

    def train(prefix: str, epoch: int, recipe: Recipe, sizes: list) -> None:
        draws: Draws = epoch_draws(7, epoch, recipe)
        shown = data["x_train"][draws.order]
        found[f"{prefix}/images"] = oracle_data.augment(shown, draws, recipe)
        found[f"{prefix}/labels"] = data["y_train"][draws.order]
        found[f"{prefix}/sizes"] = np.array(sizes)
        found[f"{prefix}/labels-shape"] = np.array(sizes[:1])

    def test(prefix: str, recipe: Recipe, sizes: list) -> None:
        shown = oracle_data.normalize(data["x_test"], recipe)
        found[f"{prefix}/images"] = shown
        found[f"{prefix}/labels"] = data["y_test"]
        found[f"{prefix}/sizes"] = np.array(sizes)
        found[f"{prefix}/labels-shape"] = np.array(sizes[:1])

    for precision in PRECISIONS:
        found[f"2/{precision}/normalize/images"] = oracle_data.normalize(
            images, DATA
        )
        for epoch, size in enumerate((8, 0)):
            recipe = with_cutout(size)
            train(f"2/{precision}/train{size}", epoch, recipe, [16, 16, 5])
        test(f"2/{precision}/eval", DATA, [16, 16, 9])
    train("2/float64/other-train", 2, OTHER, [37])
    test("2/float64/other-eval", OTHER, [37, 4])
    return found
