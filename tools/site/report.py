"""What the report shows of an experiment: curves and tables."""

from statistics import median

from common.run.records import RunRecord, timed
from parity_tests.judge.recorded_runs import to_level
from tools.site.groups import Experiment, Group

LEVELS = (60, 70, 80, 85, 90, 93, 94)  # percent of test accuracy


def curve(group: Group, field: str, factor: float = 1) -> dict:
    """Median and range over the group's runs, one point per epoch.

    seconds: the median of the training seconds at that epoch, of the runs
        whose times count.
    """
    epochs = sorted({row.epoch for run in group.runs for row in run.rows})
    out = {"epoch": epochs, "seconds": [], "mid": [], "low": [], "high": []}
    counts = []
    for epoch in epochs:
        rows = [
            row for run in group.runs for row in run.rows
            if row.epoch == epoch
        ]  # fmt: skip
        values = [factor * getattr(row, field) for row in rows]
        times = [
            row.train_seconds
            for run in timed(group.runs)
            for row in run.rows
            if row.epoch == epoch
        ] or [row.train_seconds for row in rows]
        counts.append(len(values))
        out["seconds"].append(round(median(times), 3))
        out["mid"].append(round(median(values), 6))
        out["low"].append(round(min(values), 6))
        out["high"].append(round(max(values), 6))
    return out | {"runs": counts}


def level_cell(group: Group, level: int) -> dict:
    """Median time and epoch to a level, and of how many runs."""
    found = [to_level(run, level / 100) for run in group.runs]
    reached = [at for at in found if at]
    if not reached:
        return {"rows": 0}
    alone = [to_level(run, level / 100) for run in timed(group.runs)]
    seconds = [at[1] for at in alone if at] or [at[1] for at in reached]
    return {
        "rows": len(reached),
        "of": len(found),
        "seconds": duration(median(seconds)),
        "epoch": f"{median(epoch for epoch, _ in reached):g}",
    }


def duration(seconds: float) -> str:
    """For people: 0.8 s, 51 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def levels(experiment: Experiment) -> list[dict]:
    """A row of the table for each group."""
    return [
        {
            "group": group,
            "best": 100
            * median(
                max(row.test_accuracy for row in run.rows) for run in group.runs
            ),
            "last": 100
            * median(run.rows[-1].test_accuracy for run in group.runs),
            "seconds": duration(
                median(run.rows[-1].train_seconds for run in timed(group.runs))
            ),
            "cells": [level_cell(group, level) for level in LEVELS],
        }
        for group in experiment.groups
    ]


def versions(run: RunRecord) -> str:
    """The libraries of a run."""
    return ", ".join(f"{k} {v}" for k, v in run.about.versions.items())
