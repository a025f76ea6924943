"""The parity suite's own reports: the ladder and the kill matrix.

Both are JSON files: an object with a list of rows, each an object of plain
values. Its keys become the columns, those named in `FIRST` before others.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from common.typed import Malformed, Text, decode, read_limited
from tools.site.contract import FRAMEWORKS

# Of the ladder, what stands in its own column; the rest goes into the last.
COLUMNS = ("verdict", "what", "tensors", "worst error", "tolerance")
FIRST = ("rung", "mutant", "slug", "what", "verdict", "killed", "killed_by")
# An object's lists that hold the rows, the first that is there.
LISTS = ("rows", "checks", "ladder", "mutants", "matrix")
GOOD = {"equal", "pass", "passed", "killed", "ok", "true"}
BAD = {"fail", "failed", "survived", "missing", "false", "error"}
LARGEST = 2**26  # bytes of a report; the largest real one has 2**20
T = TypeVar("T")


class TraceFacts(Struct):
    """Of what stands in a trace, what is shown."""

    device: Text = ""
    git_commit: Text | None = None


class ParityFile(Struct):
    """The content of parity.json; a row is checked where it is shown."""

    rows: list[dict] = []
    mission: list[dict] = []
    problems: list[str] = []
    runs: list[str] = []
    traces: dict[str, TraceFacts] = {}


@dataclass
class Table:
    """A report as a table; with `problem` if there is none to show."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass
class Parity:
    """The report of `python -m parity_tests.compare --json`."""

    ladder: Table
    mission: Table = field(default_factory=Table)
    problems: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    rungs: list["Rung"] = field(default_factory=list)


@dataclass
class Rung:
    """The rows of one rung: cells by name, and the rest in words."""

    name: str
    rows: list[tuple[dict[str, str], list[str]]]


def rungs(ladder: Table) -> list[Rung]:
    """The ladder's rows by rung; [] if they are not of that form."""
    if not {"rung", *COLUMNS[:2]} <= set(ladder.columns):
        return []
    found: dict[str, Rung] = {}
    for cells in ladder.rows:
        row = dict(zip(ladder.columns, cells, strict=True))
        rung = found.setdefault(row["rung"], Rung(row["rung"], []))
        more = {
            name: value
            for name, value in row.items()
            if value and name not in ("rung", *COLUMNS)
        }
        words = list(dict.fromkeys(more.values()))
        rung.rows.append((row, words))
    return list(found.values())


def load(path: Path | None, kind: type[T]) -> tuple[T | None, str]:
    """The content of a JSON file, and what is wrong if it is not there.

    kind: what it must be. Its rows may be msgspec.Raw, or untyped, and are
    then checked one by one: a damaged one costs itself only.
    """
    if path is None:
        return None, "not run"
    if not path.exists():
        return None, f"not run: {path} is not there"
    try:
        return decode(read_limited(path, LARGEST), kind), ""
    except (OSError, Malformed) as error:
        return None, f"{path}: not readable ({error})"


def read_parity(path: Path | None) -> Parity:
    """The ladder's report; never fails, but says what is wrong."""
    data, problem = load(path, ParityFile | list)
    if problem:
        return Parity(Table(problem=problem))
    if isinstance(data, list):
        return Parity(tabulate(path, data))
    made = Parity(tabulate(path, {"rows": data.rows}))
    made.mission = tabulate(path, data.mission) if data.mission else Table()
    made.rungs = rungs(made.ladder)
    made.problems, made.runs = data.problems, data.runs
    for who, facts in data.traces.items():
        named = [facts.device, (facts.git_commit or "")[:10]]
        made.ladder.facts[FRAMEWORKS.get(who, who)] = ", ".join(
            filter(None, named)
        )
    return made


def read_table(path: Path | None) -> Table:
    """The rows of a report; never fails, but says what is wrong."""
    data, problem = load(path, dict | list)
    return Table(problem=problem) if problem else tabulate(path, data)


def tabulate(path: Path, data) -> Table:
    """A table of the rows that a report holds, in one of these forms."""
    facts = {}
    if isinstance(data, dict):
        facts = {
            k: show(v)
            for k, v in data.items()
            if plain(v) and not isinstance(v, list)
        }
        data = next((data[n] for n in LISTS if n in data), None) or [
            {"what": name, **row}
            for name, row in data.items()
            if isinstance(row, dict)
        ]
    if not isinstance(data, list) or not data:
        return Table(problem=f"{path}: holds no rows", facts=facts)
    if not all(isinstance(row, dict) for row in data):
        return Table(problem=f"{path}: rows of an unknown form", facts=facts)
    filled = {
        key
        for row in data
        for key, value in row.items()
        if plain(value) and value not in ("", None)
    }
    keys = dict.fromkeys(key for row in data for key in row)
    every = [key for key in keys if key in filled]
    columns = [name for name in FIRST if name in every]
    columns += [name for name in every if name not in columns]
    rows = [[show(row.get(name)) for name in columns] for row in data]
    return Table(columns, rows, facts)


def plain(value) -> bool:
    """A value that a cell can show."""
    if isinstance(value, list):
        return all(isinstance(v, str | int | float) for v in value)
    return value is None or isinstance(value, str | int | float | bool)


def show(value) -> str:
    """A value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(show, value))
    return str(value)


def mood(cell: str) -> str:
    """The class of a cell that is a verdict: good, bad or none."""
    word = cell.strip().lower()
    return "good" if word in GOOD else "bad" if word in BAD else ""
