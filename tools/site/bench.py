"""The report of the benchmark, checked, and what is computed from it.

Read from results/bench.json, the report of `nox -s bench`. Every figure of
it is a list, a number for each repeat.
"""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated

from msgspec import Meta, Raw, Struct

from common.recipe import Recipe
from common.run.about import Framework
from common.typed import Count, Malformed, Positive, Text, decode
from tools.bench.count import gflop_per_image
from tools.site.contract import FRAMEWORKS
from tools.site.ladder import load

FORMAT = "davidnet-bench-1"
Figures = Annotated[list[Annotated[float, Meta(gt=0)]], Meta(min_length=1)]


class Limit(Struct):
    """The speed of one operation alone."""

    framework: Framework
    precision: Text
    what: Text
    gflops: Figures


class Speed(Struct):
    """The speed of steps or epochs."""

    framework: Framework
    what: Text
    width: Annotated[int, Meta(ge=1, le=4096)]
    mode: Text
    precision: Text
    dropout_rate: float
    batch_size: Positive
    threads: Count
    images_per_second: Figures
    compile_seconds: list[float] = []
    startup_seconds: list[float] = []
    peak_memory_bytes: list[float] = []


class Part(Struct, rename={"direction": "pass"}):
    """The time of a part of a step."""

    framework: Framework
    width: Annotated[int, Meta(ge=1, le=4096)]
    precision: Text
    part: Text
    direction: Text
    milliseconds: Figures
    count: Positive = 1


class Machine(Struct, frozen=True):
    """Where it was measured."""

    processor: Text = ""
    cores: Count = 0
    system: Text = ""
    device: Text = ""
    noise: float | None = None


class BenchFile(Struct):
    """The content of bench.json; its rows are checked one by one."""

    format: Text
    limits: list[Raw] = []
    rows: list[Raw] = []
    scale: list[Raw] = []
    parts: list[Raw] = []
    quick: bool = False
    date: Text = ""
    git_commit: Text | None = None
    machine: Machine = Machine()
    versions: dict[Text, dict[Text, Text]] = {}


ROWS = {"limits": Limit, "rows": Speed, "scale": Speed, "parts": Part}
OPTIONAL = ("compile_seconds", "startup_seconds", "peak_memory_bytes")
WHOLE = "whole step"  # the part that is all others together
OWN_MODE = {
    "tensorflow_eager": "eager",
    "pytorch": "eager",
    "jax_flax": "compiled",
}


@dataclass
class Bench:
    """The report; `problem` if there is none, `problems` if it has holes."""

    limits: list[dict] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)
    scale: list[dict] = field(default_factory=list)
    parts: list[dict] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    quick: bool = False
    problem: str = ""
    problems: list[str] = field(default_factory=list)

    def limit(self, precision: str) -> float | None:
        """GFLOP/s of the best convolution in a precision."""
        return max(
            (
                median(row["gflops"])
                for row in self.limits
                if row["precision"] == precision
                and row["what"].startswith("convolution")
            ),
            default=None,
        )

    def ratio(self, row: dict) -> float | None:
        """A row's GFLOP/s over those of the best convolution."""
        limit = self.limit(row["precision"])
        if limit is None:
            return None
        speed = median(row["images_per_second"])
        return speed * gflop_per_image(Recipe(width=row["width"])) / limit


def read_bench(path: Path | None) -> Bench:
    """The report; never fails, but says what is wrong."""
    data, problem = load(path, BenchFile)
    if not problem and data.format != FORMAT:
        problem = f"{path}: format {data.format!r}, expected {FORMAT!r}"
    if problem:
        return Bench(problem=problem)
    made = Bench(quick=data.quick)
    for name, kind in ROWS.items():
        setattr(made, name, _rows(getattr(data, name), name, kind, made))
    machine = data.machine
    facts = {
        **{n: getattr(data, n) for n in ("date", "git_commit")},
        **{
            name: getattr(machine, name)
            for name in ("processor", "cores", "system", "device")
        },
    }
    made.facts = {name: str(value) for name, value in facts.items() if value}
    if machine.noise is not None:
        made.facts["noise"] = f"{100 * machine.noise:.0f} %"
    for who, found in data.versions.items():
        named = [f"{k} {v}" for k, v in found.items()]
        made.versions[title_of(who)] = ", ".join(named)
    return made


def title_of(who: str) -> str:
    """ "pytorch" and "keras pytorch" as people write them."""
    first, _, last = who.rpartition(" ")
    return " ".join([*first.title().split(), FRAMEWORKS.get(last, last)])


def _rows(rows: list[Raw], name: str, kind: type, made: Bench) -> list[dict]:
    """The rows of a list that can be shown; the others become problems."""
    good = []
    for place, row in enumerate(rows, 1):
        try:
            decode(row, kind)
            good.append(decode(row, dict))
        except Malformed as error:
            made.problems.append(f"{name}, row {place}: {error}")
    if not good:
        made.problems.append(f"{name}: holds no rows, not measured")
    return good
