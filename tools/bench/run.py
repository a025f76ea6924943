"""Start each measurement in a process of its own, in its environment."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from common.environments import FRAMEWORKS, find_python
from common.errors import UsageError, UserError
from common.files import disk_errors
from tools.bench import data
from tools.bench.plan import Job


class ChildError(UserError):
    """A measuring process ended with an error; its output is shown too."""

    def __init__(self, message: str, output: str):
        super().__init__(message)
        self.output = output


@dataclass
class Runner:
    """Where the environments are, and the folder of the images."""

    environments: Path
    one_python: Path | None  # if given, it is used for all
    folder: Path

    def python(self, job: Job) -> Path:
        """The interpreter of a job. Raises UsageError if there is none."""
        if not self.one_python:
            keras = job.kind == "peer"
            return find_python(self.environments, job.framework, keras)
        if not self.one_python.exists():
            raise UsageError(f"{self.one_python} is not there; check --python")
        return self.one_python

    def measure(self, job: Job) -> dict:
        """What the child of this job found. Raises ChildError."""
        out = self.folder / "found.json"
        out.unlink(missing_ok=True)
        words = [str(self.python(job)), "-m", "tools.bench.child"]
        words += [json.dumps(asdict(job)), str(self.folder), str(out)]
        code, output = run(words, os.environ | environment(job, self.folder))
        if code != 0 or not out.exists():
            ended = f"exit code {code}"
            if code < 0:
                ended = f"signal {signal.Signals(-code).name}"
            raise ChildError(
                f"{job.title()}: the measuring process failed, {ended}; "
                "its output is above",
                output,
            )
        return json.loads(out.read_text())


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


def run(words: list[str], variables: dict) -> tuple[int, str]:
    """Exit code and output of a command; nothing of it outlives this call."""
    with subprocess.Popen(
        words,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A group of its own: inductor's compilers are ended with it.
        start_new_session=True,
    ) as child:
        try:
            output, _ = child.communicate()
        finally:
            with suppress(ProcessLookupError):  # all have ended
                os.killpg(child.pid, signal.SIGKILL)
    return child.returncode, output


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
    """All jobs once, then all once more: a slow hour meets every row."""
    for repeat in range(repeats):
        for place, job in enumerate(jobs):
            say(
                f"repeat {repeat + 1} of {repeats}, "
                f"{place + 1} of {len(jobs)}: {job.title()}"
            )
            yield job, measure(job)
