"""Downloading one file of known size and checksum, over https only."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from common.cifar10.answer import FetchError, TooSlow, answer
from common.files import disk_errors, one_line
from common.run.terminal import open_console

SLOW_RATE = 200_000  # bytes per second; slower than this ...
RATE_SECONDS = 20  # ... for this long is a stall
PLAIN_LINE_SECONDS = 15  # between lines of progress, where there is no bar


def download(
    url: str,
    part: Path,
    size: int,
    md5: str,
    say: Callable[[str], None] = print,
    slow_rate: float | None = None,
) -> None:
    """Fetch `url` into `part`, going on from what `part` already holds.

    size: bytes, exactly; not one more is written
    slow_rate: bytes per second, in place of SLOW_RATE
    Raises FetchError (`part` keeps what has come, unless it is wrong) and
    DiskError.
    """
    slow_rate = SLOW_RATE if slow_rate is None else slow_rate
    with disk_errors(part):
        have = part.stat().st_size if part.exists() else 0
        if have > size:  # not of this file: written anew
            have = 0
    if have < size:
        with closing(answer(url, have)) as pieces:
            start = _first_byte(next(pieces), part, have, size)
            _copy(pieces, part, start, size, say, slow_rate)
    with disk_errors(part, doing="read"), part.open("rb") as file:
        found = hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()
    if found != md5:
        _drop(part)
        raise FetchError(
            f"the file is not the right one: its MD5 is {found}, expected "
            f"{md5}; it was removed"
        )


def _first_byte(
    response: requests.Response, part: Path, have: int, size: int
) -> int:
    """From which byte on the answer brings the file: `have` or 0."""
    status = response.status_code
    if status == 206 and have:
        found = response.headers.get("Content-Range")
        wanted = f"bytes {have}-{size - 1}/{size}"
        if found != wanted:
            _drop(part)
            raise FetchError(f"sends {found!r}, asked for {wanted!r}")
        return have
    if status != 200:
        if status == 416:  # nothing beyond what we have: not this file
            _drop(part)
        raise FetchError(f"answers {status} {one_line(response.reason, 80)}")
    length = response.headers.get("Content-Length")
    if length is not None and length != str(size):
        raise FetchError(f"has a file of {length} bytes, expected {size}")
    return 0


def _copy(
    pieces: Iterator[bytes],
    part: Path,
    start: int,
    size: int,
    say: Callable[[str], None],
    slow_rate: float,
) -> None:
    """Append the pieces to `part`, at the stated rate at least."""
    have = start
    with (
        disk_errors(part),
        part.open("ab" if start else "wb") as file,
        _progress(start, size, say) as show,
    ):
        since, have_then = time.monotonic(), have
        for data in pieces:
            if have + len(data) > size:
                raise FetchError(f"sends more than {size} bytes")
            file.write(data)
            have += len(data)
            show(have)
            seconds = time.monotonic() - since
            if seconds >= RATE_SECONDS:
                rate = (have - have_then) / seconds
                if rate < slow_rate:
                    raise TooSlow(
                        f"too slow: {rate / 1e3:.0f} kB/s for "
                        f"{seconds:.0f} s, less than {slow_rate / 1e3:.0f}"
                    )
                since, have_then = time.monotonic(), have
    if have < size:
        raise FetchError(f"the connection ended at byte {have} of {size}")


@contextmanager
def _progress(
    start: int, size: int, say: Callable[[str], None]
) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line now and then elsewhere."""
    console = open_console()
    if console.is_terminal and console.is_interactive:
        with Progress(
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as bar:
            task = bar.add_task("", total=size, completed=start)
            yield lambda have: bar.update(task, completed=have)
        return
    last = time.monotonic()

    def show(have: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_LINE_SECONDS:
            last = time.monotonic()
            say(f"CIFAR-10: {have / 1e6:.0f} of {size / 1e6:.0f} MB")

    yield show


def _drop(part: Path) -> None:
    with disk_errors(part, doing="remove"):
        os.unlink(part)
