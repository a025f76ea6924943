"""What a record says of the machine and of the source that ran."""

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.files import disk_errors
from common.run.process import tune_allocator

ROOT = Path(__file__).resolve().parents[2]
STAT = Path("/proc/stat")
SOURCE = ("common", "frameworks", "parity_tests", "tools")

# The distributions that a record gives the versions of, as far as they are
# installed: TensorFlow is one or the other.
LIBRARIES = {
    "tensorflow_eager": ("tensorflow", "tensorflow-cpu", "keras", "numpy"),
    "pytorch": ("torch", "numpy"),
    "jax_flax": ("jax", "flax", "optax", "numpy"),
}


def library_versions(framework: str) -> dict[str, str]:
    """Versions of a framework's libraries, by name of the distribution."""
    found = {}
    for name in LIBRARIES[framework]:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_machine() -> dict:
    """System, processor, cores that may be used, and allocator settings."""
    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "allocator": tune_allocator(),
    }


def count_threads(variable: str) -> int:
    """The threads of a library that takes all cores, or as many as it is told.

    variable: of the environment, that tells it. As the library does, it
    passes over what is no number.
    """
    told = os.environ.get(variable, "")
    number = int(told) if told.isdecimal() else 0
    return number or len(os.sched_getaffinity(0))


def other_seconds() -> float | None:
    """Processor time that other programs have used since the machine began.

    In seconds, summed over all processors. A virtual machine's neighbors
    count, as far as it is told of them. None where the system does not say.
    """
    try:
        words = STAT.read_text().split(maxsplit=9)
    except OSError:
        return None
    # cpu user nice system idle iowait irq softirq steal
    user, nice, system, _, _, irq, softirq, steal = map(int, words[1:9])
    ticks = user + nice + system + irq + softirq + steal
    if not ticks:  # a sandbox that hides it
        return None
    own = sum(os.times()[:4])  # and of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK") - own


def processor() -> str:
    """The processor's name, as Linux gives it."""
    with disk_errors("/proc/cpuinfo", doing="read"):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def git_commit() -> str | None:
    """The commit of the source, with "+" where it was changed since.

    None if the source is not a git checkout of its own: a repository around
    it has commits of something else. A file that git does not know of counts
    as a change where it may be imported.
    """
    # A hook runs with variables that name the repository it was called by.
    outside = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(ROOT), *words],
            capture_output=True,
            check=True,
            env=outside,
        )
        return os.fsdecode(done.stdout.strip())

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != ROOT:
            return None
        changed = git("status", "--porcelain", "--untracked-files=no")
        unknown = git("ls-files", "--others", "--exclude-standard", *SOURCE)
        return git("rev-parse", "HEAD") + ("+" if changed or unknown else "")
    except (OSError, subprocess.CalledProcessError):
        return None
