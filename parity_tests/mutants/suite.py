"""A mutant that the ladder let pass meets the rest of `nox -s parity`."""

import os
import re
import signal
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

from parity_tests.mutants.baseline import environment
from parity_tests.mutants.killers import NoVerdict, TimeLimit

LIMIT = 1800  # seconds; all contract tests of a framework take a quarter
# Whether the docs quote a line, or how long it is, is no test of what it does.
NOT_THE_TEXT = "not quoted and not the_docs and not published_records"
# A conftest.py that imports what the mutant broke ends pytest before a test.
# The name of a test ends where " - " and its error begin: it may have blanks.
STOPPED_BY = re.compile(
    r"^(?:FAILED|ERROR) (?P<test>\S.*?)(?: - .*)?$"
    r"|^ImportError while loading conftest '(?P<conftest>[^']+)'",
    re.MULTILINE,
)
CONTRACT = "parity_tests/programs"
FIRST = "test_same_training.py"  # quick, and sees most
# Of nox -s processes: minutes, and only these files are about that.
PROCESSES = ("test_world.py", "test_launch.py")
OF_PROCESSES = (
    *("frameworks/*/parallel.py", "common/world.py"),
    *("common/run/follower.py", "common/run/together.py"),
)


class Suite:
    """pytest, on the mutant's own tree."""

    def __init__(self, python: str, home: Path, environments: Path):
        self.python, self.home = python, home
        self.environments = environments.resolve()

    def run(self, tree: Path, *words: str) -> str:
        """What failed first; "" if nothing did. Raises NoVerdict."""
        given = ["-x", "-p", "no:cacheprovider", "--tb=line", *words]
        child = subprocess.Popen(
            [
                *(self.python, "-m", "pytest"),
                *(f"--environments={self.environments}", *given),
            ],
            cwd=tree,
            env=environment(self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = child.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            raise TimeLimit(f"pytest: not done after {LIMIT} s") from None
        if child.returncode in (0, 5):  # 5: -k has chosen no test
            return ""
        found = STOPPED_BY.search(output)
        if child.returncode < 0 or not found:  # stopped, or it never began
            raise NoVerdict(f"pytest ended with {child.returncode}")
        return found[found.lastgroup].removeprefix(f"{tree}/")

    def unit(self, tree: Path, file: str, others: bool = True) -> str:
        """Unit tests that import this file of common/, then the others."""
        folder = tree / "parity_tests" / "unit"
        # Its patches do not fit a tree that is patched already.
        every = set(folder.glob("test_*.py")) - {folder / "test_mutants.py"}
        own = {path for path in every if file and imports(path, file)}
        found = ""
        for some in (own, every - own) if others else (own,):
            paths = sorted(str(path.relative_to(tree)) for path in some)
            if paths and not found:
                found = self.run(tree, *paths, "-k", NOT_THE_TEXT)
        return found

    def mirror(self, tree: Path) -> str:
        """What reads the frameworks' folders as text."""
        path = "parity_tests/unit/test_mirror.py"
        return self.run(tree, path, "-k", NOT_THE_TEXT)

    def contract(self, tree: Path, framework: str, file: str) -> str:
        """The program of one framework as users run it, with a change of file.

        How several processes start and end only for files of that.
        """
        names = {p.name for p in (tree / CONTRACT).glob("test_*.py")}
        names -= {FIRST, *PROCESSES}
        if any(fnmatchcase(file, pattern) for pattern in OF_PROCESSES):
            names |= {*PROCESSES}
        paths = [f"{CONTRACT}/{name}" for name in (FIRST, *sorted(names))]
        return self.run(tree, *paths, "-k", framework)


def imports(test: Path, file: str) -> bool:
    """Whether a test imports a file of this project by its name."""
    package, _, name = (
        file.removesuffix(".py").replace("/", ".").rpartition(".")
    )
    words = rf"from {package}(\.{name} import| import [^\n]*\b{name}\b)"
    return re.search(words, test.read_text()) is not None
