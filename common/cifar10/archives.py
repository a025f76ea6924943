"""CIFAR-10 out of a folder or an archive on this disk.

Nothing is unpacked to the disk: the files that a form names are read out of
the archive as a stream, and everything else in it is passed over.
"""

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from common.cifar10 import checksums
from common.cifar10.checksums import Arrays
from common.cifar10.formats import FORMS, Form, form_with
from common.errors import DataError
from common.files import disk_errors, one_line

MAX_UNPACKED = 400_000_000  # bytes; the official archives have 187 million
ADVICE = "fetch it again, or give another --data-dir"


def read_place(place: Path) -> Arrays:
    """The arrays from a folder of any form, or an archive, or its folder.

    Raises DataError if they are not there, damaged, or not CIFAR-10, and
    DiskError if they cannot be read.
    """
    if place.is_file():
        return read_archive(place)
    if not place.is_dir():
        raise DataError(f"{place}: no such file or folder; check --data-dir")
    folders = [
        (folder, form)
        for form in FORMS
        for folder in (place, place / form.folder)
    ]
    for folder, form in folders:
        if all((folder / name).is_file() for name in form.files):
            return read_folder(folder, form)
    for form in FORMS:
        if (place / form.archive).is_file():
            return read_archive(place / form.archive)
    for folder, form in folders:
        if any((folder / name).is_file() for name in form.files):
            return read_folder(folder, form)
    archives = ", ".join(form.archive for form in FORMS)
    raise DataError(
        f"{place}: no CIFAR-10 here; --data-dir takes a folder with the "
        "official files (data_batch_1.bin ... or data_batch_1 ...), or one "
        f"of {archives}, or this project's cache"
    )


def read_folder(folder: Path, form: Form) -> Arrays:
    """The arrays from a folder with the files of `form`; errors as above."""
    collected = _Collected(form, folder)
    for name in form.files:
        path = folder / name
        if path.is_file():
            with _reading(path), path.open("rb") as file:
                collected.add(name, file, path.stat().st_size)
    return collected.finish()


def read_archive(path: Path) -> Arrays:
    """The arrays from a .tar.gz of any form; errors as above.

    The form is known by its files, not by the archive's name.
    """
    try:
        with _reading(path), path.open("rb") as packed:
            return _read_tar(path, _Unpacked(packed))
    except tarfile.TarError as error:
        raise DataError(
            f"{path}: cut short, damaged or no .tar.gz ({error}); {ADVICE}"
        ) from error


def _read_tar(path: Path, stream: "_Unpacked") -> Arrays:
    collected: _Collected | None = None
    with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as tar:
        for member in tar:
            place = PurePosixPath(member.name)
            climbs = place.is_absolute() or ".." in place.parts
            if climbs or not (member.isfile() or member.isdir()):
                # Nothing would be written; but no true archive has these.
                raise DataError(
                    f"{path}: refused, as {member.name!r} in it leads out of "
                    f"the archive or is a link or device; {ADVICE}"
                )
            form = form_with(place.name)
            if collected is None and form is not None:
                collected = _Collected(form, path)
            if collected is not None and form is collected.form:
                file = tar.extractfile(member)
                if file is not None:  # None: a folder
                    collected.add(place.name, file, member.size)
    if collected is None:
        raise DataError(f"{path}: no CIFAR-10 in this archive; {ADVICE}")
    return collected.finish()


def _reading(path: Path):
    return disk_errors(path, "check the file and the disk", "read")


class _Unpacked:
    """A gzip stream that turns its errors into tarfile's, and has an end.

    A few bytes of gzip can stand for terabytes of zeros.
    """

    def __init__(self, packed: BinaryIO):
        self._file = gzip.GzipFile(fileobj=packed)
        self._left = MAX_UNPACKED

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise tarfile.ReadError(str(error)) from error
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError(f"unpacks to over {MAX_UNPACKED:,} bytes")
        return data


class _Collected:
    """The arrays while they are filled, file by file, in any order."""

    def __init__(self, form: Form, origin: Path):
        self.form = form
        self._origin = origin
        self._missing = set(form.files)
        self._arrays = {
            name: np.empty(shape, np.uint8)
            for name, shape in checksums.EXPECTED.shapes().items()
        }

    def add(self, name: str, content: BinaryIO, size: int) -> None:
        """Read one file of the form into its place."""
        file = self.form.files[name]
        rows = file.rows()
        least, most = len(rows) * file.min_bytes, len(rows) * file.max_bytes
        if not least <= size <= most:
            wanted = f"{most:,}" if least == most else f"at most {most:,}"
            self._fail(f"{name} has {size:,} bytes, expected {wanted}")
        data = content.read(size)
        try:
            for axis, values in file.read(data, len(rows)).items():
                array = self._arrays[f"{axis}_{file.split}"]
                array[rows.start : rows.stop] = values
        except DataError as error:
            self._fail(f"{name} {error}", error)
        # Decoders of foreign bytes fail in many ways: Pillow with OSError or
        # SyntaxError, a strange pickle with TypeError or AttributeError.
        except Exception as error:
            self._fail(f"{name} is damaged ({one_line(error)})", error)
        self._missing.discard(name)

    def finish(self) -> Arrays:
        """The arrays, once nothing is missing and the sums are right."""
        if self._missing:
            names = ", ".join(sorted(self._missing))
            self._fail(f"{names} missing from the {self.form.name}")
        problem = checksums.what_is_wrong(self._arrays)
        if problem:
            self._fail(problem)
        return self._arrays

    def _fail(self, problem: str, cause: Exception | None = None) -> None:
        raise DataError(f"{self._origin}: {problem}; {ADVICE}") from cause
