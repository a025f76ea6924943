"""What run.json says when a run starts, or is resumed."""

from dataclasses import asdict

from msgspec import to_builtins

from common.recipe import Recipe, Run
from common.run.about import FORMAT
from common.run.folder import now
from common.run.machine import describe_machine, git_commit, library_versions
from common.run.records import RunRecord


def describe_training(recipe: Recipe, run: Run) -> dict:
    """What is trained, and by which flags."""
    return {
        "format": FORMAT,
        "preset": run.preset,
        "seed": run.seed,
        "precision": recipe.precision,
        "recipe": asdict(recipe),
        "run": asdict(run),
        "status": "running",
        "reason": None,
    }


def describe_start(framework: str, mode: str, facts: dict, epoch: int) -> dict:
    """What this process trains on. facts: the framework's, of the device."""
    return {
        "started": now(),
        "epoch": epoch,  # whole ones that lie behind it
        "mode": mode,
        "machine": describe_machine() | facts,
        "versions": library_versions(framework),
        "git_commit": git_commit(),
    }


def describe_starts(start: dict, before: RunRecord | None) -> dict:
    """All starts of a run, with this one; its fields are those of the run.

    before: the run that is resumed. It began when the first of them did.
    """
    earlier, data = [], None
    if before is not None:
        earlier = to_builtins(before.about.all_starts)
        data = to_builtins(before.about.data)
    starts = [*earlier, start]
    fields = {name: start[name] for name in start if name != "epoch"}
    return fields | {
        "started": starts[0]["started"],
        "starts": starts,
        "data": data,
    }
