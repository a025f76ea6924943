"""The three programs, and the trainings that many tests look at.

Starting a framework and compiling takes seconds, so a run that ends well is
made once, and every test that has a claim about it looks at that one.
"""

import json
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from common.environments import FRAMEWORKS
from parity_tests.programs.program import TINY, Ended, Program, find_programs


@pytest.fixture(scope="session")
def programs(request) -> dict[str, Program]:
    """All three, by framework. A missing environment is an error."""
    return find_programs(request.config.getoption("--environments"))


@pytest.fixture(scope="session", params=FRAMEWORKS)
def program(request, programs) -> Program:
    """Each of the three in turn."""
    return programs[request.param]


class Once:
    """What is made once for all tests, in whichever process they run."""

    def __init__(self, home: Path):
        self.home = home

    def get(self, name: str, make: Callable[[Path], list[Ended]]):
        """What `make(folder)` gave; a second caller waits for the first."""
        folder = self.home / name
        file = folder / "ended.json"
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / "lock"):
            if not file.exists():
                ended = make(folder)
                text = json.dumps([vars(end) for end in ended], default=str)
                file.write_text(text)
            found = json.loads(file.read_text())
        return [
            Ended(**end | {"folder": end["folder"] and Path(end["folder"])})
            for end in found
        ]

    def run(self, program: Program, name: str, *flags) -> Ended:
        """A training that ends well."""

        def make(folder: Path) -> list[Ended]:
            out = folder / "run"
            result = program.run(*flags, "--out", out)
            assert result.returncode == 0, result.stderr
            return [Ended(0, result.stdout, result.stderr, out)]

        return self.get(f"{program.framework}-{name}", make)[0]


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id) -> Once:
    """One for all processes of pytest-xdist: their folders have a parent."""
    home = tmp_path_factory.getbasetemp()
    return Once((home if worker_id == "master" else home.parent) / "once")


@pytest.fixture(scope="session")
def whole(program, once) -> Ended:
    """A training of eight epochs that nothing disturbed."""
    return once.run(program, "whole", *TINY)
