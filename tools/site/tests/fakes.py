"""Made-up run records, for the tests of the site. No measurement."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from common import environments
from common.recipe import PRESETS
from tools.results.tests import fake_records
from tools.results.tests.fake_records import put, write_rows
from tools.site.contract import FRAMEWORKS

RECIPE = replace(PRESETS["small"], epochs=4)


def record(root: Path, framework: str, seed: int = 0, **about) -> Path:
    """A finished training of 4 epochs; `about` changes its run.json."""
    folder = root / framework / f"small-seed{seed}-20260101T00000{seed}Z"
    about.setdefault("mode", environments.FRAMEWORKS[framework].mode)
    put(folder, 4, framework=framework, seed=seed, **about)
    speed = 500 + 100 * list(FRAMEWORKS).index(framework) + 10 * seed
    write_rows(folder, [row(epoch, speed, seed) for epoch in range(1, 5)])
    return folder


def row(epoch: int, speed: float, seed: int) -> dict:
    """The metrics of one epoch: 65 to 92 % accuracy."""
    accuracy = 0.56 + 0.09 * epoch + 0.002 * seed
    return fake_records.row(
        epoch,
        train_loss=1.6 - 0.3 * epoch,
        train_accuracy=accuracy - 0.05,
        test_loss=1.5 - 0.3 * epoch,
        test_accuracy=accuracy,
        train_seconds=epoch * 50_000 / speed,
        compile_seconds=3.0 + seed,
        images_per_second=float(speed),
    )


def three(root: Path) -> None:
    """One training of each framework, and three seeds of PyTorch."""
    for framework in FRAMEWORKS:
        record(root, framework)
    for seed in (1, 2):
        record(root, "pytorch", seed)


def predictions(root: Path) -> None:
    """Give each record below a folder predictions, of which most are equal."""
    for number, folder in enumerate(sorted(root.glob("*/*"))):
        rng = np.random.default_rng(number)
        found = np.arange(RECIPE.test_images, dtype=np.uint8) % 10
        found[rng.random(len(found)) < 0.2] = 0
        np.save(folder / "predictions.npy", found)


def damaged(root: Path) -> dict[str, str]:
    """Records with something wrong: name, and words of what is said."""
    half = record(root, "jax_flax", 5)
    (half / "run.json").write_text('{"format": "davidnet')
    bare = record(root, "jax_flax", 8)
    (bare / "metrics.jsonl").unlink()
    failed = record(root, "jax_flax", 9, status="failed", reason="Boom: <b>")
    return {
        half.name: "run.json: Input data was truncated",
        bare.name: "no epoch is recorded",
        failed.name: "Boom: <b>",
    }
