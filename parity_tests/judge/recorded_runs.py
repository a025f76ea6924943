"""Rung 8 over recorded runs: equal accuracy, and time to accuracy.

Two groups of runs are equivalent if the 90 % confidence interval of the
difference of their means lies within the margin: two one-sided tests at 5 %
(TOST, Schuirmann 1987). A difference that is "not significant" is no proof
of anything, so too few runs are called too few.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean, median, stdev

from common.recipe import PRESETS

MARGIN = 0.20  # points of test accuracy
LEVELS = (0.90, 0.93, 0.94)
FEWEST = 5  # runs of each framework; fewer cannot decide 0.20 points
# Student's t at 95 %, one-sided, by degrees of freedom; in between, the
# next smaller one is taken, which is the careful side.
T95 = {
    4: 2.132,
    5: 2.015,
    6: 1.943,
    7: 1.895,
    8: 1.860,
    10: 1.812,
    12: 1.782,
    15: 1.753,
    20: 1.725,
    30: 1.697,
    60: 1.671,
    10**9: 1.645,
}


@dataclass(frozen=True)
class Recorded:
    """One finished run."""

    framework: str
    recipe: str  # the preset, what was changed of it, and the precision
    seed: int
    rows: list[dict]

    @property
    def accuracy(self) -> float:
        """Of the last epoch, in points."""
        return 100 * self.rows[-1]["test_accuracy"]

    def to_level(self, level: float) -> tuple[int, float] | None:
        """Epoch and seconds at which an accuracy was first reached."""
        for row in self.rows:
            if row["test_accuracy"] >= level:
                return row["epoch"], row["train_seconds"]
        return None


def recipe_name(about: dict) -> str:
    """Runs of one name may be laid together: "small, epochs 2, bfloat16"."""
    usual = json.loads(json.dumps(asdict(PRESETS[about["preset"]])))
    changed = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in about["recipe"].items()
        if name != "precision" and value != usual.get(name)
    ]
    return ", ".join([about["preset"], *changed, about["precision"]])


def read_runs(roots: Iterable[Path]) -> list[Recorded]:
    """All finished runs on CIFAR-10 below some folders.

    A run that was published lies in two of them: it counts once.
    """
    found = {}
    files = [p for root in roots for p in sorted(root.glob("*/*/run.json"))]
    for path in files:
        try:
            about = json.loads(path.read_text())
            text = (path.parent / "metrics.jsonl").read_text()
            rows = [json.loads(line) for line in text.splitlines()]
            whole = about["status"] == "done" and rows
            if whole and about["run"]["dataset"] == "cifar10":
                name = about["framework"], path.parent.name
                found[name] = Recorded(
                    *(about["framework"], recipe_name(about)),
                    *(about["seed"], rows),
                )
        except (OSError, ValueError, KeyError):
            continue  # not a whole record; it proves nothing either way
    return list(found.values())


def analyse(runs: list[Recorded]) -> list[str]:
    """Lines for the report, recipe by recipe."""
    lines = []
    names = {run.recipe for run in runs if not run.recipe.startswith("smoke")}
    for recipe in sorted(names):
        groups: dict[str, list[Recorded]] = {}
        for run in runs:
            if run.recipe == recipe:
                groups.setdefault(run.framework, []).append(run)
        for name, group in sorted(groups.items()):
            lines.append(describe(recipe, name, group))
        for one, other in combinations(sorted(groups), 2):
            verdict = equivalence(
                [run.accuracy for run in groups[one]],
                [run.accuracy for run in groups[other]],
            )
            lines.append(f"{recipe}: {one} and {other}: {verdict}")
    return lines or ["not enough runs: no finished run on CIFAR-10 is recorded"]


def describe(recipe: str, name: str, group: list[Recorded]) -> str:
    """Mean accuracy, and median epochs and seconds to each level."""
    runs = "1 run" if len(group) == 1 else f"{len(group)} runs"
    text = f"{recipe}: {name}: {runs}, mean accuracy "
    text += f"{mean(run.accuracy for run in group):.2f} %"
    for level in LEVELS:
        times = [t for run in group if (t := run.to_level(level))]
        if times:
            epochs = median(epoch for epoch, _ in times)
            seconds = median(seconds for _, seconds in times)
            text += f"; {level:.0%} in {len(times)} of {len(group)}, median "
            text += f"epoch {epochs:g}, {seconds:.1f} s"
    return text


def equivalence(one: list[float], other: list[float]) -> str:
    """TOST with Welch's degrees of freedom, as a sentence."""
    if min(len(one), len(other)) < FEWEST:
        return (
            f"not enough runs ({len(one)} and {len(other)}, {FEWEST} each are "
            "the least)"
        )
    a, b = stdev(one) ** 2 / len(one), stdev(other) ** 2 / len(other)
    error = (a + b) ** 0.5
    spread = a**2 / (len(one) - 1) + b**2 / (len(other) - 1)
    freedom = (a + b) ** 2 / spread if spread else 10**9
    t = T95[max(key for key in T95 if key <= max(4, freedom))]
    gap = mean(one) - mean(other)
    low, high = gap - t * error, gap + t * error
    interval = f"difference {gap:+.3f}, 90 % interval {low:+.3f} to "
    interval += f"{high:+.3f}"
    if low > -MARGIN and high < MARGIN:
        return f"equivalent within {MARGIN:.2f} points ({interval})"
    if low > MARGIN or high < -MARGIN:
        return f"DIFFERENT by more than {MARGIN:.2f} points ({interval})"
    return f"not decided within {MARGIN:.2f} points: more runs ({interval})"
