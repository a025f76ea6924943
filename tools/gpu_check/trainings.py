"""Trainings on this machine: two epochs for speed, full ones by seed."""

import argparse
import statistics

from common.errors import RecordError
from common.run.about import Epoch
from common.run.records import read_run
from tools.bench.sheet import markdown_table
from tools.gpu_check.stages import Stages

TRAININGS = {
    "dawnbench": ("--preset", "dawnbench"),
    "dropout 0.05, cutout 8": (
        *("--preset", "dawnbench", "--dropout-rate", "0.05"),
        *("--cutout-size", "8"),
    ),
}
TINY = ("--preset", "smoke", "--dataset", "synthetic")
# By mode and precision. The first says how long a full training takes.
KINDS = (
    ("compiled", "bfloat16"),
    ("eager", "bfloat16"),
    ("compiled", "float32"),
    ("eager", "float32"),
)
# Seconds of two epochs, compilation and all: on an H100, XLA needed over a
# hundred to try the algorithms of JAX's convolutions, once.
LONGEST = 240.0
SHARE = 0.4  # of the time that is left when the speed is measured
UNKNOWN = 60.0  # seconds of a training of which nothing is known
EXTRA = 1.3  # evaluation and files, beside the training itself
MOST_FAILURES = 2  # of a framework, then it is left out
HEAD = (
    *("training", "framework", "n", "test accuracy: mean", "deviation"),
    *("seconds: median", "range", "failed"),
)


def train(
    stages: Stages,
    flags: argparse.Namespace,
    name: str,
    command: list[str],
    limit: float,
) -> tuple[list[Epoch], float]:
    """Train and keep the record without its checkpoint; rows and seconds."""
    folder = stages.out / "runs" / name
    command = [*command, "--device", flags.device, "--out", str(folder)]
    command += ["--offline"]
    if flags.cifar:
        command += ["--data-dir", str(flags.cifar)]
    cache = {"JAX_COMPILATION_CACHE_DIR": str(stages.out / "cache")}
    code, seconds = stages.run(f"train {name}", command, limit, cache)
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    if code != 0:
        return [], seconds
    try:
        return read_run(folder).rows, seconds
    except RecordError as error:
        stages.note(f"record {name}", str(error), False)
        return [], seconds


def speed(
    stages: Stages, flags: argparse.Namespace, pythons: dict[str, str]
) -> list[dict]:
    """Two epochs of each mode and precision; the second one counts."""
    end, rows = stages.seconds_left * (1 - SHARE), []
    # One that hangs must not take all of it.
    most = max(LONGEST, (stages.seconds_left - end) / 3)
    preset = TINY if flags.tiny else TRAININGS["dawnbench"]
    for mode, precision in flags.kinds:
        for name, python in pythons.items():
            if (name, mode) == ("jax_flax", "eager"):
                continue  # eagerly is for looking into it
            command = [python, "-m", f"frameworks.{name}.train", *preset]
            command += ["--epochs", "2", "--mode", mode]
            command += ["--precision", precision]
            what = f"speed-{name}-{mode}-{precision}"
            limit = min(most, stages.seconds_left - end)
            found, wall = train(stages, flags, what, command, limit)
            if found:
                rows.append(
                    {
                        "framework": name,
                        "mode": mode,
                        "precision": precision,
                        "images_per_second": found[-1].images_per_second,
                        "compile_seconds": found[-1].compile_seconds,
                        "wall_seconds": wall,
                    }
                )
                table = markdown_table(list(rows[0]), map(cells, rows))
                stages.table("speed", table)
    return rows


def cells(row: dict) -> list[str]:
    """A row of the table."""
    return [v if isinstance(v, str) else f"{v:,.0f}" for v in row.values()]


def estimates(
    rows: list[dict], pythons: dict[str, str], tiny: bool
) -> dict[str, float]:
    """Seconds of a full training, from what two epochs took."""
    found = dict.fromkeys(pythons, UNKNOWN)
    for row in rows:
        if (row["mode"], row["precision"]) == ("compiled", "bfloat16"):
            more = 0 if tiny else 22 * 50_000 / row["images_per_second"]
            found[row["framework"]] = row["wall_seconds"] + EXTRA * more
    return found


def seeds(
    stages: Stages,
    flags: argparse.Namespace,
    pythons: dict[str, str],
    training: str,
    end: float,
    first: dict[str, float],
) -> None:
    """Full trainings, seed by seed, until `end` seconds are left.

    In turns, so that frameworks of one speed get as many seeds; time that is
    too short for one goes to the others. first: what a training takes, by
    framework, before one was made.
    """
    found: dict[str, list[Epoch | None]] = {name: [] for name in pythons}
    took = dict(first)
    preset = TINY if flags.tiny else TRAININGS[training]
    for seed in range(flags.seeds):
        for name, python in pythons.items():
            left = stages.seconds_left - end
            if found[name].count(None) >= MOST_FAILURES or took[name] > left:
                continue
            command = [python, "-m", f"frameworks.{name}.train", *preset]
            command += ["--mode", "compiled", "--precision", "bfloat16"]
            command += ["--seed", str(seed)]
            what = training.replace(" ", "-").replace(",", "")
            what += f"-{name}-{seed}"
            rows, took[name] = train(stages, flags, what, command, left)
            found[name].append(rows[-1] if rows else None)
            table = markdown_table(HEAD, summary(training, found))
            stages.table(training, table)


def summary(
    training: str, found: dict[str, list[Epoch | None]]
) -> list[tuple[str, ...]]:
    """A row for each framework: accuracy in points, seconds of training.

    found: the last epoch of each training; None: it failed
    """
    rows = []
    for framework, epochs in found.items():
        good = [epoch for epoch in epochs if epoch]
        accuracy = [100 * epoch.test_accuracy for epoch in good]
        seconds = [epoch.train_seconds for epoch in good]
        rows.append(
            (
                *(training, framework, str(len(good))),
                f"{statistics.mean(accuracy):.2f} %" if good else "",
                # One training has no deviation.
                f"{statistics.stdev(accuracy):.2f}" if len(good) > 1 else "",
                f"{statistics.median(seconds):.1f}" if good else "",
                f"{min(seconds):.1f} to {max(seconds):.1f}" if good else "",
                str(epochs.count(None)),
            )
        )
    return rows
