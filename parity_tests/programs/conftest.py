"""The three programs, each run in its own environment, as a user runs them.

They are made by `nox -s parity`, or by any `nox -s train-...` before.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.environments import FRAMEWORKS, find_python

ROOT = Path(__file__).parents[2]


@dataclass
class Program:
    """One framework's `python -m frameworks.<name>.train`."""

    framework: str
    python: Path

    def command(self, *flags) -> list[str]:
        module = f"frameworks.{self.framework}.train"
        return [str(self.python), "-m", module, *map(str, flags)]

    def run(self, *flags, **environment) -> subprocess.CompletedProcess:
        """Run to the end; output as text."""
        return self.run_words(*self.command(*flags)[1:], **environment)

    def run_words(self, *words, **environment) -> subprocess.CompletedProcess:
        """Run this interpreter with other words; output as text."""
        return subprocess.run(
            [str(self.python), *map(str, words)],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def run_until(self, seen, number, *flags) -> tuple[int, str]:
        """Run; send signal `number` once `seen()`; exit code and output."""
        child = subprocess.Popen(
            self.command(*flags),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        end = time.monotonic() + 300
        while not seen():
            assert child.poll() is None, child.stdout.read()
            assert time.monotonic() < end, "what was waited for did not come"
            time.sleep(0.02)
        child.send_signal(number)
        output, _ = child.communicate(timeout=120)
        return child.returncode, output


@pytest.fixture(scope="session")
def programs(request) -> dict[str, Program]:
    """All three, by framework. A missing environment is an error."""
    home = request.config.getoption("--environments")
    return {f: Program(f, find_python(home, f)) for f in FRAMEWORKS}


@pytest.fixture(params=FRAMEWORKS)
def program(request, programs) -> Program:
    """Each of the three in turn."""
    return programs[request.param]


def errors(result: subprocess.CompletedProcess) -> list[str]:
    """Our own lines on standard error; frameworks have theirs."""
    lines = result.stderr.splitlines()
    return [line for line in lines if line.startswith("error: ")]


SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM
