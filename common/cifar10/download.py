"""Downloading one file of known size and sum, over https only."""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from common.errors import UserError
from common.files import disk_errors, one_line

SLOW_RATE = 200_000  # bytes per second; slower than this ...
SLOW_SECONDS = 20  # ... for this long is a stall
CONNECT_SECONDS = 10
MAX_REDIRECTS = 5
PLAIN_LINE_SECONDS = 15  # between lines of progress, where there is no bar
CHUNK = 1 << 18  # bytes


class FetchError(UserError):
    """This source does not deliver; another one may."""


class TooSlow(FetchError):
    """The source delivers, but slower than the stall rule allows."""


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
        if have > size:
            part.unlink()
            have = 0
    if have < size:
        with (
            requests.Session() as session,
            _open(session, url, have) as response,
        ):
            start = _first_byte(response, part, have, size)
            _copy(response, part, start, size, say, slow_rate)
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


def _open(session: requests.Session, url: str, have: int) -> requests.Response:
    """The answer to a request for the bytes from `have` on."""
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    for _ in range(1 + MAX_REDIRECTS):
        if urlsplit(url).scheme != "https":
            raise FetchError(f"leads to {url}, but only https is accepted")
        with _reasons():
            response = session.get(
                url,
                headers=headers,
                stream=True,
                timeout=(CONNECT_SECONDS, SLOW_SECONDS),
                # By hand, because requests would follow one to http.
                allow_redirects=False,
            )
        if not response.is_redirect:
            return response
        response.close()
        url = urljoin(url, response.headers["Location"])
    raise FetchError(f"more than {MAX_REDIRECTS} redirects")


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
        raise FetchError(f"answers {status} {response.reason}")
    length = response.headers.get("Content-Length")
    if length is not None and length != str(size):
        raise FetchError(f"has a file of {length} bytes, expected {size}")
    return 0


def _copy(
    response: requests.Response,
    part: Path,
    start: int,
    size: int,
    say: Callable[[str], None],
    slow_rate: float,
) -> None:
    """Append the answer to `part`, at the stated rate at least."""
    have = start
    with (
        disk_errors(part),
        part.open("ab" if start else "wb") as file,
        _progress(start, size, say) as show,
    ):
        since, have_then = time.monotonic(), have
        while data := _next(response):
            if have + len(data) > size:
                raise FetchError(f"sends more than {size} bytes")
            file.write(data)
            have += len(data)
            show(have)
            seconds = time.monotonic() - since
            if seconds >= SLOW_SECONDS:
                rate = (have - have_then) / seconds
                if rate < slow_rate:
                    raise TooSlow(
                        f"too slow: {rate / 1e3:.0f} kB/s for "
                        f"{seconds:.0f} s, less than {slow_rate / 1e3:.0f}"
                    )
                since, have_then = time.monotonic(), have
    if have < size:
        raise FetchError(f"the connection ended at byte {have} of {size}")


def _next(response: requests.Response) -> bytes:
    """The bytes that are there; waiting for more would hide a trickle."""
    with _reasons():
        return response.raw.read1(CHUNK, decode_content=False)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn the errors of the network libraries into one short line."""
    try:
        yield
    except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as e:
        raise TooSlow(f"too slow: no byte for {SLOW_SECONDS} s") from e
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # The cause is wrapped up to three times, in long words.
        cause: object = error
        while isinstance(cause, Exception):
            inner = getattr(cause, "reason", None)
            inner = inner or (cause.args[0] if cause.args else None)
            if not isinstance(inner, Exception):
                break
            cause = inner
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            raise FetchError("no network, or no such host") from error
        raise FetchError(
            f"the connection failed ({one_line(cause)})"
        ) from error


@contextmanager
def _progress(
    start: int, size: int, say: Callable[[str], None]
) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line now and then elsewhere."""
    if sys.stdout.isatty():
        columns = BarColumn, DownloadColumn, TransferSpeedColumn
        bar = Progress(*(c() for c in columns), TimeRemainingColumn())
        with bar:
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
