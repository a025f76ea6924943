"""The one copy of CIFAR-10 that this project keeps.

`cifar10/` in the cache folder holds four .npy files and a manifest. It comes
into being by one rename, when all of it is on the disk; and all of it is
checked at every start, which takes a quarter of a second.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from common.cifar10 import checksums
from common.cifar10.checksums import Arrays
from common.errors import DataError, DiskError
from common.files import (
    atomic_writer,
    disk_errors,
    one_line,
    sync_folder,
    user_path,
    write_atomic,
)

FOLDER = "cifar10"
MANIFEST = "manifest.json"
FORMAT = 1  # of the cache; a reader takes no other
ADVICE = (
    "set the environment variable DAVIDNET_CACHE to a folder that can be "
    "written to and has 0.5 GB of room"
)


@dataclass(frozen=True)
class Cached:
    """What a cache holds."""

    arrays: Arrays  # memory-mapped; their sums were found right
    source: str  # where they came from


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
    """The data that `folder` keeps, all sums checked; None if it has none.

    folder: where the manifest lies; `cache_root() / FOLDER` is this user's
    The arrays are mapped copy-on-write: PyTorch warns about arrays that it
    must not write to, and nothing reaches the files.
    Raises DataError if the cache is damaged, DiskError if it is unreadable.
    """
    arrays = {}
    with disk_errors(folder, advice, "read"):
        if not (folder / MANIFEST).exists():
            return None
        try:
            manifest = json.loads((folder / MANIFEST).read_bytes())
            if manifest["format"] != FORMAT:
                raise ValueError(f"format {manifest['format']}, not {FORMAT}")
            source = str(manifest["source"])
            for name in checksums.EXPECTED.shapes():
                arrays[name] = np.load(
                    folder / f"{name}.npy", mmap_mode="c", allow_pickle=False
                )
            problem = checksums.what_is_wrong(arrays)
        except FileNotFoundError as error:
            problem = f"{Path(error.filename).name} is missing"
        # Of NumPy and json, for files cut short or overwritten.
        except (ValueError, EOFError, KeyError, TypeError) as error:
            problem = f"a file is damaged ({one_line(error)})"
    if problem:
        raise DataError(f"the cache {folder} is damaged: {problem}")
    return Cached(arrays, source)


def write_cache(root: Path, arrays: Arrays, source: str) -> None:
    """Put `arrays` in the cache, in place of what it has. Hold the lock!

    Raises DiskError; then there is no cache, rather than part of one.
    """
    temp, folder = root / f"{FOLDER}.tmp", root / FOLDER
    with disk_errors(folder, ADVICE):
        _refuse_foreign(folder)
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir()
        try:
            for name, array in arrays.items():
                _write_npy(temp / f"{name}.npy", array)
            manifest = {
                "format": FORMAT,
                "source": source,
                "sums": checksums.array_sums(arrays),
            }
            text = json.dumps(manifest, indent=2) + "\n"
            write_atomic(temp / MANIFEST, text.encode(), ADVICE)
            sync_folder(temp)
            # What others have mapped stays readable until they close it.
            if folder.exists():
                shutil.rmtree(folder)
            temp.rename(folder)
            sync_folder(root)
        finally:
            shutil.rmtree(temp, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    """Raise DiskError if `folder` has files that are not a cache's."""
    ours = {f"{name}.npy" for name in checksums.EXPECTED.shapes()}
    if folder.exists():
        others = {p.name for p in folder.iterdir()} - ours - {MANIFEST}
        if others:
            raise DiskError(
                f"{folder} has other files in it ({min(others)}), so it "
                f"cannot be the cache; {ADVICE}"
            )


def _write_npy(path: Path, array: np.ndarray) -> None:
    with atomic_writer(path, ADVICE) as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        # Not numpy's own: where a disk is full it does not say so.
        file.write(memoryview(np.ascontiguousarray(array)).cast("B"))


@contextmanager
def cache_lock(root: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Make the cache folder and hold its lock: one process fetches at once.

    If another process holds it, says so and waits.
    Raises DiskError if the folder cannot be made or written to.
    """
    with disk_errors(root, ADVICE, "make and lock the cache"):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f"{FOLDER}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("CIFAR-10: another process is fetching it; waiting for that")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
