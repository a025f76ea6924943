"""Run records, found and checked.

A folder that cannot be shown is listed with the reason, never left out.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from common.errors import UserError
from common.run.folder import read_about, read_metrics
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
    reason = f": {about['reason']}" if status == "failed" else ""
    if status != "done":
        return f"{status} after {len(rows)} of {epochs} epochs{reason}"
    if about.get("evaluation") and not rows:
        return "an evaluation of a finished training, no epochs"
    if not rows:
        return "done, but no epoch is recorded"
    if rows[-1]["epoch"] != epochs:
        return f"done, but {rows[-1]['epoch']} of {epochs} epochs recorded"
    return ""
