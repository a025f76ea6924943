"""The table of the published trainings: a row for runs that differ by seed."""

import statistics
from collections import defaultdict

from common.environments import FRAMEWORKS, TITLES
from common.run import compare
from common.run.about import Epoch
from common.run.records import (
    RunRecord,
    changed_fields,
    find_runs,
    was_alone,
)
from parity_tests.judge.recorded_runs import SMALL, recipe_name
from tools.bench.sheet import markdown_table
from tools.bench.stats import spread
from tools.results.publish import RESULTS, no_evidence

# Of a run's libraries, the ones to name beside its results.
SHOWN = ("tensorflow", "tensorflow-cpu", "torch", "jax", "flax", "optax")

FULL = "dawnbench"  # the preset of the whole training
GOAL = 0.94  # test accuracy; DAWNBench took the time to it


def command(run: RunRecord) -> str:
    """The command that made a run, with the flags that were not defaults."""
    about = run.about
    words = [f"nox -s train-{FRAMEWORKS[about.framework].short} --"]
    words.append(f"--preset {about.preset}")
    for name, value in changed_fields(about.preset, about.recipe).items():
        numbers = value if isinstance(value, tuple) else (value,)
        words.append(f"--{name.replace('_', '-')}")
        words += map(str, numbers)
    # A GPU has other defaults: there the command says both.
    gpu = about.machine.device != "cpu"
    if about.precision != "float32" or gpu:
        words.append(f"--precision {about.precision}")
    if gpu or about.mode != FRAMEWORKS[about.framework].mode:
        words.append(f"--mode {about.mode}")
    processes, devices = about.machine.processes, about.machine.devices
    if processes > 1:
        words.append(f"--processes {processes}")
    if devices > processes:
        words.append(f"--devices {devices // processes}")
    if about.run.init != "native":
        words.append(f"--init {about.run.init}")
    return " ".join([*words, "--seed"])


def goal(runs: list[list[Epoch]]) -> str:
    """When a test accuracy of 94 % was first seen: "epoch 23, 80 s".

    runs: the epochs of each. Of several the medians, and of how many. No
    seconds of trainings beside which other programs ran.
    """
    reached = [
        (epochs, first)
        for epochs in runs
        if (first := next((e for e in epochs if e.test_accuracy >= GOAL), None))
    ]
    if not reached:
        return "not reached"
    of = f"{len(reached)} of {len(runs)}: " if len(runs) > 1 else ""
    epoch = statistics.median(first.epoch for _, first in reached)
    seconds = [
        first.train_seconds
        for epochs, first in reached
        if was_alone(epochs) is not False
    ]
    took = f", {statistics.median(seconds):,.0f} s" if seconds else ""
    return f"{of}epoch {epoch:g}{took}"


NOT_ALONE = "not alone"  # instead of seconds

# Of a row, what stands in the README too.
SHORT = (
    *("framework", "recipe, precision, mode", "runs"),
    *("test accuracy", "training", "device"),
)


def versions(run: RunRecord) -> str:
    """Of the libraries to name: "tensorflow 2.21.0"."""
    return ", ".join(
        f"{name.removesuffix('-cpu')} {run.about.versions[name]}"
        for name in SHOWN
        if name in run.about.versions
    )


def seeds(runs: list[RunRecord], between: str) -> str:
    """The seeds of some runs; a longer row of them by its ends: "0 to 9"."""
    found = sorted({run.about.seed for run in runs})
    first, last = found[0], found[-1]
    if len(found) > 3 and found == [*range(first, last + 1)]:
        return f"{first} to {last}"
    return between.join(map(str, found))


def row(runs: list[RunRecord]) -> dict[str, str]:
    """Cells by column, for runs that differ in the seed only."""
    lasts = [run.rows[-1] for run in runs]
    about = runs[0].about
    images = about.recipe.train_images * about.recipe.epochs
    # Those of runs beside which other programs ran say nothing.
    seconds = [
        last.train_seconds
        for run, last in zip(runs, lasts, strict=True)
        if was_alone(run.rows) is not False
    ]
    rates = [images / s for s in seconds]
    days = sorted({f"{run.started:%Y-%m-%d}" for run in runs})
    return {
        "framework": TITLES[about.framework],
        SHORT[1]: f"{runs[0].title}, {about.precision}, {about.mode}",
        "runs": f"{len(runs)} (seed {seeds(runs, ', ')})",
        "test accuracy": spread(
            [100 * last.test_accuracy for last in lasts], "{:.2f} %"
        ),
        "94 % after": goal([run.rows for run in runs]),
        "training": spread(seconds, "{:,.0f} s") if seconds else NOT_ALONE,
        "images/s": spread(rates, "{:,.0f}") if seconds else NOT_ALONE,
        "device": about.machine.device.replace("cpu", "CPU"),
        "versions; machine": f"{versions(runs[0])}; {about.machine.name}",
        "date": " ".join(days),
        "command": f"`{command(runs[0])} {seeds(runs, ' / ')}`",
    }


def comparison() -> str:
    """The last screen of `nox -s train-tf train-torch train-jax` on a CPU.

    Of the records in results/ those that all three frameworks have.
    """
    found = find_runs(RESULTS)[0]
    runs = max(
        compare.groups([r for r in found if r.about.machine.device == "cpu"]),
        key=lambda runs: len({run.about.framework for run in runs}),
    )
    lines = [*compare.table(runs, 80), "", compare.SITE]
    return "\n".join(["```text", *lines, "```"])


def published() -> list[list[RunRecord]]:
    """The records in results/, those together that differ in the seed only.

    Raises SystemExit if one of them is no evidence: what is published was
    published by `take`, or is damaged.
    """
    runs, problems = find_runs(RESULTS)
    wrong = [f"{bad.folder}: {bad.reason}" for bad in problems]
    wrong += [f"{r.folder}: {no_evidence(r)}" for r in runs if no_evidence(r)]
    if wrong:
        raise SystemExit("\n".join(wrong))
    groups = defaultdict(list)
    for run in runs:
        where = run.about.machine.name, versions(run)
        groups[run.about.preset != FULL, command(run), *where].append(run)
    return [groups[key] for key in sorted(groups)]


def trainings_table() -> str:
    """All published trainings, all that is known of them."""
    rows = [row(runs) for runs in published()]
    columns = [name for name in rows[0] if name != "device"]
    table = markdown_table(columns, [[r[c] for c in columns] for r in rows])
    full = [run.rows for run in full_runs()]
    return f"{table}\n\n`{FULL}`, 94 % test accuracy: {goal_share(full)}."


def goal_share(runs: list[list[Epoch]]) -> str:
    """In how many trainings the goal was reached; runs: their epochs."""
    reached = sum(any(e.test_accuracy >= GOAL for e in run) for run in runs)
    return f"reached in {reached} of {len(runs)} trainings"


def runs_table() -> str:
    """The short table of the README: the full recipe, and what is judged.

    Of what was trained on several machines, the row with the most seeds.
    """
    most: dict[tuple, list[RunRecord]] = {}
    for runs in published():
        about, title = runs[0].about, runs[0].title
        name = about.framework, title, about.precision, about.mode
        if title == FULL or recipe_name(runs[0]) == SMALL.name:
            most[name] = max(most.get(name, []), runs, key=len)
    rows = [row(runs) for runs in most.values()]
    return markdown_table(SHORT, [[r[c] for c in SHORT] for r in rows])


def full_runs() -> list[RunRecord]:
    """The published trainings by the full recipe, as it stands."""
    return [run for run in find_runs(RESULTS)[0] if run.title == FULL]


def full_trainings() -> str:
    """What the full recipe reached, in how many runs, and what has none."""
    runs = full_runs()
    reached = [100 * run.rows[-1].test_accuracy for run in runs]
    have = {TITLES[run.about.framework] for run in runs}
    lacking = [name for name in TITLES.values() if name not in have]
    gpu = any(run.about.machine.device != "cpu" for run in runs)
    lacking += [] if gpu else ["a GPU"]
    words = f"The full recipe, `{FULL}`: "
    if runs:
        many = f"{len(runs)} run" + "s" * (len(runs) > 1)
        names = ", ".join(name for name in TITLES.values() if name in have)
        of = f"({names})" if len(have) < len(TITLES) else "across all three"
        words += (
            f"**{spread(reached, '{:.2f} %')} test accuracy** in {many} {of}"
        )
    if lacking:
        words += "; " * bool(runs) + f"not measured yet: {', '.join(lacking)}"
    return words
