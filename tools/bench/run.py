"""Start each measurement in a process of its own, in its environment."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from common.environments import FRAMEWORKS, find_python
from common.errors import Terminated, UsageError, UserError
from common.files import disk_errors
from parity_tests.harness.processes import free_ports, join
from tools.bench import data
from tools.bench.plan import Job
from tools.launch.commands import Command
from tools.launch.group import Group


@dataclass
class Runner:
    """Where the environments are, and the folder of the images."""

    environments: Path
    one_python: Path | None  # if given, it is used for all
    folder: Path

    def python(self, job: Job) -> Path:
        """The interpreter of a job. Raises UsageError if there is none."""
        if not self.one_python:
            return find_python(self.environments, job.framework, job.keras)
        if not self.one_python.exists():
            raise UsageError(f"{self.one_python} is not there; check --python")
        return self.one_python

    def measure(self, job: Job) -> dict:
        """What the child of this job found. Raises UserError."""
        found = self.folder / "found-0.json"
        found.unlink(missing_ok=True)
        code, output = run(self.commands(job), self.folder)
        if code != 0 or not found.exists():
            ended = f"exit code {code}"
            if code < 0:
                ended = f"signal {signal.Signals(-code).name}"
            print(output.rstrip(), file=sys.stderr)
            raise UserError(
                f"{job.title()}: the measuring process failed, {ended}; "
                "its output is above"
            )
        return json.loads(found.read_text())

    def commands(self, job: Job) -> list[Command]:
        """The measuring processes of a job, each on cores of its own."""
        words = [str(self.python(job)), "-m", "tools.bench.child"]
        words += [json.dumps(asdict(job)), str(self.folder)]
        variables = environment(job, self.folder)
        ports, found = free_ports(job.processes), []
        cores = sorted(os.sched_getaffinity(0))
        for rank in range(job.processes):
            out = str(self.folder / f"found-{rank}.json")
            own = cores[rank * job.threads :][: job.threads]
            pinned = ["taskset", "-c", ",".join(map(str, own))]
            joined = join(job.framework, rank, ports) if ports[1:] else {}
            found.append(Command([*pinned, *words, out], variables | joined))
        return found


def environment(job: Job, folder: Path) -> dict[str, str]:
    """The variables that a child gets beside those of this process."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only, as in noxfile.py
        "KERAS_BACKEND": FRAMEWORKS[job.framework].package,
        # Every process compiles for itself, so that its time is seen.
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }


def run(commands: list[Command], folder: Path) -> tuple[int, str]:
    """Exit code and output of commands that run at once.

    Nothing of them outlives this call. Raises KeyboardInterrupt if a signal
    has ended them.
    """
    with tempfile.TemporaryDirectory(dir=folder) as logs:
        end = Group(commands, Path(logs), shown=False).run()
        if end.signaled:
            stop = end.signaled == signal.SIGINT
            raise KeyboardInterrupt if stop else Terminated
        files = sorted(Path(logs).rglob("*.log"))
        return end.code, "".join(f.read_text(errors="replace") for f in files)


@contextmanager
def runner(
    environments: Path, one_python: Path | None, out: Path
) -> Iterator[Runner]:
    """A runner with the images on the disk, beside the file to be written.

    Raises DiskError.
    """
    with disk_errors(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=out.parent, prefix="bench-")
    with folder as name:
        path = Path(name).resolve()
        with disk_errors(path):
            data.make(path)
        yield Runner(environments, one_python, path)


def run_all(
    measure: Callable[[Job], dict],
    jobs: list[Job],
    repeats: int,
    say: Callable[[str], None],
) -> Iterator[tuple[Job, dict]]:
    """All jobs once, then all again: a slow hour affects all rows alike."""
    for repeat in range(repeats):
        for place, job in enumerate(jobs):
            say(
                f"repeat {repeat + 1} of {repeats}, "
                f"{place + 1} of {len(jobs)}: {job.title()}"
            )
            yield job, measure(job)
