"""Finding CIFAR-10 on this disk: a file, a folder, or somewhere below it.

Others keep the set a few folders down, and under names of their own: Keras
in ~/.keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py, and the
archive beside it; torchvision and TensorFlow Datasets likewise.
"""

import os
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from common.cifar10.archives import is_archive, read_archive, read_folder
from common.cifar10.checksums import Arrays
from common.cifar10.formats import FORMS, Form, form_with
from common.cifar10.kinds import TAKES, kind_of_names
from common.errors import DataError, UserError
from common.files import one_line

Say = Callable[[str], None]

MAX_DEPTH = 4  # folders below the one that was given
MAX_ENTRIES = 20_000  # files and folders that are looked at
ARCHIVE_NAME = re.compile(r"cifar[-_]?10(?!\d)", re.IGNORECASE)


class Candidate(NamedTuple):
    """A folder or an archive that may hold CIFAR-10."""

    rank: int  # complete folders first, then archives, then other folders
    depth: int
    path: Path
    form: Form | None  # None: an archive


def read_place(place: Path, say: Say) -> tuple[Arrays, Path]:
    """The arrays, and the folder or archive that holds them.

    Raises DataError if they are not there, damaged, or not CIFAR-10, and
    DiskError if they cannot be read.
    """
    if place.is_file():
        return _read_file(place), place
    if not place.is_dir():
        problem = "no such file or folder"
        if place.exists():
            problem = "a pipe or a device, neither a file nor a folder"
        raise DataError(f"{place}: {problem}; check --data-dir")
    search = _Search(place)
    candidates = search.candidates()
    problems: list[UserError] = []
    for candidate in candidates:
        try:
            return _read_candidate(candidate), candidate.path
        except UserError as error:
            problems.append(error)
            if len(candidates) > 1:
                say(f"CIFAR-10: {error}")
    if problems:
        raise problems[0]
    raise DataError(f"{place}: no CIFAR-10 here or below{search.remarks()}")


def _read_file(path: Path) -> Arrays:
    """The arrays of an archive; one file of a form is not enough."""
    form = form_with(path.name)
    if form is not None:
        raise DataError(
            f"{path}: one file of the {form.name}, which has "
            f"{len(form.files)}; give their folder: --data-dir {path.parent}"
        )
    return read_archive(path)


def _read_candidate(candidate: Candidate) -> Arrays:
    if candidate.form is None:
        return read_archive(candidate.path)
    return read_folder(candidate.path, candidate.form)


class _Search:
    """A walk through a folder and those below it, the nearest first."""

    def __init__(self, place: Path):
        """Raises DiskError if `place` cannot be read."""
        self._found: list[Candidate] = []
        self._names: list[str] = []
        self._closed: list[Path] = []  # folders that cannot be read
        self._left = MAX_ENTRIES
        self._waiting = deque([(place, 0)])
        while self._waiting and self._left > 0:
            folder, depth = self._waiting.popleft()
            try:
                self._look_into(folder, depth)
            except OSError:
                if not depth:
                    raise
                self._closed.append(folder)

    def candidates(self) -> list[Candidate]:
        """What may be CIFAR-10, the best first, each once."""
        # A link can lead to the same place again.
        unique = {
            (
                os.path.realpath(found.path),
                found.form and found.form.name,
            ): found
            for found in reversed(self._found)
        }
        return sorted(unique.values(), key=lambda c: (c.rank, c.depth))

    def remarks(self) -> str:
        """What was seen where nothing was found, and what would be taken."""
        remarks = []
        if found := kind_of_names(self._names):
            remarks.append(f"this is {one_line(found)}")
        if self._closed:
            remarks.append(f"{self._closed[0]} cannot be read")
        if self._left <= 0:
            remarks.append(f"the search ended after {MAX_ENTRIES:,} names")
        return "; ".join(["", *remarks, TAKES])

    def _look_into(self, folder: Path, depth: int) -> None:
        files = []
        with os.scandir(folder) as entries:
            for entry in islice(entries, self._left):
                self._left -= 1
                with suppress(OSError):  # a link that leads to itself
                    if entry.is_file():
                        files.append(entry.name)
                    elif entry.is_dir() and depth < MAX_DEPTH:
                        self._waiting.append((folder / entry.name, depth + 1))
        self._names += [f"{folder.name}/{name}" for name in files]
        for form in FORMS:
            there = form.files.keys() & set(files)
            if there:
                rank = 0 if len(there) == len(form.files) else 2
                self._found.append(Candidate(rank, depth, folder, form))
        for name in filter(ARCHIVE_NAME.search, sorted(files)):
            if _may_be_archive(folder / name):
                found = Candidate(1, depth, folder / name, None)
                self._found.append(found)


def _may_be_archive(path: Path) -> bool:
    try:
        return is_archive(path)
    except OSError:
        return True  # which reading it will explain
