"""The table of the published trainings: a row for runs that differ by seed."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from common.environments import FRAMEWORKS, TITLES
from common.run import compare
from common.run.about import Epoch
from common.run.records import RunRecord, changed_fields, find_runs
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
    default = "compiled" if about.framework == "jax_flax" else "eager"
    if gpu or about.mode != default:
        words.append(f"--mode {about.mode}")
    if about.run.init != "native":
        words.append(f"--init {about.run.init}")
    return " ".join([*words, "--seed"])


def goal(runs: list[list[Epoch]]) -> str:
    """When a test accuracy of 94 % was first seen: "epoch 23, 80 s".

    runs: the epochs of each. Of several the medians, and of how many.
    """
    firsts = [
        next(epoch for epoch in epochs if epoch.test_accuracy >= GOAL)
        for epochs in runs
        if any(epoch.test_accuracy >= GOAL for epoch in epochs)
    ]
    if not firsts:
        return "not reached"
    of = f"{len(firsts)} of {len(runs)}: " if len(runs) > 1 else ""
    epoch = statistics.median(first.epoch for first in firsts)
    seconds = statistics.median(first.train_seconds for first in firsts)
    return f"{of}epoch {epoch:g}, {seconds:,.0f} s"


# Of a row, what stands in the README too.
SHORT = (
    *("framework", "preset, precision, mode", "runs"),
    *("test accuracy", "training"),
)


def row(runs: list[RunRecord]) -> dict[str, str]:
    """Cells by column, for runs that differ in the seed only."""
    lasts = [run.rows[-1] for run in runs]
    about = runs[0].about
    images = about.recipe.train_images * about.recipe.epochs
    seconds = [last.train_seconds for last in lasts]
    seeds = sorted(run.about.seed for run in runs)
    days = sorted({f"{run.started:%Y-%m-%d}" for run in runs})
    versions = ", ".join(
        f"{name.removesuffix('-cpu')} {about.versions[name]}"
        for name in SHOWN
        if name in about.versions
    )
    return {
        "framework": TITLES[about.framework],
        SHORT[1]: f"{about.preset}, {about.precision}, {about.mode}",
        "runs": f"{len(runs)} (seed {', '.join(map(str, seeds))})",
        "test accuracy": spread(
            [100 * last.test_accuracy for last in lasts], "{:.2f} %"
        ),
        "94 % after": goal([run.rows for run in runs]),
        "training": spread(seconds, "{:,.0f} s"),
        "images/s": spread([images / s for s in seconds], "{:,.0f}"),
        "versions; machine": f"{versions}; {about.machine.name}",
        "date": " ".join(days),
        "command": f"`{command(runs[0])} {' / '.join(map(str, seeds))}`",
    }


def comparison() -> str:
    """The last screen of `nox -s train-tf train-torch train-jax`.

    Of the records in results/ those that all three frameworks have.
    """
    runs = max(
        compare.groups(find_runs(RESULTS)[0]),
        key=lambda runs: len({run.about.framework for run in runs}),
    )
    lines = [*compare.table(runs, 80), "", compare.SITE]
    return "\n".join(["```text", *lines, "```"])


def trainings_table(columns: Sequence[str] | None = None) -> str:
    """The table of all records in results/; some of its columns, or all.

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
        groups[command(run), run.about.preset].append(run)
    order = sorted(groups, key=lambda key: (key[1] != "dawnbench", key[0]))
    rows = [row(groups[key]) for key in order]
    columns = columns or list(rows[0])
    return markdown_table(columns, [[r[c] for c in columns] for r in rows])


def runs_table() -> str:
    """The short table of the README."""
    return trainings_table(SHORT)


def full_trainings() -> str:
    """What the full recipe reached, in how many runs, and what has none."""
    runs = [r for r in find_runs(RESULTS)[0] if r.about.preset == FULL]
    reached = [100 * run.rows[-1].test_accuracy for run in runs]
    have = {TITLES[run.about.framework] for run in runs}
    lacking = [name for name in TITLES.values() if name not in have]
    gpu = any(run.about.machine.device != "cpu" for run in runs)
    lacking += [] if gpu else ["a GPU"]
    words = f"The full recipe, `{FULL}`: "
    if runs:
        many = f"{len(runs)} run" + "s" * (len(runs) > 1)
        words += (
            f"**{spread(reached, '{:.2f} %')} test accuracy** in {many} "
            f"({', '.join(n for n in TITLES.values() if n in have)})"
        )
    if lacking:
        words += "; " * bool(runs) + f"not measured yet: {', '.join(lacking)}"
    return words
