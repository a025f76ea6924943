"""CIFAR-10 out of one folder or one archive.

Nothing is unpacked to the disk: the files that a form names are read out of
the archive as a stream, and everything else in it is passed over.
"""

import errno
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import numpy as np

from common.cifar10 import checksums
from common.cifar10.checksums import Arrays
from common.cifar10.formats import Form, form_with
from common.cifar10.kinds import HEAD, TAKES, kind_of_file, kind_of_names
from common.errors import DataError, UserError
from common.files import disk_errors, one_line

MAX_UNPACKED = 400_000_000  # bytes; the official archives have 187 million
MAX_NAMES = 1_000  # of other files, to say what an archive is
ADVICE = "fetch it again, or give another --data-dir"
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
TAR = b"ustar"  # at byte 257


class Member(NamedTuple):
    """One entry of an archive."""

    name: str
    size: int  # bytes
    plain: bool  # a file or a folder: no link, no device
    content: IO[bytes] | None  # None for a folder


def is_archive(path: Path) -> bool:
    """Whether a file begins as an archive that can be read."""
    with path.open("rb") as file:
        return _archive_kind(file.read(HEAD)) is not None


def read_folder(folder: Path, form: Form) -> Arrays:
    """The arrays from a folder with the files of `form`.

    Raises DataError if they are missing, damaged, or not CIFAR-10, and
    DiskError if they cannot be read.
    """
    collected = _Collected(form, folder)
    for name in form.files:
        path = folder / name
        if path.is_file():
            with _reading(path), path.open("rb") as file:
                collected.add(name, file, path.stat().st_size)
    return collected.finish()


def read_archive(path: Path) -> Arrays:
    """The arrays from a .tar.gz, .tar, .zip or .npz; errors as above.

    Archive and form are known by their content, not by the file's name.
    """
    with _reading(path), path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(0)
        kind = _archive_kind(head)
        if kind is None:
            found = kind_of_file(head) or "no .tar.gz, .tar, .zip or .npz"
            raise DataError(f"{path}: this is {found}; {TAKES}")
        if kind == ZIP:
            return _collect(path, _zip_members(file))
        tar: BufferedIOBase = file
        if kind == GZIP:
            tar = gzip.GzipFile(fileobj=file)
            head = _Limited(tar).read(HEAD)
            tar.seek(0)
            if _archive_kind(head) != TAR:
                found = kind_of_file(head) or "something else"
                raise DataError(
                    f"{path}: this is no .tar.gz, but {found} in gzip; {TAKES}"
                )
        return _collect(path, _tar_members(_Limited(tar)))


def _archive_kind(head: bytes) -> bytes | None:
    """GZIP, ZIP or TAR, by a file's first bytes; None for another."""
    for start in (GZIP, ZIP):
        if head.startswith(start):
            return start
    return TAR if head[257:262] == TAR else None


def _tar_members(stream: "_Limited") -> Iterator[Member]:
    with tarfile.open(
        fileobj=stream,  # type: ignore[call-overload]  # which needs read only
        mode="r|",
        bufsize=1 << 20,
    ) as tar:
        for info in tar:
            plain = info.isfile() or info.isdir()
            content = tar.extractfile(info) if plain else None
            yield Member(info.name, info.size, plain, content)


def _zip_members(file: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            with archive.open(info) as opened:
                content = None if info.is_dir() else opened
                yield Member(info.filename, info.file_size, True, content)


def _collect(path: Path, members: Iterator[Member]) -> Arrays:
    """The arrays out of an archive with these members."""
    collected: _Collected | None = None
    others: list[str] = []
    for member in members:
        place = PurePosixPath(member.name)
        climbs = place.is_absolute() or ".." in place.parts
        if climbs or not member.plain:
            # Nothing would be written; but no true archive has these.
            raise DataError(
                f"{path}: refused, as {member.name!r} in it leads out of "
                f"the archive or is a link or device; {ADVICE}"
            )
        form = form_with(place.name)
        if collected is None and form is not None:
            collected = _Collected(form, path)
        if collected is not None and form is collected.form:
            if member.content is not None:
                collected.add(place.name, member.content, member.size)
        elif len(others) < MAX_NAMES:
            others.append(member.name)
    if collected is None:
        found = kind_of_names(others)
        found = f"it holds {found}" if found else "its files have other names"
        raise DataError(
            f"{path}: no CIFAR-10 in this archive: {one_line(found)}; {TAKES}"
        )
    return collected.finish()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what the block raises into an error of one clear line."""
    try:
        with disk_errors(path, "check the file and the disk", "read"):
            try:
                yield
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # zipfile seeks to wherever a damaged archive sends it.
                raise ValueError("a place outside of the file") from error
    except UserError:
        raise
    # The readers of archives fail in many ways on bytes that are damaged.
    except Exception as error:
        raise DataError(
            f"{path}: cut short or damaged ({one_line(error)}); {ADVICE}"
        ) from error


class _Limited:
    """A stream that has an end, and whose errors are not those of a disk.

    A few bytes of gzip can stand for terabytes of zeros.
    """

    def __init__(self, file: BufferedIOBase):
        self._file = file
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

    def add(self, name: str, content: IO[bytes], size: int) -> None:
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
        """The arrays, once nothing is missing and the checksums are right."""
        if self._missing:
            names = ", ".join(sorted(self._missing))
            self._fail(f"{names} missing from the {self.form.name}")
        problem = checksums.what_is_wrong(self._arrays)
        if problem:
            self._fail(problem)
        return self._arrays

    def _fail(self, problem: str, cause: Exception | None = None) -> None:
        raise DataError(f"{self._origin}: {problem}; {ADVICE}") from cause
