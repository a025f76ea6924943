"""CIFAR-10 as arrays: from this disk, from the cache, or from the network.

Whatever the source, the checksums of the content decide (`checksums.py`),
and the result is kept once, in the cache. Nothing here is framework code.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from common.cifar10 import checksums, sources, synthetic
from common.cifar10.cache import (
    FOLDER,
    Cached,
    cache_lock,
    cache_root,
    good_cache,
    read_cache,
    write_cache,
)
from common.cifar10.checksums import Arrays, array_sha256
from common.cifar10.places import read_place
from common.errors import DataError, DiskError, SourceError
from common.files import disk_errors, one_line, user_path
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
    sha256: dict[str, str]  # of the whole arrays, by name


def load_data(recipe: Recipe, run: Run, say: Say = print) -> Cifar10:
    """The first train_images and test_images of the set that `run` names.

    run: dataset, data_dir, offline, and for a synthetic set the seed
    say: takes each line on what is tried and why it failed

    Raises DataError if data are damaged or are not CIFAR-10, SourceError if
    no source has them, DiskError if they cannot be read or there is no place
    to download them to, UsageError if DAVIDNET_MIRROR is not https.
    """
    if run.dataset == "synthetic":
        say(f"synthetic data: made from seed {run.seed}, no download")
        n_train, n_test = recipe.train_images, recipe.test_images
        arrays = synthetic.make(run.seed, n_train, n_test)
        data = Cached(arrays, f"synthetic, seed {run.seed}")
        return _first(recipe, data, array_sha256(arrays))

    def say_line(line: str) -> None:  # whatever stands in a path
        say(one_line(line, 1_000))

    place = find_place(run)
    if place and not run.data_dir:
        say_line("CIFAR-10: DAVIDNET_DATA stands for --data-dir")
    if place:
        data = _from_place(place, say_line)
    else:
        data = _from_cache_or_network(run.offline, say_line)
    return _first(recipe, data, dict(checksums.EXPECTED.sha256))


def find_place(run: Run) -> Path | None:
    """The path of --data-dir, else of DAVIDNET_DATA; None without.

    Without either a mirror is looked at, too. Raises UsageError for a value
    that makes no sense.
    """
    named = run.data_dir or os.environ.get("DAVIDNET_DATA")
    if not named:
        sources.mirror()
        return None
    run = replace(run, data_dir=named)  # checks a variable as it does the flag
    return user_path(named).absolute()


def _from_place(place: Path, say: Say) -> Cached:
    """From the disk; what is no cache itself is kept in the cache.

    Read at every start, even if the cache is good: a place that was asked
    for and is not good is an error.
    """
    advice = "check its permissions and --data-dir"
    for other in (place, place / FOLDER):
        try:
            data = read_cache(other, advice)
        except DataError as error:
            say(f"CIFAR-10: {error}")
            continue
        if data is not None:
            say(f"CIFAR-10: checked, from the cache {other}")
            return Cached(data.arrays, _shown(other))
    say(f"CIFAR-10: reading {place}")
    with disk_errors(place, advice, "read"):
        arrays, origin = read_place(place, say)
    say(f"CIFAR-10: checked, from {origin}")
    source = _shown(origin)
    try:
        folder = cache_root() / FOLDER
        data = good_cache(folder)
        if data is None:
            with cache_lock(folder, say):
                data = good_cache(folder)
                data = data or _keep(folder, arrays, source, say)
        return Cached(data.arrays, source)
    except DiskError as error:
        say(f"CIFAR-10: not kept: {error}")
        return Cached(arrays, source)


def _from_cache_or_network(offline: bool, say: Say) -> Cached:
    """From the cache; if that is not good, from the network, into it."""
    folder = cache_root() / FOLDER
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
    with cache_lock(folder, say):
        data = good_cache(folder)  # another process may have been quicker
        if data is not None:
            return data
        arrays, source = sources.fetch(folder, say)
        try:
            return _keep(folder, arrays, source, say)
        except DiskError as error:
            say(f"CIFAR-10: not kept: {error}")
            return Cached(arrays, source)


def _keep(folder: Path, arrays: Arrays, source: str, say: Say) -> Cached:
    """The arrays, put into the cache and mapped from it. Hold the lock!

    Raises DiskError if they cannot be kept there.
    """
    write_cache(folder, arrays, source)
    sources.clean(folder)
    data = good_cache(folder)
    if data is None:
        raise DiskError(f"{folder}: what was written cannot be read back")
    say(f"CIFAR-10: checked, and kept in {folder}")
    return data


def _shown(path: Path) -> str:
    """A path as it is recorded: in one line, and with ~ for the home."""
    with suppress(ValueError, RuntimeError):  # not below it; there is none
        path = "~" / path.relative_to(Path.home())
    return one_line(path, 900)


def _first(recipe: Recipe, data: Cached, sha256: dict[str, str]) -> Cifar10:
    """The first images of each part, as the recipe says."""

    def split(name: str, n: int) -> Split:
        images, labels = data.arrays[f"x_{name}"], data.arrays[f"y_{name}"]
        # asarray: a plain array, over the same mapped memory.
        return Split(np.asarray(images[:n]), np.asarray(labels[:n]))

    return Cifar10(
        train=split("train", recipe.train_images),
        test=split("test", recipe.test_images),
        source=data.source,
        sha256=sha256,
    )
