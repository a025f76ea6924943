"""A mutant is one change of text in one file, tried on a copy of the tree."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from common.environments import FRAMEWORKS
from parity_tests.harness.cases import ROOT, hash_of

FOLDER = ROOT / "frameworks" / "pytorch"
MIRROR = tuple(sorted(path.name for path in FOLDER.glob("[!_]*.py")))
# What the tests read; `runs/`, `.nox/` and the site's tests are not needed.
PARTS = (
    *("common", "frameworks", "parity_tests", "tools", "docs", "results"),
    *("README.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE"),
    *(".github", ".ci", ".pre-commit-config.yaml", "requirements"),
    *("noxfile.py", "pyproject.toml", ".gitignore"),
)
APART = tuple(f"parity_tests/{name}" for name in ("unit", "programs"))
LONGEST = 60  # characters of a change as it is shown


class StaleMutant(Exception):
    """A mutant whose text the source does not have, or has twice."""


@dataclass(frozen=True)
class Mutant:
    """A change of one file.

    file: from the root, with slashes; start, end: bytes of the file that
    give way to `new`. name: of a named one; what: the kind of a generated
    one; change: `old` -> `new`, as people are shown it.
    """

    file: str
    start: int
    end: int
    new: str
    what: str
    change: str
    line: int = 0  # from 1
    text: str = ""  # that line, without its indent
    nth: int = 0  # from 0, among equal changes of equal lines of the file
    name: str = ""

    @property
    def framework(self) -> str:
        """The folder it is in, or "common"."""
        parts = self.file.split("/")
        return parts[1] if parts[0] == "frameworks" else parts[0]

    @property
    def key(self) -> str:
        """Who it is, wherever in the file its line has moved."""
        if self.name:
            return f"{self.name} in {self.file}"
        return f"{self.file} | {self.text} | {self.change} | {self.nth}"

    def applied(self, root: Path = ROOT) -> bytes:
        """The content of the file with the change in it."""
        whole = (root / self.file).read_bytes()
        return whole[: self.start] + self.new.encode() + whole[self.end :]


def shown(old: str, new: str) -> str:
    """A change as one short line."""

    def short(text: str) -> str:
        text = " ".join(text.split())
        return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."

    return f"`{short(old)}` -> `{short(new)}`"


def located(
    whole: bytes, file: str, start: int, end: int, new: str, what: str, **more
) -> Mutant:
    """The mutant of these bytes, with its line and what people are shown."""
    before = whole[:start]
    first = before.rfind(b"\n") + 1
    last = whole.find(b"\n", start)
    text = whole[first : len(whole) if last < 0 else last].decode().strip()
    more.setdefault("change", shown(whole[start:end].decode(), new))
    line = before.count(b"\n") + 1
    return Mutant(file, start, end, new, what, line=line, text=text, **more)


def replaced(file: str, old: str, new: str, name: str) -> Mutant:
    """The mutant that replaces a text that the file has exactly once.

    Raises StaleMutant.
    """
    whole = (ROOT / file).read_bytes()
    found = whole.count(old.encode())
    if found != 1:
        raise StaleMutant(f"{name}: {file} has {found} times: {old}")
    start = whole.index(old.encode())
    end = start + len(old.encode())
    return located(whole, file, start, end, new, "named", name=name)


@contextmanager
def copied(mutant: Mutant | None) -> Iterator[Path]:
    """A copy of the tree with this change in it, while the block runs."""
    with TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        skip = shutil.ignore_patterns("__pycache__", ".*_cache")
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, tree / part, ignore=skip)
            else:
                shutil.copy(ROOT / part, tree / part)
        if mutant is not None:
            (tree / mutant.file).write_bytes(mutant.applied())
        yield tree


def subjects() -> list[str]:
    """The files that are mutated."""
    files = [f"frameworks/{f}/{m}" for f in FRAMEWORKS for m in MIRROR]
    common = sorted((ROOT / "common").rglob("*.py"))
    return files + [
        path.relative_to(ROOT).as_posix()
        for path in common
        if path.name != "__init__.py"
    ]


def tree_hash() -> str:
    """One sum over the source, the ladder with its data, and the climber.

    Not over unit tests and those of programs: one more of these changes
    nothing for what is killed already.
    """
    files = [
        path
        for folder in ("common", "frameworks", "parity_tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".json", ".npz")
        and not path.relative_to(ROOT).as_posix().startswith(APART)
    ]
    return hash_of(files)
