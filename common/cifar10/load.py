"""CIFAR-10 as arrays: from this disk, from the cache, or from the network.

Whatever the source, the sum of the content decides (`checksums.py`), and
the result is kept once, in the cache. Nothing here is framework code.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.cifar10 import checksums, sources, synthetic
from common.cifar10.archives import read_place
from common.cifar10.cache import (
    FOLDER,
    Cached,
    cache_lock,
    cache_root,
    read_cache,
    write_cache,
)
from common.cifar10.checksums import Arrays, array_sums
from common.errors import DataError, SourceError
from common.files import disk_errors, user_path
from common.recipe import Recipe, Run

Say = Callable[[str], None]


@dataclass(frozen=True)
class Split:
    """Images and their labels."""

    images: np.ndarray  # (n, 32, 32, 3) uint8
    labels: np.ndarray  # (n,) uint8, 0 to 9


@dataclass(frozen=True)
class Cifar10:
    """The data of a training."""

    train: Split
    test: Split
    source: str  # where the data came from
    sums: dict[str, str]  # SHA-256 of the whole arrays, by name


def load_data(recipe: Recipe, run: Run, say: Say = print) -> Cifar10:
    """The first train_images and test_images of the set that `run` names.

    run: dataset, data_dir, offline, and for a synthetic set the seed
    say: takes each line on what is tried and why it failed

    Raises DataError if data are damaged or are not CIFAR-10, SourceError if
    no source has them, DiskError if the disk fails or the cache folder
    cannot be written to, UsageError if DAVIDNET_MIRROR is not https.
    """
    place = run.data_dir or os.environ.get("DAVIDNET_DATA")
    if run.dataset == "synthetic":
        n_train, n_test = recipe.train_images, recipe.test_images
        arrays = synthetic.make(run.seed, n_train, n_test)
        data = Cached(arrays, f"synthetic, seed {run.seed}")
        return _first(recipe, data, array_sums(arrays))
    if place:
        data = _from_place(user_path(place).absolute(), say)
    else:
        data = _from_cache_or_network(run.offline, say)
    return _first(recipe, data, dict(checksums.EXPECTED.sums))


def _from_place(place: Path, say: Say) -> Cached:
    """From the disk; what is no cache itself is copied into the cache."""
    advice = "check its permissions and --data-dir"
    for folder in (place, place / FOLDER):
        data = read_cache(folder, advice)
        if data is not None:
            say(f"CIFAR-10: checked, from the cache {folder}")
            return Cached(data.arrays, str(folder))
    say(f"CIFAR-10: reading {place}")
    # Read at every start, even if the cache is good: a place that was asked
    # for and is not good is an error.
    with disk_errors(place, advice, "read"):
        arrays = read_place(place)
    data = _kept(cache_root(), say, lambda: (arrays, str(place)))
    # The arrays are equal, wherever the cache has them from.
    return Cached(data.arrays, str(place))


def _from_cache_or_network(offline: bool, say: Say) -> Cached:
    """From the cache; if that is not good, from the network, into it."""
    root = cache_root()
    folder = root / FOLDER
    try:
        data = read_cache(folder)
    except DataError as error:
        if offline:
            raise DataError(
                f"{error}; start once without --offline to replace it, or "
                "give --data-dir"
            ) from error
        say(f"CIFAR-10: {error}; it will be replaced")
        data = None
    if data is not None:
        say(f"CIFAR-10: checked, from the cache {folder}")
        return data
    if offline:
        raise SourceError(
            f"no CIFAR-10 in the cache {folder}, and --offline "
            "forbids to fetch it; give --data-dir, or start once without "
            "--offline, or use --dataset synthetic"
        )
    return _kept(root, say, lambda: sources.fetch(root, say))


def _kept(
    root: Path, say: Say, get: Callable[[], tuple[Arrays, str]]
) -> Cached:
    """The data in the cache, put there first if it has none.

    Under the lock it looks again: another process may have been quicker.
    """
    folder = root / FOLDER
    data = _cached_if_good(folder)
    if data is None:
        with cache_lock(root, say):
            data = _cached_if_good(folder)
            if data is None:
                arrays, source = get()
                write_cache(root, arrays, source)
                sources.clean(root)
                data = read_cache(folder)
                say(f"CIFAR-10: checked, and kept in {folder}")
    return data


def _cached_if_good(folder: Path) -> Cached | None:
    """What the cache has; None if that is nothing, or nothing good."""
    try:
        return read_cache(folder)
    except DataError:
        return None


def _first(recipe: Recipe, data: Cached, sums: dict[str, str]) -> Cifar10:
    """The first images of each part, as the recipe says."""

    def split(name: str, n: int) -> Split:
        images, labels = data.arrays[f"x_{name}"], data.arrays[f"y_{name}"]
        # asarray: a plain array, over the same mapped memory.
        return Split(np.asarray(images[:n]), np.asarray(labels[:n]))

    return Cifar10(
        train=split("train", recipe.train_images),
        test=split("test", recipe.test_images),
        source=data.source,
        sums=sums,
    )
