"""Rung 2: images on their way into the network."""

from dataclasses import replace

import numpy as np

from common.cifar10 import synthetic
from common.draws import Draws, epoch_draws
from parity_tests.harness.cases import DATA, PRECISIONS, Arrays, rng
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.oracle import data as oracle_data

N = 12  # images for the single operations


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
    for precision in PRECISIONS:
        found[f"2/{precision}/normalize/images"] = oracle_data.normalize(
            images, DATA
        )
        for epoch, size in enumerate((8, 0)):
            recipe = with_cutout(size)
            draws: Draws = epoch_draws(7, epoch, recipe)
            shown = oracle_data.augment(
                data["x_train"][draws.order], draws, recipe
            )
            prefix = f"2/{precision}/train{size}"
            found[f"{prefix}/images"] = shown
            found[f"{prefix}/labels"] = data["y_train"][draws.order]
            found[f"{prefix}/sizes"] = np.array([16, 16, 5])
            found[f"{prefix}/labels-shape"] = np.array([16])
        prefix = f"2/{precision}/eval"
        found[f"{prefix}/images"] = oracle_data.normalize(data["x_test"], DATA)
        found[f"{prefix}/labels"] = data["y_test"]
        found[f"{prefix}/sizes"] = np.array([16, 16, 9])
        found[f"{prefix}/labels-shape"] = np.array([16])
    return found
