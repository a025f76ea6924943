"""Writing files so that a reader never meets half of one.

The bytes go to a temporary name in the same folder, are flushed to the disk,
and only then take the final name, in one step that either happens or not.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from common.errors import DiskError, PathError

# The names of files that are not yet whole; a process that was killed leaves
# them.
TEMPORARY = r"\..+\.[0-9a-f]{8}\.tmp"
_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would pass this process's size limit (ulimit -f)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "there is a folder of that name",
}
_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def user_path(text: str | os.PathLike) -> Path:
    """A path as a person writes it: a `~` at its start is a home folder.

    Every flag and environment variable that takes a path goes through here:
    a shell expands `--out ~/x`, but neither `--out=~/x` nor a variable in
    quotes. Raises PathError where there is no such home.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise PathError(
            f"{text}: no home folder is known for its ~; write the path out"
        ) from error


@contextmanager
def disk_errors(
    path: str | os.PathLike, advice: str = "", doing: str = "write"
) -> Iterator[None]:
    """Turn an OSError of the block into a DiskError of one clear line.

    path: what the block writes (or, by `doing`, reads or locks)
    advice: what the user can do; by default it follows from the cause
    """
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0) or error.strerror or str(error)
        if not advice:
            room = error.errno in _ROOM
            advice = "free some space" if room else "choose another place"
            advice += " and start again"
        message = f"cannot {doing} {path}: {cause}; {advice}"
        raise DiskError(message) from error


@contextmanager
def atomic_writer(
    path: str | os.PathLike, advice: str = ""
) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `path` when the block ends.

    If the block raises, `path` is as it was before. The folder must be there.
    Raises DiskError, with `advice`, for every OSError of the block.
    """
    path = Path(path)
    # Its form is TEMPORARY.
    temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with disk_errors(path, advice):
        try:
            # Not `tempfile`: its files are closed to all but their owner.
            with open(temp, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, path)
        except BaseException:
            _remove(temp)
            raise
        sync_folder(path.parent)


def write_atomic(
    path: str | os.PathLike, data: bytes, advice: str = ""
) -> None:
    """Make `data` the content of the file, wholly or not at all.

    Raises DiskError; then `path` is as it was before.
    """
    with atomic_writer(path, advice) as file:
        file.write(data)


def one_line(error: object, length: int = 250) -> str:
    """What a library says is wrong, cut to fit into a line of ours."""
    line = " ".join(str(error).split())[:length]
    # No escape sequence of others reaches a terminal.
    return "".join(c if c.isprintable() else "?" for c in line)


def sync_folder(folder: str | os.PathLike) -> None:
    """Flush a folder, so that a rename in it outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot flush folders; the data is there.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file if that is possible; the error that led here counts."""
    with suppress(OSError):
        path.unlink()
