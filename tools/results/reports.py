"""What of the published reports the tables are made of, checked."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from common.typed import Commit, Count, Malformed, Text, decode, read_limited

LARGEST = 2**26  # bytes; the largest real one has 2**20
T = TypeVar("T")


class Rung(Struct, frozen=True, rename={"worst_error": "worst error"}):
    """A row of the ladder, in words."""

    rung: Text
    what: Text
    tensors: Text
    worst_error: Text
    tolerance: Text
    verdict: Text


class Claim(Struct, frozen=True):
    """One of the four claims of the mission, and what the ladder measured."""

    what: Text
    verdict: Text
    numbers: Text


class Trace(Struct, frozen=True):
    """What made the trace of a framework."""

    git_commit: Commit | None
    versions: dict[Text, Text]
    device: Text = "cpu"


class Ladder(Struct, frozen=True):
    """parity.json, as `python -m parity_tests.compare --json` writes it."""

    format: Literal["davidnet-parity-1"]
    verdict: Text
    rows: list[Rung]
    mission: list[Claim]
    traces: dict[Text, Trace]


class Named(Struct, frozen=True):
    """A named mutant in one framework, or in the code that all share."""

    mutant: Text
    framework: Text
    killed_by: str
    equivalent: str


class Survivor(Struct, frozen=True):
    """A generated mutant that no test noticed."""

    line: Count
    change: Text
    judged: str


class Tried(Struct, frozen=True):
    """The generated mutants of a file."""

    file: Text
    possible: Count
    tried: Count
    killed_by: dict[Text, Count]
    survivors: list[Survivor]

    @property
    def equivalent(self) -> int:
        """How many of the survivors change nothing that a training does."""
        return sum(s.judged.startswith("equivalent") for s in self.survivors)


class Generated(Struct, frozen=True):
    """The mutants that operators made."""

    by_file: list[Tried]
    share: float  # of all that they could make
    whole: list[Text] = []  # patterns of files of which all were tried

    def of(self, whole: bool) -> "Generated":
        """Those of files of which all were tried, or of the others."""
        rows = [
            row
            for row in self.by_file
            if any(fnmatchcase(row.file, p) for p in self.whole) == whole
        ]
        return replace(self, by_file=rows)

    @property
    def killed(self) -> int:
        """How many a test or a rung noticed."""
        return sum(sum(row.killed_by.values()) for row in self.by_file)

    @property
    def able(self) -> int:
        """How many could be killed: all that were tried but equivalents."""
        return sum(row.tried - row.equivalent for row in self.by_file)


class TrainedMutant(Struct, frozen=True):
    """A whole training with a mistake in it."""

    mutant: Text
    seed: Count
    accuracy: float  # points
    train_loss: float


class Mutants(Struct, frozen=True):
    """mutants.json, as `nox -s mutants` writes it."""

    format: Literal["davidnet-mutants-1"]
    named: list[Named]
    generated: Generated
    commit_of: dict[Text, Commit]
    trained: list[TrainedMutant] = []


class BenchMachine(Struct, frozen=True):
    """Of the machine of a bench, how far its limit moved meanwhile."""

    noise: float


class Bench(Struct, frozen=True):
    """Of a bench, what decides whether, and where, it may be published."""

    format: Literal["davidnet-bench-1"]
    quick: bool
    machine: BenchMachine
    git_commit: Commit | None
    scale: list = []  # rows, if it is one of --scale
    world: list = []  # or of --world
    profiles: list = []  # or of --profile


class MachineRow(Struct, frozen=True):
    """The worst of a row of the ladder over all machines."""

    rung: Text
    what: Text
    on: Count
    machine: Text
    tensor: str
    who: str
    error: float
    tolerance: float
    share: float
    failed: bool
    counted: bool


class Double(Struct, frozen=True):
    """The worst float64 error."""

    numbers: Count
    error: float
    tensor: str
    machine: Text


class Machines(Struct, frozen=True):
    """machines.json, as `python -m tools.machines` writes it."""

    format: Literal["davidnet-machines-1"]
    processor: Text
    machines: list[Text]
    rows: list[MachineRow]
    double: Double
    roundings: dict[Text, Count]
    plain: Count
    git_commit: Commit | None


class Killed(Struct, frozen=True):
    """The trainings of a framework in one mode that were killed."""

    framework: Text
    mode: Text
    kills: dict[Text, Count]  # by signal
    trainings: Count  # that were the same in the end


class Torture(Struct, frozen=True):
    """torture.json, as `nox -s torture` writes it."""

    format: Literal["davidnet-torture-1"]
    verdict: Text
    differences: Count
    git_commit: Commit | None
    rows: list[Killed]


class FirstLoss(Struct, frozen=True):
    """The first epoch's mean training loss of a training."""

    framework: Text
    precision: Text
    processes: Count
    machine: Text  # of the matrix: how one process rounds
    loss: float


class FirstEpoch(Struct, frozen=True):
    """first-epoch.json, as `nox -s first-epoch` writes it."""

    format: Literal["davidnet-first-epoch-1"]
    git_commit: Commit | None
    machine: Text
    flags: Text
    rows: list[FirstLoss]


class Release(Struct, frozen=True):
    """What the newest release of a framework did to its training."""

    framework: Text
    pinned: dict[Text, Text]  # versions by name
    tried: dict[Text, Text]  # empty if it does not run
    release: Text  # the newest on PyPI; empty if not known
    verdict: Text
    first: Text  # the row of the ladder that differs first
    kept: Text = "not compared"  # beside the digests of an earlier day


class Newest(Struct, frozen=True):
    """newest.json, as `python -m tools.newest` writes it."""

    format: Literal["davidnet-newest-1"]
    date: Text
    git_commit: Commit | None
    rows: list[Release]


class Gpu(Struct, frozen=True):
    """gpu.json, as `python -m parity_tests.gpu` writes it."""

    format: Literal["davidnet-gpu-1"]
    git_commit: Commit | None
    processor: Text
    wrong: list[Text]  # claims that do not hold
    frameworks: dict[Text, dict]


def read_whole(path: Path, kind: type) -> dict:
    """All of a report, once it was found to be of this kind. As read_report."""
    read_report(path, kind)
    return json.loads(path.read_bytes())


def read_report(path: Path, kind: type[T]) -> T:
    """A report of this kind. Raises SystemExit with the reason."""
    try:
        return decode(read_limited(path, LARGEST), kind)
    except (OSError, Malformed) as error:
        raise SystemExit(f"{path}: not a report to use: {error}") from error
