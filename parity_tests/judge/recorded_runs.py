"""Rung 8 over recorded runs: equal accuracy, and time to accuracy.

Two groups of runs are equivalent if the 90 % confidence interval of the
difference of their means lies within the margin: two one-sided tests at 5 %
(TOST, Schuirmann 1987). A difference that is "not significant" is no proof
of anything, so too few runs are called too few.

Runs of one seed see the same images in the same order with the same
augmentation in all frameworks, so that differences are taken seed by seed
(a paired interval); the unpaired one, after Welch, stands beside it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean, median

import numpy as np

from common.environments import FRAMEWORKS
from common.run.records import RunRecord, find_runs

MARGIN = 0.30  # points of test accuracy
LOSS_MARGIN = 2.0  # % of the training loss of the last epoch
EPOCHS_MARGIN = 1  # between the medians at which a level is reached
FEWEST = 10  # seeds of each framework


@dataclass(frozen=True)
class Judged:
    """A recipe whose runs decide the fourth claim."""

    name: str  # as recipe_name has it, of any mode or of one
    levels: tuple[float, ...]  # test accuracies, whose epochs are compared

    def includes(self, run: RunRecord) -> bool:
        """Whether it is of this recipe, from its framework's own weights."""
        about = run.about
        fresh = about.run.init == "native" and about.run.load is None
        full = f"{recipe_name(run)}, {about.mode},"
        return fresh and full.startswith(f"{self.name},")


SMALL = Judged("small, float32", (0.70, 0.80, 0.85))
# At 85 % the rate is near its highest: which epoch reaches it is chance, as
# the accuracy of one epoch differs by points from seed to seed.
FULL = Judged("dawnbench, bfloat16, compiled", (0.80, 0.90, 0.94))
RECIPES = (SMALL, FULL)


@dataclass(frozen=True)
class Interval:
    """A mean difference and its 90 % confidence interval."""

    mean: float
    low: float
    high: float

    def verdict(self, margin: float) -> str:
        """equivalent, DIFFERENT or undecided, within +- margin."""
        if -margin < self.low and self.high < margin:
            return "equivalent"
        if self.low > margin or self.high < -margin:
            return "DIFFERENT"
        return "undecided"

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


@dataclass(frozen=True)
class Pair:
    """Two frameworks compared over the seeds that both have."""

    one: str
    other: str
    seeds: int
    accuracy: Interval | None = None  # points; None: fewer than two seeds
    unpaired: Interval | None = None  # the same without regard to seeds
    loss: Interval | None = None  # % of the mean of both
    # By level: the medians of both over these seeds, None for never.
    epochs: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def verdict(self) -> str:
        """Of the accuracy, by the paired interval."""
        return self._judge(self.accuracy, MARGIN)

    @property
    def loss_verdict(self) -> str:
        """Of the training loss of the last epoch."""
        return self._judge(self.loss, LOSS_MARGIN)

    @property
    def epochs_verdict(self) -> str:
        """Whether every level is reached at about the same epoch."""
        if self.seeds < FEWEST:
            return "undecided"
        far = [
            (one is None) != (other is None)
            or (one or 0) - (other or 0) > EPOCHS_MARGIN
            or (other or 0) - (one or 0) > EPOCHS_MARGIN
            for one, other in self.epochs
        ]
        return "DIFFERENT" if any(far) else "equivalent"

    def _judge(self, interval: Interval | None, margin: float) -> str:
        if interval is None or self.seeds < FEWEST:
            return "undecided"
        return interval.verdict(margin)


def accuracy(run: RunRecord) -> float:
    """Of the last epoch, in points."""
    return 100 * run.rows[-1].test_accuracy


def train_loss(run: RunRecord) -> float:
    """Of the last epoch."""
    return run.rows[-1].train_loss


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


def judged(
    runs: Iterable[RunRecord], recipe: Judged
) -> dict[str, dict[int, RunRecord]]:
    """The runs of a recipe that decide the claim, by framework and seed.

    Of a seed the newest run counts.
    """
    found: dict[str, dict[int, RunRecord]] = {name: {} for name in FRAMEWORKS}
    for run in sorted(runs, key=lambda run: run.about.started):
        if recipe.includes(run):
            found[run.about.framework][run.about.seed] = run
    return found


def compare_pairs(runs: Iterable[RunRecord], recipe: Judged) -> list[Pair]:
    """Each two frameworks, over the seeds that both have trained."""
    found = judged(runs, recipe)
    return [
        compare(one, other, found[one], found[other], recipe.levels)
        for one, other in combinations(FRAMEWORKS, 2)
    ]


def compare(
    one: str,
    other: str,
    runs: dict[int, RunRecord],
    others: dict[int, RunRecord],
    levels: tuple[float, ...],
) -> Pair:
    """Two frameworks, by their runs of the same seeds."""
    seeds = sorted(runs.keys() & others.keys())
    if len(seeds) < 2:
        return Pair(one, other, len(seeds))

    def values(of: Callable[[RunRecord], float]) -> tuple[np.ndarray, ...]:
        return tuple(
            np.array([of(group[seed]) for seed in seeds])
            for group in (runs, others)
        )

    points, losses = values(accuracy), values(train_loss)
    scale = (losses[0] + losses[1]) / 200
    return Pair(
        *(one, other, len(seeds)),
        accuracy=paired(points[0] - points[1]),
        unpaired=unpaired(*points),
        loss=paired((losses[0] - losses[1]) / scale),
        epochs=tuple(
            tuple(
                middle((group[seed] for seed in seeds), level)
                for group in (runs, others)
            )
            for level in levels
        ),
    )


def paired(gaps: np.ndarray) -> Interval:
    """Of differences, one for each seed."""
    from scipy import stats  # not in the frameworks' environments

    error = stats.sem(gaps) * stats.t.ppf(0.95, len(gaps) - 1)
    return Interval(gaps.mean(), gaps.mean() - error, gaps.mean() + error)


def unpaired(one: np.ndarray, other: np.ndarray) -> Interval:
    """Of two groups, by Welch's degrees of freedom."""
    gap = one.mean() - other.mean()
    if not (one.std() or other.std()):
        return Interval(gap, gap, gap)
    from scipy import stats

    low, high = stats.ttest_ind(
        one, other, equal_var=False
    ).confidence_interval(0.90)
    return Interval(gap, low, high)


def middle(runs: Iterable[RunRecord], level: float) -> float | None:
    """The median epoch at which a level is reached, None for never.

    A run that does not reach it counts as one that takes longest.
    """
    found = [to_level(run, level) for run in runs]
    middle = median(at[0] if at else math.inf for at in found)
    return None if math.isinf(middle) else middle


def accuracy_verdict(runs: list[RunRecord]) -> tuple[str, str]:
    """Whether the three reach equal accuracy on CIFAR-10: verdict, numbers.

    And reach each level after as many epochs. equivalent: every pair of
    frameworks is, in both; DIFFERENT: one pair is, in one; otherwise undecided,
    for want of runs or because they scatter too much. The full recipe needs a
    GPU: it counts as soon as each framework has enough seeds of it.
    """
    verdicts, numbers = set(), []
    for recipe in RECIPES:
        groups = judged(runs, recipe)
        if recipe is SMALL or min(map(len, groups.values())) >= FEWEST:
            pairs = compare_pairs(runs, recipe)
            verdicts |= {pair.verdict for pair in pairs}
            verdicts |= {pair.epochs_verdict for pair in pairs}
            numbers.append(describe_pairs(recipe, groups, pairs))
    verdict = "undecided"
    if "DIFFERENT" in verdicts:
        verdict = "DIFFERENT"
    elif verdicts == {"equivalent"}:
        verdict = "equivalent"
    return verdict, (
        f"CIFAR-10, mean test accuracy (seeds; {FEWEST} needed of each), "
        "difference in points and its 90 % interval (margin "
        f"{MARGIN:.2f}): {'; '.join(numbers)}"
    )


def describe_pairs(
    recipe: Judged, groups: dict[str, dict[int, RunRecord]], pairs: list[Pair]
) -> str:
    """Mean accuracy of each framework, and how they differ."""
    parts = [
        f"{name} {mean(map(accuracy, group.values())):.2f} % ({len(group)})"
        if group
        else f"{name} none (0)"
        for name, group in groups.items()
    ]
    parts += [
        f"{pair.one} minus {pair.other} {pair.accuracy}"
        for pair in pairs
        if pair.accuracy
    ]
    return f"{recipe.name}: {', '.join(parts)}"


def analyze(runs: list[RunRecord]) -> list[str]:
    """Lines for the report: each recipe, then the pairs that are judged."""
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        if run.about.preset != "smoke":
            key = recipe_name(run), run.about.framework
            groups.setdefault(key, []).append(run)
    lines = [describe(*key, group) for key, group in sorted(groups.items())]
    if not lines:
        return ["not enough runs: no finished run on CIFAR-10 is recorded"]
    return lines + [
        f"{recipe.name}: {pair.one} and {pair.other}, {pair.seeds} seeds in "
        f"both: {pair.verdict} within {MARGIN:.2f} points"
        + (f": {pair.accuracy}, at 90 %" if pair.accuracy else "")
        for recipe in RECIPES
        for pair in compare_pairs(runs, recipe)
    ]


def describe(recipe: str, name: str, group: list[RunRecord]) -> str:
    """Mean accuracy, and median epochs and seconds to each level."""
    runs = "1 run" if len(group) == 1 else f"{len(group)} runs"
    text = f"{recipe}: {name}: {runs}, mean accuracy "
    text += f"{mean(map(accuracy, group)):.2f} %"
    judged_as = [one for one in RECIPES if any(map(one.includes, group))]
    for level in (judged_as or [SMALL])[0].levels:
        times = [t for run in group if (t := to_level(run, level))]
        if times:
            epochs = median(epoch for epoch, _ in times)
            seconds = median(seconds for _, seconds in times)
            text += f"; {level:.0%} in {len(times)} of {len(group)}, median "
            text += f"epoch {epochs:g}, {seconds:.1f} s"
    return text
