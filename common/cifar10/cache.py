"""The one copy of CIFAR-10 that this project keeps.

`cifar10/` in the cache folder holds four .npy files and a manifest, which is
written last: without it, the rest counts for nothing. All of it is checked
at every start, which takes a quarter of a second. Whatever is written is
written inside that folder, so that it may be a link to another disk.
"""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from filelock import FileLock, Timeout

from common.cifar10 import checksums
from common.cifar10.answer import without_secrets
from common.cifar10.checksums import Arrays
from common.errors import DataError, DiskError
from common.files import (
    TEMPORARY,
    atomic_writer,
    disk_errors,
    one_line,
    user_path,
    write_atomic,
)
from common.typed import Text, decode, read_limited

FOLDER = "cifar10"
LOCK = "cache.lock"
MANIFEST = "manifest.json"
MANIFEST_BYTES = 65_536  # at most
FORMAT: Final = 1  # of the cache; a reader takes no other
ADVICE = (
    "set the environment variable DAVIDNET_CACHE to a folder that can be "
    "written to and has 0.5 GB of room"
)


class Manifest(msgspec.Struct, frozen=True):
    """What a cache says of itself."""

    format: Literal[1]  # FORMAT
    source: Text


@dataclass(frozen=True)
class Cached:
    """What a cache holds."""

    arrays: Arrays  # memory-mapped where the cache has them; checked
    source: str  # where they come from


def cache_root() -> Path:
    """The cache folder, which may not be there yet.

    $DAVIDNET_CACHE, else $XDG_CACHE_HOME/davidnet, else ~/.cache/davidnet.
    Raises DiskError if there is no home folder.
    """
    if own := os.environ.get("DAVIDNET_CACHE"):
        return user_path(own).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return user_path(shared).absolute() / "davidnet"
    try:
        return Path.home() / ".cache" / "davidnet"
    except RuntimeError as error:
        raise DiskError(f"no home folder for the cache; {ADVICE}") from error


def read_cache(folder: Path, advice: str = ADVICE) -> Cached | None:
    """The data that `folder` keeps, all of them checked; None if it has none.

    folder: where the manifest lies; `cache_root() / FOLDER` is this user's
    The arrays are mapped copy-on-write: PyTorch warns about arrays that it
    must not write to, and nothing reaches the files.
    Raises DataError if the cache is damaged, DiskError if it is unreadable.
    """
    arrays = {}
    name = MANIFEST
    with disk_errors(folder, advice, "read"):
        if not (folder / MANIFEST).exists():
            return None
        try:
            content = read_limited(folder / MANIFEST, MANIFEST_BYTES)
            manifest = decode(content, Manifest)
            for array in checksums.EXPECTED.shapes():
                name = f"{array}.npy"
                arrays[array] = _map_npy(folder / name)
            problem = checksums.what_is_wrong(arrays)
        except FileNotFoundError:
            problem = f"{name} is missing"
        except OSError:
            raise
        # NumPy fails in many ways on bytes that are no array of its own.
        except Exception as error:
            problem = f"{name} is damaged ({one_line(error)})"
    if problem:
        raise DataError(f"the cache {folder} is damaged: {problem}")
    source = manifest.source
    if "://" in source:  # an older version may have kept a password
        source = without_secrets(source)
    return Cached(arrays, source)


def good_cache(folder: Path) -> Cached | None:
    """The same, but None if the cache is damaged."""
    try:
        return read_cache(folder)
    except DataError:
        return None


def write_cache(folder: Path, arrays: Arrays, source: str) -> None:
    """Put `arrays` in the cache, in place of what it has. Hold the lock!

    Other files in the folder stay as they are.
    Raises DiskError; then there is no cache, rather than part of one.
    """
    manifest = msgspec.json.encode(Manifest(FORMAT, source))
    with disk_errors(folder, ADVICE):
        (folder / MANIFEST).unlink(missing_ok=True)
        # Of starts that were killed while they wrote.
        for path in folder.iterdir():
            if re.fullmatch(TEMPORARY, path.name):
                path.unlink()
        try:
            for name, array in arrays.items():
                _write_npy(folder / f"{name}.npy", array)
            write_atomic(folder / MANIFEST, manifest + b"\n", ADVICE)
        except BaseException:
            for name in (MANIFEST, *(f"{name}.npy" for name in arrays)):
                with suppress(OSError):
                    (folder / name).unlink()
            raise


def _map_npy(path: Path) -> np.ndarray:
    if path.exists() and not path.is_file():
        raise ValueError("it is not an ordinary file")  # a pipe would wait
    # Not np.load, which takes other formats too.
    return np.lib.format.open_memmap(path, mode="c")


def _write_npy(path: Path, array: np.ndarray) -> None:
    with atomic_writer(path, ADVICE) as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        # Not numpy's own: where a disk is full it does not say so.
        file.write(np.ascontiguousarray(array).data.cast("B"))


@contextmanager
def cache_lock(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Make the cache folder and hold its lock: one process fetches at once.

    If another process holds it, says so and waits.
    Raises DiskError if the folder cannot be made or written to.
    """
    with disk_errors(folder, ADVICE, "make and lock the cache"):
        # A link to a folder that is not there yet is followed.
        Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
        # A soft lock, a file, would outlive a process that is killed.
        lock = FileLock(folder / LOCK, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("CIFAR-10: another process is fetching it; waiting for that")
            lock.acquire()
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            raise DiskError(
                f"the file system of {folder} has no locks; {ADVICE}"
            ) from error
    try:
        yield
    finally:
        lock.release()
