"""Rung 8 over recorded runs: equal accuracy, and time to accuracy.

Two groups of runs are equivalent if the 90 % confidence interval of the
difference of their means lies within the margin: two one-sided tests at 5 %
(TOST, Schuirmann 1987). A difference that is "not significant" is no proof
of anything, so too few runs are called too few.
"""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from statistics import mean, median, stdev

from common.run.records import RunRecord, find_runs

MARGIN = 0.20  # points of test accuracy
LEVELS = (0.90, 0.93, 0.94)
FRAMEWORKS = ("tensorflow_eager", "pytorch", "jax_flax")
JUDGED = "small, float32"  # the recipe whose runs decide the fourth claim
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


def accuracy(run: RunRecord) -> float:
    """Of the last epoch, in points."""
    return 100 * run.rows[-1].test_accuracy


def to_level(run: RunRecord, level: float) -> tuple[int, float] | None:
    """Epoch and seconds at which an accuracy was first reached."""
    for row in run.rows:
        if row.test_accuracy >= level:
            return row.epoch, row.train_seconds
    return None


def recipe_name(run: RunRecord) -> str:
    """Runs of one name may be laid together: "small, epochs 2, bfloat16"."""
    return f"{run.title}, {run.about.precision}"


def read_runs(roots: Iterable[Path]) -> tuple[list[RunRecord], list[str]]:
    """All whole trainings on CIFAR-10 below some folders, each once.

    Also a line for each record that cannot be read: it proves nothing
    either way, but is not left out in silence.
    """
    runs, problems = find_runs(*roots)
    whole = [
        run
        for run in runs
        if not run.problem and run.about.run.dataset == "cifar10"
    ]
    return whole, [f"{bad.name}: not counted: {bad.reason}" for bad in problems]


def analyze(runs: list[RunRecord]) -> list[str]:
    """Lines for the report, recipe by recipe."""
    lines = []
    names = {recipe_name(run) for run in runs if run.about.preset != "smoke"}
    for recipe in sorted(names):
        groups: dict[str, list[RunRecord]] = {}
        for run in runs:
            if recipe_name(run) == recipe:
                groups.setdefault(run.about.framework, []).append(run)
        for name, group in sorted(groups.items()):
            lines.append(describe(recipe, name, group))
        for one, other in combinations(sorted(groups), 2):
            verdict = equivalence(
                [accuracy(run) for run in groups[one]],
                [accuracy(run) for run in groups[other]],
            )
            lines.append(f"{recipe}: {one} and {other}: {verdict}")
    return lines or ["not enough runs: no finished run on CIFAR-10 is recorded"]


def accuracy_verdict(runs: list[RunRecord]) -> tuple[str, str]:
    """Whether the three reach equal accuracy on CIFAR-10: verdict, numbers.

    equivalent: every pair of frameworks is; DIFFERENT: one pair is; otherwise
    undecided, for want of runs or because they scatter too much.
    """
    groups = {
        name: [
            accuracy(run)
            for run in runs
            if run.about.framework == name and recipe_name(run) == JUDGED
        ]
        for name in FRAMEWORKS
    }
    pairs = [
        equivalence(groups[one], groups[other])
        for one, other in combinations(FRAMEWORKS, 2)
    ]
    verdict = "undecided"
    if any(line.startswith("DIFFERENT") for line in pairs):
        verdict = "DIFFERENT"
    elif all(line.startswith("equivalent") for line in pairs):
        verdict = "equivalent"
    counts = ", ".join(f"{name} {len(group)}" for name, group in groups.items())
    numbers = f"CIFAR-10, {JUDGED}, margin {MARGIN:.2f} points: "
    numbers += f"{counts} runs of the {FEWEST} that each needs at the least"
    return verdict, numbers


def describe(recipe: str, name: str, group: list[RunRecord]) -> str:
    """Mean accuracy, and median epochs and seconds to each level."""
    runs = "1 run" if len(group) == 1 else f"{len(group)} runs"
    text = f"{recipe}: {name}: {runs}, mean accuracy "
    text += f"{mean(map(accuracy, group)):.2f} %"
    for level in LEVELS:
        times = [t for run in group if (t := to_level(run, level))]
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
