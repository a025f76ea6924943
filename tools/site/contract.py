"""The three sources, cut by section and public name.

The contract (which sections and names there must be) stands in
parity_tests/unit/test_mirror.py. It is read from there as text, so that neither
pytest nor a framework is needed.
"""

import ast
import re
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACT_FILE = "parity_tests/unit/test_mirror.py"
# The order of the columns.
FRAMEWORKS = {
    "tensorflow_eager": "TensorFlow",
    "pytorch": "PyTorch",
    "jax_flax": "JAX",
}
HEAD = "Head"  # what stands above the first section


class BuildError(Exception):
    """The site cannot be built; the message is one clear line."""


@dataclass(frozen=True)
class Contract:
    """What must be there, and what only some frameworks have."""

    files: dict[str, dict[str, list[str]]]  # file: section: names
    alone: dict[tuple[str, str, str], str]  # framework, file, name: why


@dataclass(frozen=True)
class Piece:
    """The lines of one name in one file; numbers from 1, both included."""

    framework: str
    file: str
    name: str
    first: int
    last: int

    @property
    def path(self) -> str:
        """Of the file, from the repository's root."""
        return f"frameworks/{self.framework}/{self.file}"


@dataclass
class Row:
    """One name beside itself; a framework that lacks it has no piece."""

    name: str
    pieces: dict[str, Piece] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)  # why it is alone


@dataclass
class Section:
    """One section of the mirror, its rows in order."""

    file: str
    name: str
    rows: list[Row]

    @property
    def slug(self) -> str:
        """For file names and addresses: "Command line", command-line."""
        return self.name.lower().replace(" ", "-")


def read_contract(root: Path = ROOT) -> Contract:
    """CONTRACT and ALONE from the test of the mirror. Raises BuildError."""
    path = root / CONTRACT_FILE
    found = {}
    try:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign):
                name = getattr(node.targets[0], "id", "")
                if name in ("CONTRACT", "ALONE"):
                    found[name] = ast.literal_eval(node.value)
        return Contract(found["CONTRACT"], found["ALONE"])
    except (OSError, SyntaxError, ValueError, KeyError) as error:
        raise BuildError(
            f"{path}: the mirror contract cannot be read ({error})"
        ) from error


def source(framework: str, file: str, root: Path = ROOT) -> str:
    """The text of a file of a framework. Raises BuildError."""
    path = root / "frameworks" / framework / file
    try:
        return path.read_text()
    except OSError as error:
        raise BuildError(f"frameworks/{framework}/{file}: missing") from error


def cut(framework: str, file: str, text: str) -> dict[str, list[Piece]]:
    """The pieces of a file by section, in order; every line is in one.

    A comment and a decorator belong to what follows, other loose lines to
    what stands before. Above the first section all is one piece, `HEAD`.
    """
    lines = text.splitlines()
    borders = [
        (number, match[1])
        for number, line in enumerate(lines, 1)
        if (match := re.match(r"# --- (.+?) -+$", line))
    ]
    starts = dict(_starts(text, lines))
    ends = [number for number, _ in borders[1:]] + [len(lines) + 1]
    head = (borders[0][0] if borders else len(lines) + 1) - 1
    pieces = {HEAD: [_piece(framework, file, HEAD, 1, head, lines)]}
    for (border, section), end in zip(borders, ends, strict=True):
        inside = [
            (number, name)
            for number, name in starts.items()
            if border < number < end
        ]
        stops = [number for number, _ in inside[1:]] + [end]
        pieces[section] = [
            _piece(framework, file, name, number, stop - 1, lines)
            for (number, name), stop in zip(inside, stops, strict=True)
        ]
    return pieces


def _starts(text: str, lines: list[str]):
    """First line and name of each definition, with what leads it in."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            name = node.name
        elif isinstance(node, ast.Assign):
            first, name = node.lineno, node.targets[0].id
        else:
            continue
        above = reversed(lines[: first - 1])
        comments = takewhile(
            lambda line: line.startswith("#") and "# ---" not in line, above
        )
        yield first - len(list(comments)), name


def _piece(framework, file, name, first, last, lines) -> Piece:
    """Without empty lines at its ends."""
    while last > first and not lines[last - 1].strip():
        last -= 1
    return Piece(framework, file, name, first, last)
