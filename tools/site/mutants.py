"""The kill matrix: which test notices which change of the code.

Read from results/mutants.json, the report of `nox -s mutants`.
"""

from dataclasses import dataclass, field
from pathlib import Path

from tools.site.contract import FRAMEWORKS
from tools.site.ladder import load

FORMAT = "davidnet-mutants-1"
# The columns: a mutant of shared code stands in the last one.
PLACES = FRAMEWORKS | {"common": "common/"}


@dataclass(frozen=True)
class Cell:
    """What became of one mutant in one framework."""

    verdict: str  # "killed", "survived" or "equivalent"
    words: str  # "rung 4", "unit tests", or the verdict
    detail: str  # what killed it, or why it is equivalent
    rung: int | None


@dataclass(frozen=True)
class Survivor:
    """A generated mutant that no test noticed."""

    line: int
    change: str
    judged: str  # "" if nobody has looked at it


@dataclass(frozen=True)
class File:
    """The generated mutants of one file."""

    path: str
    possible: int
    tried: int
    killed: int
    killed_by: dict[str, int]
    survivors: list[Survivor]

    @property
    def equivalent(self) -> int:
        """Survivors of which a person has said that they change nothing."""
        return sum(s.judged.startswith("equivalent") for s in self.survivors)

    @property
    def share(self) -> float | None:
        """Killed ones in per cent of those that could be noticed."""
        could = self.tried - self.equivalent
        return 100 * self.killed / could if could > 0 else None

    @property
    def unjudged(self) -> int:
        """Survivors that nobody has looked at."""
        return sum(not survivor.judged for survivor in self.survivors)


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
    data, problem = load(path)
    if not problem and not isinstance(data, dict):
        problem = f"{path}: no object"
    if not problem and data.get("format") != FORMAT:
        problem = f"{path}: format {data.get('format')!r}, expected {FORMAT!r}"
    if problem:
        return Mutants(problem=problem)
    made = Mutants(
        facts={
            name: str(data[name])
            for name in ("date", "machine", "seconds")
            if name in data
        }
    )
    commits = data.get("commit_of")
    if isinstance(commits, dict):
        made.facts |= {f"commit, {n}": str(c)[:12] for n, c in commits.items()}
    for place, row in enumerate(_list(data, "named", made), 1):
        _take_named(made, place, row)
    generated = data.get("generated")
    if not isinstance(generated, dict):
        made.problems.append("generated: missing")
        return made
    made.facts |= {
        words: str(generated[name])
        for name, words in (
            ("seed", "seed of the generated"),
            ("share", "share of them tried"),
        )
        if name in generated
    }
    for place, row in enumerate(_list(generated, "by_file", made), 1):
        _take_file(made, place, row)
    return made


def _list(data: dict, name: str, made: Mutants) -> list:
    """A list of the report; what is none, or is empty, is a problem."""
    found = data.get(name)
    if not isinstance(found, list) or not found:
        made.problems.append(f"{name}: holds no rows")
        return []
    return found


def _take_named(made: Mutants, place: int, row) -> None:
    """One cell of the matrix."""
    try:
        name, framework = row["mutant"], row["framework"]
        rung, by = row["rung"], row["killed_by"]
        equivalent = row.get("equivalent") or ""
    except (TypeError, KeyError, AttributeError) as error:
        made.problems.append(f"named, row {place}: not readable ({error!r})")
        return
    if framework not in PLACES:
        made.problems.append(
            f"named, row {place}: unknown framework {framework!r}"
        )
        return
    cells = made.matrix.setdefault(str(name), {})
    if framework in cells:
        made.problems.append(f"named, row {place}: {name} comes twice")
        return
    if rung is not None or by:
        words = f"rung {rung}" if rung is not None else _place(str(by))
        detail = str(by or "").removeprefix(words).lstrip(": ")
        cells[framework] = Cell("killed", words, detail, rung)
    elif equivalent:
        cells[framework] = Cell("equivalent", "equivalent", equivalent, None)
    else:
        cells[framework] = Cell("survived", "survived", "", None)


def _place(killed_by: str) -> str:
    """The test that killed: "unit tests" of "unit tests: test_loss"."""
    return killed_by.split(":")[0].split("|")[0].strip()


def _take_file(made: Mutants, place: int, row) -> None:
    """One file's generated mutants, if its numbers fit each other."""
    try:
        file = File(
            path=str(row["file"]),
            possible=int(row["possible"]),
            tried=int(row["tried"]),
            killed=int(row["killed"]),
            killed_by={str(k): int(n) for k, n in row["killed_by"].items()},
            survivors=[
                Survivor(int(s["line"]), str(s["change"]), str(s["judged"]))
                for s in row["survivors"]
            ],
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        made.problems.append(f"by_file, row {place}: not readable ({error!r})")
        return
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
