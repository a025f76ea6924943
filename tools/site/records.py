"""Run records, found, checked and put into groups that differ by seed.

A folder that cannot be shown is listed with the reason, never left out.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from common.errors import UserError
from common.recipe import PRESETS
from common.record import read_about, read_metrics
from tools.site.contract import FRAMEWORKS

# What a row of metrics.jsonl must have, as finite numbers.
FIELDS = (
    "epoch",
    "step",
    "lr",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "train_seconds",
    "compile_seconds",
    "images_per_second",
)
# What run.json must have, for the report to show it.
FACTS = (
    *("framework", "preset", "seed", "mode", "precision", "recipe", "run"),
    *("status", "started", "machine", "versions"),
)


@dataclass
class Found:
    """One folder: a run with its rows, or what is wrong with it."""

    folder: Path
    about: dict = field(default_factory=dict)
    rows: list[dict] = field(default_factory=list)
    problem: str = ""

    @property
    def name(self) -> str:
        """The last two parts of its path: pytorch/small-seed0-..."""
        return "/".join(self.folder.parts[-2:])

    @property
    def framework(self) -> str:
        """As people write it."""
        return FRAMEWORKS[self.about["framework"]]

    @property
    def started(self) -> str:
        """Day and time in UTC."""
        try:
            when = datetime.strptime(self.about["started"], "%Y%m%dT%H%M%SZ")
        except ValueError:
            return self.about["started"]
        return when.strftime("%Y-%m-%d %H:%M")


def find(*roots: Path) -> list[Found]:
    """Every record below these folders; of one in two places, the first."""
    found: dict[str, Found] = {}
    for root in roots:
        for folder in sorted(p for p in root.rglob("*") if p.is_dir()):
            inside = list(folder.iterdir())
            if inside and all(path.is_dir() for path in inside):
                continue  # holds records, is none
            one = read(folder)
            found.setdefault(one.name, one)
    return list(found.values())


def read(folder: Path) -> Found:
    """One folder's record, checked."""
    found = Found(folder)
    if not any(folder.iterdir()):
        found.problem = "empty: the folder holds nothing"
        return found
    if not (folder / "run.json").exists():
        found.problem = "no run.json, so nothing is known about it"
        return found
    try:
        about = read_about(folder)
        lacks = [name for name in FACTS if name not in about]
        if lacks:
            found.problem = f"run.json lacks {', '.join(lacks)}"
            return found
        if about["framework"] not in FRAMEWORKS:
            found.problem = f"unknown framework {about['framework']!r}"
            return found
        found.about = about
        rows = read_metrics(folder)
    except (UserError, UnicodeDecodeError) as error:
        found.problem = str(error).replace(str(folder) + "/", "")
        return found
    found.problem = wrong_rows(rows)
    if not found.problem:
        found.rows = rows
        found.problem = incomplete(about, rows)
    return found


def wrong_rows(rows: list) -> str:
    """What is wrong with the rows of metrics.jsonl; "" if nothing."""
    for line, row in enumerate(rows, 1):
        for name in FIELDS:
            value = row.get(name) if isinstance(row, dict) else None
            if not isinstance(value, int | float) or not math.isfinite(value):
                return f"metrics.jsonl, line {line}: {name} is no number"
    for before, after in pairwise(rows):
        if after["epoch"] <= before["epoch"]:
            return f"metrics.jsonl: epoch {after['epoch']} comes twice"
    return ""


def incomplete(about: dict, rows: list[dict]) -> str:
    """Why a readable record is not a whole training; "" if it is."""
    epochs, status = about["recipe"]["epochs"], about["status"]
    reason = f": {about['reason']}" if about.get("reason") else ""
    if status != "done":
        return f"{status} after {len(rows)} of {epochs} epochs{reason}"
    if about.get("evaluation") and not rows:
        return "an evaluation of a finished training, no epochs"
    if not rows:
        return "done, but no epoch is recorded"
    if rows[-1]["epoch"] != epochs:
        return f"done, but {rows[-1]['epoch']} of {epochs} epochs recorded"
    return ""


@dataclass
class Group:
    """Runs that differ in their seed only, or are repetitions."""

    framework: str  # folder's name
    label: str
    runs: list[Found]

    @property
    def seeds(self) -> list[int]:
        """Without repetitions, sorted."""
        return sorted({run.about["seed"] for run in self.runs})


@dataclass
class Experiment:
    """Groups with one recipe and data set: what may be laid together."""

    key: str
    title: str
    recipe: dict
    groups: list[Group]

    @property
    def runs(self) -> list[Found]:
        """Of all its groups."""
        return [run for group in self.groups for run in group.runs]


def experiments(found: list[Found]) -> list[Experiment]:
    """The runs that have epochs, by recipe; the largest comparison first."""
    by_recipe: dict[tuple[str, str], list[Found]] = {}
    for run in found:
        if run.rows:
            recipe = {**run.about["recipe"], "precision": ""}
            key = json.dumps(recipe, sort_keys=True)
            data = run.about["run"].get("dataset", "cifar10")
            by_recipe.setdefault((key, data), []).append(run)
    made = []
    for (_, data), runs in by_recipe.items():
        recipe = runs[0].about["recipe"]
        title = recipe_title(runs[0].about["preset"], recipe)
        title += "" if data == "cifar10" else f", {data} data"
        key = "-".join(title.replace(",", "").lower().split())
        made.append(Experiment(key, title, recipe, groups(runs)))
    work = "epochs", "train_images", "width"
    made.sort(
        key=lambda e: (
            len({group.framework for group in e.groups}),
            math.prod(e.recipe[name] for name in work),
        ),
        reverse=True,
    )
    return made


def recipe_title(preset: str, recipe: dict) -> str:
    """The preset and the fields that were changed: "small, epochs 2"."""
    words = [preset]
    if preset in PRESETS:
        usual = json.loads(json.dumps(asdict(PRESETS[preset])))
        words += [
            f"{name.replace('_', ' ')} {value}"
            for name, value in recipe.items()
            if name != "precision" and usual.get(name) != value
        ]
    return ", ".join(words)


def traits(run: Found) -> tuple[str, ...]:
    """What tells two groups of a framework apart."""
    about = run.about
    device = about["machine"].get("device", "?")
    device = "CPU" if device == "cpu" else device
    start = about["run"].get("init", "native")
    return (
        about["mode"],
        about["precision"],
        f"{start} start",
        f"on {device}",
    )


def groups(runs: list[Found]) -> list[Group]:
    """By framework and traits, in the order of the columns."""
    varying = [
        len({traits(run)[place] for run in runs}) > 1 for place in range(4)
    ]
    varying[0] = True  # the mode is always said
    found: dict[tuple, Group] = {}
    for framework, title in FRAMEWORKS.items():
        for run in runs:
            if run.about["framework"] != framework:
                continue
            all_traits = traits(run)
            named = [t for t, v in zip(all_traits, varying, strict=True) if v]
            label = ", ".join([title, *named])
            group = found.setdefault(
                (framework, all_traits), Group(framework, label, [])
            )
            group.runs.append(run)
    return list(found.values())
