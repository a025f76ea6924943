"""The three sources, cut by section and public name, and lined up.

The contract (which files, sections and names there must be) stands in
parity_tests/unit/test_mirror.py. It is read from there as text, so that
neither pytest nor a framework is needed.
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
class Piece:
    """The lines of one name in one file, and the number of the first."""

    framework: str
    file: str
    name: str
    first: int
    lines: tuple[str, ...]

    @property
    def path(self) -> str:
        """Of the file, from the repository's root."""
        return f"frameworks/{self.framework}/{self.file}"


@dataclass
class Row:
    """One name beside itself; a framework that lacks it has no piece."""

    name: str
    pieces: dict[str, Piece] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)  # why not all three have it


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


def read_contract(root: Path = ROOT) -> tuple[dict, dict]:
    """CONTRACT, names by file and section, and ALONE, reasons by name."""
    path = root / CONTRACT_FILE
    try:
        found = {
            getattr(node.targets[0], "id", ""): node.value
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign)
        }
        wanted = found["CONTRACT"], found["ALONE"]
        return tuple(map(ast.literal_eval, wanted))
    except (OSError, SyntaxError, ValueError, KeyError) as error:
        raise BuildError(
            f"{path}: the mirror contract cannot be read ({error})"
        ) from error


def sections(root: Path = ROOT) -> list[Section]:
    """All sections of the mirror, aligned. Raises BuildError.

    The head of each file, its docstring and imports, comes first, under
    the name `HEAD`.
    """
    contract, alone = read_contract(root)
    found = []
    for file, wanted in contract.items():
        cuts = {f: cut(f, file, read(f, file, root)) for f in FRAMEWORKS}
        for name, names in {HEAD: [HEAD], **wanted}.items():
            rows = [Row(name) for name in names]
            lone: dict[str, Row] = {}
            for framework, pieces in cuts.items():
                where = f"frameworks/{framework}/{file}: section {name}"
                if name not in pieces:
                    raise BuildError(
                        f"{where} is missing; {CONTRACT_FILE} asks for it"
                    )
                shared = []
                for piece in pieces[name]:
                    why = alone.get((framework, file, piece.name), "")
                    if why:
                        row = lone.setdefault(piece.name, Row(piece.name))
                        row.pieces[framework] = piece
                        if not why.startswith("as in "):
                            row.alone.append(why)
                    else:
                        shared.append(piece)
                present = [piece.name for piece in shared]
                if present != names:
                    raise BuildError(
                        f"{where} has {', '.join(present)}; {CONTRACT_FILE} "
                        f"asks for {', '.join(names)}"
                    )
                for row, piece in zip(rows, shared, strict=True):
                    row.pieces[framework] = piece
            for row in lone.values():
                rows.insert(1 + user(row, rows), row)
            found.append(Section(file, name, rows))
    return found


def user(lone: Row, rows: list[Row]) -> int:
    """The place of the first row that uses a name which not all have.

    If there is none in the section, that of the last row before it.
    """
    framework, helper = next(iter(lone.pieces.items()))
    before = 0
    for place, row in enumerate(rows):
        if framework in row.pieces and not row.alone:
            piece = row.pieces[framework]
            if re.search(rf"\b{lone.name}\b", "\n".join(piece.lines)):
                return place
            if piece.first < helper.first:
                before = place
    return before


def read(framework: str, file: str, root: Path = ROOT) -> str:
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

    def piece(name: str, first: int, last: int) -> Piece:
        part = "\n".join(lines[first - 1 : last]).rstrip().splitlines()
        return Piece(framework, file, name, first, tuple(part))

    borders = [
        (number, match[1])
        for number, line in enumerate(lines, 1)
        if (match := re.match(r"# --- (.+?) -+$", line))
    ]
    starts = dict(_starts(text, lines))
    ends = [number for number, _ in borders[1:]] + [len(lines) + 1]
    pieces = {HEAD: [piece(HEAD, 1, borders[0][0] - 1 if borders else None)]}
    for (border, section), end in zip(borders, ends, strict=True):
        inside = [(n, starts[n]) for n in starts if border < n < end]
        stops = [number for number, _ in inside[1:]] + [end]
        pieces[section] = [
            piece(name, number, stop - 1)
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
