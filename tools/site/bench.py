"""The report of the benchmark, checked, and what is computed from it.

Read from results/bench.json, the report of `nox -s bench`. Every figure of
it is a list, a number for each repeat.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from common.recipe import Recipe
from tools.bench.count import gflop_per_image
from tools.site.contract import FRAMEWORKS
from tools.site.ladder import load

FORMAT = "davidnet-bench-1"
# What a row must have beside its numbers.
TRAITS = (
    *("what", "width", "mode", "precision"),
    *("dropout_rate", "batch_size", "threads"),
)
# By list of the report: what a row of it must have, and its numbers.
NEEDED = {
    "limits": (("precision", "what"), "gflops"),
    "rows": (TRAITS, "images_per_second"),
    "scale": (TRAITS, "images_per_second"),
    "parts": (("width", "precision", "part", "pass"), "milliseconds"),
}
WHOLE = "whole step"  # the part that is all others together
OPTIONAL = ("compile_seconds", "startup_seconds", "peak_memory_bytes")
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
    data, problem = load(path)
    if not problem and not isinstance(data, dict):
        problem = f"{path}: no object"
    if not problem and data.get("format") != FORMAT:
        problem = f"{path}: format {data.get('format')!r}, expected {FORMAT!r}"
    if problem:
        return Bench(problem=problem)
    made = Bench(quick=data.get("quick") is True)
    for name in NEEDED:
        setattr(made, name, _rows(data, name, made))
    machine = data.get("machine")
    machine = machine if isinstance(machine, dict) else {}
    made.facts = {
        **{n: str(data[n]) for n in ("date", "git_commit") if n in data},
        **{
            name: str(machine[name])
            for name in ("processor", "cores", "system", "device")
            if name in machine
        },
    }
    if "noise" in machine:
        made.facts["noise"] = f"{100 * machine['noise']:.0f} %"
    for who, found in (data.get("versions") or {}).items():
        named = [f"{k} {v}" for k, v in found.items()]
        made.versions[title_of(who)] = ", ".join(named)
    return made


def title_of(who: str) -> str:
    """ "pytorch" and "keras pytorch" as people write them."""
    first, _, last = who.rpartition(" ")
    return " ".join([*first.title().split(), FRAMEWORKS.get(last, last)])


def _rows(data: dict, name: str, made: Bench) -> list[dict]:
    """The rows of a list that can be shown; the others become problems."""
    found = data.get(name, [])
    if not isinstance(found, list):
        made.problems.append(f"{name}: no list")
        return []
    good = []
    for place, row in enumerate(found, 1):
        wrong = wrong_with(row, *NEEDED[name])
        if wrong:
            made.problems.append(f"{name}, row {place}: {wrong}")
        else:
            good.append(row)
    if not good:
        made.problems.append(f"{name}: holds no rows, not measured")
    return good


def wrong_with(row, traits: tuple[str, ...], numbers: str) -> str:
    """Why a row cannot be shown; "" if it can."""
    if not isinstance(row, dict):
        return "no object"
    lacks = [n for n in ("framework", *traits, numbers) if n not in row]
    if lacks:
        return f"lacks {', '.join(lacks)}"
    if row["framework"] not in FRAMEWORKS:
        return f"unknown framework {row['framework']!r}"
    for name in (numbers, *(n for n in OPTIONAL if n in row)):
        if not _figures(row[name]) or (name == numbers and not row[name]):
            return f"{name} are no numbers"
    if min(row[numbers]) <= 0:
        return f"{numbers} are not above 0"
    return ""


def _figures(values) -> bool:
    """A list of finite numbers."""
    return isinstance(values, list) and all(
        isinstance(value, int | float) and math.isfinite(value)
        for value in values
    )
