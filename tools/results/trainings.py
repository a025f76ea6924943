"""The table of the published trainings: a row for runs that differ by seed."""

import json
import statistics
from collections import defaultdict
from pathlib import Path

from common.recipe import PRESETS, Recipe
from common.run.folder import read_about, read_metrics
from tools.results.publish import RESULTS

NAMES = {
    "tensorflow_eager": ("TensorFlow", "tf"),
    "pytorch": ("PyTorch", "torch"),
    "jax_flax": ("JAX", "jax"),
}
# Of a run's libraries, the ones to name beside its results.
SHOWN = ("tensorflow", "tensorflow-cpu", "torch", "jax", "flax", "optax")

GOAL = 0.94  # test accuracy; DAWNBench took the time to it


def command(about: dict) -> str:
    """The command that made a run, with the flags that were not defaults."""
    words = [f"nox -s train-{NAMES[about['framework']][1]} --"]
    words.append(f"--preset {about['preset']}")
    preset = json.loads(json.dumps(Recipe(**about["recipe"]).__dict__))
    for name, value in PRESETS[about["preset"]].__dict__.items():
        now = preset[name]
        if json.loads(json.dumps(value)) != now:
            words.append(f"--{name.replace('_', '-')} {now}")
    # A GPU has other defaults: there the command says both.
    gpu = about["machine"]["device"] != "cpu"
    if gpu and about["precision"] == "float32":
        words.append("--precision float32")
    default = "compiled" if about["framework"] == "jax_flax" else "eager"
    if gpu or about["mode"] != default:
        words.append(f"--mode {about['mode']}")
    if about["run"]["init"] != "native":
        words.append(f"--init {about['run']['init']}")
    return " ".join([*words, "--seed"])


def spread(values: list[float], form: str) -> str:
    """The median and, of several values, the range."""
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return (
        f"{middle} ({form.format(min(values))} to {form.format(max(values))})"
    )


def goal(runs: list[list[dict]]) -> str:
    """When a test accuracy of 94 % was first seen: "epoch 23, 80 s".

    runs: the epochs of each, as metrics.jsonl has them. Of several the
    medians, and of how many.
    """
    firsts = [
        next(epoch for epoch in epochs if epoch["test_accuracy"] >= GOAL)
        for epochs in runs
        if any(epoch["test_accuracy"] >= GOAL for epoch in epochs)
    ]
    if not firsts:
        return "not reached"
    of = f"{len(firsts)} of {len(runs)}: " if len(runs) > 1 else ""
    epoch = statistics.median(first["epoch"] for first in firsts)
    seconds = statistics.median(first["train_seconds"] for first in firsts)
    return f"{of}epoch {epoch:g}, {seconds:,.0f} s"


def row(runs: list[Path]) -> str:
    """One row of the table, for runs that differ in the seed only."""
    abouts = [read_about(run) for run in runs]
    epochs = [read_metrics(run) for run in runs]
    lasts = [found[-1] for found in epochs]
    about = abouts[0]
    images = about["recipe"]["train_images"] * about["recipe"]["epochs"]
    seconds = [last["train_seconds"] for last in lasts]
    seeds = sorted(a["seed"] for a in abouts)
    days = sorted({a["started"][:8] for a in abouts})
    versions = ", ".join(
        f"{name.removesuffix('-cpu')} {about['versions'][name]}"
        for name in SHOWN
        if name in about["versions"]
    )
    machine = about["machine"]
    where = (
        f"{machine['cores']} cores of {machine['processor']}"
        if machine["device"] == "cpu"
        else machine["device"]
    )
    cells = [
        NAMES[about["framework"]][0],
        f"{about['preset']}, {about['precision']}, {about['mode']}",
        f"{len(runs)} (seed {', '.join(map(str, seeds))})",
        spread([100 * last["test_accuracy"] for last in lasts], "{:.2f} %"),
        goal(epochs),
        spread(seconds, "{:,.0f} s"),
        spread([images / s for s in seconds], "{:,.0f}"),
        f"{versions}; {where}",
        " ".join(f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in days),
        f"`{command(about)} {' / '.join(map(str, seeds))}`",
    ]
    return "| " + " | ".join(cells) + " |"


def runs_table() -> str:
    """The table of all records in results/."""
    groups = defaultdict(list)
    for path in sorted(RESULTS.glob("*/*/run.json")):
        about = read_about(path.parent)
        groups[command(about), about["preset"]].append(path.parent)
    order = sorted(groups, key=lambda key: (key[1] != "dawnbench", key[0]))
    heads = (
        "framework",
        "preset, precision, mode",
        "runs",
        "test accuracy",
        "94 % after",
        "training",
        "images/s",
        "versions; machine",
        "date",
        "command",
    )
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join(lines + [row(groups[key]) for key in order])
