"""The verdict on accuracy, from the published records.

Test accuracy and training loss of each pair of frameworks, over the seeds
that both have trained, and when each framework reached which accuracy.
"""

from collections.abc import Callable
from statistics import mean, median

from common.environments import TITLES
from common.run.records import ALONE, RunRecord, find_runs, was_alone
from parity_tests.judge.recorded_runs import (
    EPOCHS_MARGIN,
    FEWEST,
    LOSS_MARGIN,
    MARGIN,
    RECIPES,
    SMALL,
    Interval,
    Judged,
    Pair,
    accuracy,
    compare_pairs,
    judged,
    to_level,
    train_loss,
)
from parity_tests.mutants.killers import killer
from parity_tests.mutants.trained import FRAMEWORK
from tools.bench.sheet import markdown_table
from tools.bench.stats import spread
from tools.results.publish import MUTANTS, RESULTS
from tools.results.reports import Mutants, read_report


def accuracy_tables() -> str:
    """Both tables of each recipe, with what they are made of."""
    runs, _ = find_runs(RESULTS)
    parts = [
        "All from the frameworks' own initial weights, with the "
        f"{FEWEST} seeds that a verdict needs at the least. Mean "
        "differences with their 90 % intervals; margins "
        f"{MARGIN:.2f} points, {LOSS_MARGIN:g} % and {EPOCHS_MARGIN} epoch."
    ]
    for recipe in RECIPES:
        parts += [
            f"**`{recipe.name}`**:",
            pairs_table(runs, recipe),
            "Of each framework alone, medians over its seeds, with their "
            "ranges:",
            times_table(runs, recipe),
        ]
    parts.append(
        "Speed has no verdict, since machines differ. Seconds are of runs "
        f"that were alone: other programs used less than {ALONE:.0%} of the "
        "processors in every epoch."
    )
    return "\n\n".join(parts)


def pairs_table(runs: list[RunRecord], recipe: Judged) -> str:
    """A row for each two frameworks."""
    levels = " / ".join(f"{level:.0%}" for level in recipe.levels)
    heads = ("first minus second", "seeds", "test accuracy, points")
    heads += ("unpaired", "verdict", "training loss, %", "verdict")
    heads += (f"epochs to {levels}", "verdict")
    return markdown_table(heads, map(pair_row, compare_pairs(runs, recipe)))


def pair_row(pair: Pair) -> list[str]:
    """The cells of a pair."""

    def shown(interval: Interval | None) -> str:
        return str(interval) if interval else ""

    epochs = [
        " and ".join("never" if e is None else f"{e:g}" for e in both)
        for both in pair.epochs
    ]
    return [
        f"{TITLES[pair.one]}, {TITLES[pair.other]}",
        str(pair.seeds),
        *(shown(pair.accuracy), shown(pair.unpaired), pair.verdict),
        *(shown(pair.loss), pair.loss_verdict),
        *(" / ".join(epochs), pair.epochs_verdict),
    ]


def times_table(runs: list[RunRecord], recipe: Judged) -> str:
    """A row for each framework; seconds of runs that were alone only.

    Epochs to the levels that are judged of it and, of those of other recipes,
    to those that were reached.
    """
    groups = {n: [*g.values()] for n, g in judged(runs, recipe).items()}
    machine, alone = timed(groups)
    every = [run for group in groups.values() for run in group]
    others = {level for one in RECIPES for level in one.levels}
    reached = {at for at in others if any(to_level(run, at) for run in every)}
    levels = sorted({*recipe.levels, *reached})
    last = recipe.levels[1:]  # whose seconds are told
    seconds = {
        name: [middle_seconds(group, level) for level in last]
        for name, group in alone.items()
    }
    fastest = [
        min(filter(None, found), default=None)
        for found in zip(*seconds.values(), strict=True)
    ]
    rows = []
    for name, group in groups.items():
        ratios = [
            f"{took / least:.2f}" if took and least else "not measured"
            for took, least in zip(seconds[name], fastest, strict=True)
        ]
        rows.append(
            [
                TITLES[name],
                str(len(group)),
                ", ".join(sorted({r.about.machine.name for r in group})),
                spread_of(accuracy, group, "{:.2f}"),
                spread_of(train_loss, group, "{:.4f}"),
                *(epochs_cell(group, level) for level in levels),
                *(str(len(alone[name])), *ratios),
            ]
        )
    where = f" on {machine}" if machine else ""
    heads = ["framework", "seeds", "machine"]
    heads += ["test accuracy, %", "training loss"]
    heads += [f"epochs to {level:.0%}" for level in levels]
    heads += [f"runs alone{where}"]
    heads += [f"seconds to {level:.0%}, times the fastest" for level in last]
    return markdown_table(heads, rows)


def trained_mutants_table() -> str:
    """What whole trainings with a mistake differ by, beside what kills it."""
    report = read_report(MUTANTS, Mutants)
    runs, _ = find_runs(RESULTS)
    clean = judged(runs, SMALL)[FRAMEWORK]
    names = dict.fromkeys(row.mutant for row in report.trained)
    rows = []
    unseen = {}
    for name in names:
        broken = {r.seed: r for r in report.trained if r.mutant == name}
        seeds = sorted(broken.keys() & clean.keys())
        if len(seeds) < 2:
            continue
        before = [clean[seed] for seed in seeds]
        after = [broken[seed] for seed in seeds]
        points = [
            row.accuracy - accuracy(run)
            for row, run in zip(after, before, strict=True)
        ]
        losses = [
            100 * (row.train_loss / train_loss(run) - 1)
            for row, run in zip(after, before, strict=True)
        ]
        unseen[f"`{name}`"] = (
            abs(mean(points)) <= MARGIN and abs(mean(losses)) <= LOSS_MARGIN
        )
        kills = [
            killer(row.killed_by)
            for row in report.named
            if (row.mutant, row.framework) == (name, FRAMEWORK)
        ]
        rows.append(
            [
                *(f"`{name}`", str(len(seeds))),
                spread([row.accuracy for row in after], "{:.2f}"),
                *(f"{mean(points):+.2f}", f"{mean(losses):+.1f}"),
                ", ".join(kills),
            ]
        )
    if not rows:
        return "No trainings with a mistake are published yet."
    heads = ("mistake", "seeds", "test accuracy, %", "change, points")
    heads += ("change of the training loss, %", "the ladder sees it on")
    commit = report.commit_of["trained"][:7]
    return (
        markdown_table(heads, rows)
        + f"\n\n{TITLES[FRAMEWORK]}, `{SMALL.name}`, on commit {commit}; "
        "changes are means over the seeds, against the published runs of the "
        f"same seeds. {within_margins(unseen)}"
    )


def within_margins(unseen: dict[str, bool]) -> str:
    """Which mistakes change no mean by more than its margin, in words."""

    def listed(wanted: bool) -> str:
        return ", ".join(n for n, u in unseen.items() if u is wanted) or "none"

    return (
        f"Within the margins of {MARGIN:.2f} points and {LOSS_MARGIN:g} %: "
        f"{listed(True)}; beyond: {listed(False)}."
    )


def timed(
    groups: dict[str, list[RunRecord]],
) -> tuple[str, dict[str, list[RunRecord]]]:
    """The runs whose seconds may be compared, and the machine they ran on.

    They were alone, as far as is known, and on one machine: the one on which
    the most frameworks were, then the most runs.
    """
    alone: dict[str, dict[str, list[RunRecord]]] = {}
    for framework, group in groups.items():
        for run in group:
            if was_alone(run.rows):
                machine = alone.setdefault(run.about.machine.name, {})
                machine.setdefault(framework, []).append(run)
    if not alone:
        return "", {name: [] for name in groups}
    name = max(
        alone, key=lambda m: (len(alone[m]), sum(map(len, alone[m].values())))
    )
    return name, {f: alone[name].get(f, []) for f in groups}


def middle_seconds(runs: list[RunRecord], level: float) -> float | None:
    """The median of the training seconds to an accuracy."""
    found = [at[1] for run in runs if (at := to_level(run, level))]
    return median(found) if found else None


def epochs_cell(runs: list[RunRecord], level: float) -> str:
    """The median epoch at which an accuracy is reached, and the range."""
    found = [at[0] for run in runs if (at := to_level(run, level))]
    if not found:
        return "never"
    of = "" if len(found) == len(runs) else f", {len(found)} of {len(runs)}"
    return spread(found, "{:g}") + of


def spread_of(
    what: Callable[[RunRecord], float], runs: list[RunRecord], form: str
) -> str:
    """The median and range of a figure over some runs."""
    return spread([what(run) for run in runs], form) if runs else "no run"
