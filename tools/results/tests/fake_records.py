"""Made-up run records and reports, for tests. No measurement."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from common.recipe import PRESETS, Run
from common.run.about import ABOUT, FORMAT, METRICS
from common.schedule import step_lr
from parity_tests.judge.tolerances import CHECKS

LADDER = {
    "format": "davidnet-parity-1",
    "rows": [
        dict.fromkeys(("rung", "tensors", "worst error"), "1")
        | {"what": check.what, "tolerance": "1", "verdict": "pass"}
        for check in CHECKS
    ],
    "mission": [],
    "traces": {"pytorch": {"git_commit": "0" * 40, "versions": {}}},
    "verdict": "pass",
}
BENCH = {
    "format": "davidnet-bench-1",
    "quick": False,
    "git_commit": "0" * 40,
    "machine": {"noise": 0.09},
}
TORTURE = {
    "format": "davidnet-torture-1",
    "verdict": "pass",
    "differences": 0,
    "git_commit": "0" * 40,
    "rows": [
        {
            "framework": "pytorch",
            "mode": mode,
            "kills": {"KILL": 50, "INT": 7},
            "trainings": 9,
        }
        for mode in ("eager", "compiled")
    ],
}
NEWEST = {
    "format": "davidnet-newest-1",
    "date": "2026-11-26",
    "git_commit": "0" * 40,
    "rows": [
        {
            "framework": "pytorch",
            "pinned": {"python": "3.11.7", "torch": "2.13.0+cpu"},
            "tried": {"python": "3.13.0", "torch": "2.15.0+cpu"},
            "release": "2.15.0",
            "verdict": "differs",
            "first": "4 forward: logits",
        },
        {
            "framework": "jax_flax",
            "pinned": {"jax": "0.10.2"},
            "tried": {},
            "release": "",
            "verdict": "does not run",
            "first": "",
        },
    ],
}


def about(epochs: int = 4, seed: int = 0, **changed) -> dict:
    """The content of the run.json of a whole training in PyTorch."""
    recipe = replace(PRESETS["small"], epochs=epochs)
    return {
        "format": FORMAT,
        "framework": "pytorch",
        "preset": "small",
        "seed": seed,
        "mode": "eager",
        "precision": "float32",
        "recipe": asdict(recipe),
        "run": asdict(Run(preset="small", seed=seed)),
        "status": "done",
        "reason": None,
        "started": f"20260101T00000{seed}Z",
        "machine": {"device": "cpu", "cores": 2, "processor": "made-up <&>"},
        "versions": {"made-up": "1.0"},
        "git_commit": "0" * 40,
        "data": None,
    } | changed


def row(epoch: int, **changed) -> dict:
    """The metrics of an epoch of the preset "small", from 1."""
    recipe = PRESETS["small"]
    step = epoch * recipe.steps_per_epoch
    return {
        "epoch": epoch,
        "step": step,
        "lr": step_lr(step - 1, recipe) * recipe.batch_size,
        "train_loss": 0.5,
        "train_accuracy": 0.85,
        "test_loss": 0.6,
        "test_accuracy": 0.9,
        "train_seconds": 5.0 * epoch,
        "compile_seconds": 3.0,
        "images_per_second": 10_000.0,
    } | changed


def write_rows(folder: Path, rows: list[dict]) -> None:
    """metrics.jsonl with these rows."""
    lines = "".join(json.dumps(one) + "\n" for one in rows)
    (folder / METRICS).write_text(lines)


def put(folder: Path, epochs: int = 4, **changed) -> Path:
    """Make a folder with a whole record; `changed` is of its run.json."""
    folder.mkdir(parents=True)
    text = json.dumps(about(epochs, **changed))
    (folder / ABOUT).write_text(text)
    write_rows(folder, [row(n + 1) for n in range(epochs)])
    return folder
