"""The kill matrix: which test kills which change of the code.

Read from results/mutants.json, the report of `nox -s mutants`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from msgspec import Raw, Struct

from common.typed import Count, Malformed, Text, decode
from tools.site.contract import FRAMEWORKS
from tools.site.ladder import load

FORMAT = "davidnet-mutants-1"
T = TypeVar("T")
# The columns: a mutant of shared code stands in the last one.
PLACES = FRAMEWORKS | {"common": "common/"}


@dataclass(frozen=True)
class Cell:
    """What became of one mutant in one framework."""

    verdict: str  # "killed", "survived" or "equivalent"
    words: str  # "rung 4", "unit tests", or the verdict
    detail: str  # what killed it, or why it is equivalent
    rung: int | None


class Named(Struct, frozen=True):
    """One named mutant in one framework."""

    mutant: Text
    framework: Literal["tensorflow_eager", "pytorch", "jax_flax", "common"]
    rung: int | None
    killed_by: str | None
    equivalent: str | None = None


class Survivor(Struct, frozen=True):
    """A generated mutant that no test killed."""

    line: Count
    change: str
    judged: str  # "" if nobody has looked at it


class File(Struct, frozen=True, rename={"path": "file"}):
    """The generated mutants of one file."""

    path: Text
    possible: Count
    tried: Count
    killed: Count
    killed_by: dict[Text, Count]
    survivors: list[Survivor]

    @property
    def equivalent(self) -> int:
        """Survivors of which a person has said that they change nothing."""
        return sum(s.judged.startswith("equivalent") for s in self.survivors)

    @property
    def share(self) -> float | None:
        """Killed ones in percent of those that could be killed."""
        could = self.tried - self.equivalent
        return 100 * self.killed / could if could > 0 else None

    @property
    def unjudged(self) -> int:
        """Survivors that nobody has looked at."""
        return sum(not survivor.judged for survivor in self.survivors)


class Generated(Struct):
    """The part of the mutants that were made by mutation operators."""

    by_file: list[Raw] = []
    seed: int | None = None
    share: float | None = None


class MutantsFile(Struct):
    """The content of mutants.json; its rows are checked one by one."""

    format: Text
    named: list[Raw] = []
    generated: Generated | None = None
    date: Text = ""
    machine: Text = ""
    seconds: float | None = None
    commit_of: dict[Text, Text | None] = {}


@dataclass
class Mutants:
    """The report; `problem` if there is none, `problems` if it has holes."""

    matrix: dict[str, dict[str, Cell]] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def places(self) -> dict[str, str]:
        """The columns that have a mutant, with their titles."""
        used = {place for row in self.matrix.values() for place in row}
        return {p: t for p, t in PLACES.items() if p in used}

    @property
    def share(self) -> float | None:
        """Of all files together, as of one."""
        could = sum(file.tried - file.equivalent for file in self.files)
        killed = sum(file.killed for file in self.files)
        return 100 * killed / could if could > 0 else None

    @property
    def counts(self) -> dict[str, int]:
        """How many cells were killed, survived, are equivalent."""
        cells = [c for row in self.matrix.values() for c in row.values()]
        return {
            verdict: sum(cell.verdict == verdict for cell in cells)
            for verdict in ("killed", "survived", "equivalent")
        }

    @property
    def by_rung(self) -> dict[str, int]:
        """How many mutants fell at each place, the lowest rung first."""
        cells = [c for row in self.matrix.values() for c in row.values()]
        killed = [cell for cell in cells if cell.verdict == "killed"]
        killed.sort(key=lambda c: (c.rung is None, c.rung or 0, c.words))
        words = [cell.words for cell in killed]
        return {word: words.count(word) for word in dict.fromkeys(words)}


def read_mutants(path: Path | None) -> Mutants:
    """The report; never fails, but says what is wrong."""
    data, problem = load(path, MutantsFile)
    if not problem and data.format != FORMAT:
        problem = f"{path}: format {data.format!r}, expected {FORMAT!r}"
    if problem:
        return Mutants(problem=problem)
    made = Mutants()
    for name in ("date", "machine", "seconds"):
        if value := getattr(data, name):
            made.facts[name] = f"{value:g}" if name == "seconds" else value
    for part, commit in data.commit_of.items():
        made.facts[f"commit, {part}"] = str(commit)[:12]
    for place, row in _rows(data.named, "named", Named, made):
        _take_named(made, place, row)
    if data.generated is None:
        made.problems.append("generated: missing")
        return made
    for name, words in (
        ("seed", "seed of the generated"),
        ("share", "share of them tried"),
    ):
        if (value := getattr(data.generated, name)) is not None:
            made.facts[words] = str(value)
    for _, row in _rows(data.generated.by_file, "by_file", File, made):
        _take_file(made, row)
    return made


def _rows(
    rows: list[Raw], name: str, kind: type[T], made: Mutants
) -> Iterator[tuple[int, T]]:
    """The rows that can be read, counted from 1; others are problems."""
    if not rows:
        made.problems.append(f"{name}: holds no rows")
    for place, row in enumerate(rows, 1):
        try:
            yield place, decode(row, kind)
        except Malformed as error:
            made.problems.append(f"{name}, row {place}: {error}")


def _take_named(made: Mutants, place: int, row: Named) -> None:
    """One cell of the matrix."""
    cells = made.matrix.setdefault(row.mutant, {})
    if row.framework in cells:
        made.problems.append(f"named, row {place}: {row.mutant} comes twice")
        return
    rung, by = row.rung, row.killed_by or ""
    if rung is not None or by:
        words = f"rung {rung}" if rung is not None else _place(by)
        detail = by.removeprefix(words).lstrip(": ")
        cell = Cell("killed", words, detail, rung)
    elif row.equivalent:
        cell = Cell("equivalent", "equivalent", row.equivalent, None)
    else:
        cell = Cell("survived", "survived", "", None)
    cells[row.framework] = cell


def _place(killed_by: str) -> str:
    """The test that killed: "unit tests" of "unit tests: test_loss"."""
    return killed_by.split(":")[0].split("|")[0].strip()


def _take_file(made: Mutants, file: File) -> None:
    """One file's generated mutants, and whether its numbers fit together."""
    made.files.append(file)
    if file.killed + len(file.survivors) != file.tried:
        made.problems.append(
            f"{file.path}: {file.tried} tried, but {file.killed} killed and "
            f"{len(file.survivors)} survivors listed"
        )
    if sum(file.killed_by.values()) != file.killed:
        made.problems.append(
            f"{file.path}: {file.killed} killed, but "
            f"{sum(file.killed_by.values())} of them by something"
        )


def slug_of(mutant: str, slugs) -> str | None:
    """The difference that a mutant's name begins with, the longest."""
    found = [slug for slug in slugs if f"{mutant}-".startswith(f"{slug}-")]
    return max(found, key=len, default=None)
