"""What a record says of the machine and of the source that ran."""

import os
import platform
import subprocess
from pathlib import Path

from common.files import disk_errors
from common.run.process import tune_allocator


def describe_machine() -> dict:
    """System, processor, cores that may be used, and allocator settings."""
    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "allocator": tune_allocator(),
    }


def processor() -> str:
    """The processor's name, as Linux gives it."""
    with disk_errors("/proc/cpuinfo", doing="read"):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def git_commit() -> str | None:
    """The commit of the source, with "+" where it was changed since.

    None if the source is not in a git checkout.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parents[2]), *words],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return commit + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
