"""The table of docs/gpu.md, from made-up facts."""

import json
from dataclasses import asdict

import pytest

from tools.results import gpu
from tools.results.tests import fake_records

STEP = {"ops": 2500, "kernels": 1800, "copies": {}}
MASKED = STEP | {"copies": {"a seed is copied": 120}}
EPOCH = STEP | {"copies": {"an array is copied to the GPU": 7, "read": 2}}
FULL = {"bytes moved": 8 * 10**9, "bytes kept": 10**9}
PAPER = {
    "tensorflow_eager": {
        "cases": {
            f"{mode} bfloat16 dropout {rate}": {
                "train step": STEP if rate == 0 else MASKED,
                "epoch": EPOCH,
            }
            for mode in ("eager", "compiled")
            for rate in (0, 0.05)
        },
        "full": {
            "bfloat16": FULL
            | {"host seconds, eager": 0.02, "host seconds, compiled": 0.001}
        },
    },
    "pytorch": {
        "eager": {
            f"{precision} dropout {rate}, on {device}": {
                "train step": {"ops": 170, "kernels": 100, "copies": {}},
                "batches": {"ops": 200, "kernels": 100, "copies": {"to": 6}},
            }
            for precision, device in (("float32", "meta"), ("bfloat16", "cpu"))
            for rate in (0, 0.05)
        },
        "full": {"bfloat16": FULL | {"host seconds": 0.002}},
    },
    "jax_flax": {
        name: {
            "epoch": {
                "kernels": 200,
                "crossings": {},
                "bytes moved": 10**10,
                "argument bytes": 3 * 10**8,
                "temporary bytes": 10**9,
            }
        }
        for name in ("bfloat16", "bfloat16 dropout 0.05")
    },
}
REPORT = {
    "format": "davidnet-gpu-1",
    "git_commit": "0" * 40,
    "processor": "a processor",
    "wrong": [],
    "frameworks": PAPER,
}


def trained(folder) -> None:
    """Two trainings in PyTorch on an H100, and one that is another recipe."""
    recipe = asdict(gpu.RECIPE)
    for seed, changed in enumerate(({}, {}, {"dropout_rate": 0.05})):
        fake_records.put(
            folder / "pytorch" / str(seed),
            epochs=4 + seed,
            seed=seed,
            **{"preset": "dawnbench", "precision": "bfloat16"},
            machine={"device": "NVIDIA H100 80GB HBM3"},
            recipe=recipe | changed,
        )


@pytest.fixture
def rows(tmp_path, monkeypatch) -> dict[str, list[str]]:
    """The cells of the table by the first of a row."""
    monkeypatch.setattr(gpu, "GPU", tmp_path / "gpu.json")
    (tmp_path / "gpu.json").write_text(json.dumps(REPORT))
    monkeypatch.setattr(gpu, "RESULTS", tmp_path)
    trained(tmp_path)
    lines = gpu.gpu_table().splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if "|" in line]
    return {name: rest for name, *rest in cells}


def test_every_cell_says_how_it_is_known(rows):
    marks = ("*proven*", "*read*", "*estimated*", "*measured*", "not known")
    for name, cells in rows.items():
        if name.startswith(("TensorFlow", "---")):
            continue
        assert len(cells) == 5, name
        assert all(cell.endswith(marks) for cell in cells), name


def test_crossings_are_those_of_one_step(rows):
    assert rows["crossings a step"] == ["0 *proven*"] * 5
    assert rows["crossings a step, with dropout"] == [
        *["24 *proven*"] * 2,
        *["0 *proven*"] * 3,
    ]


def test_times_follow_from_the_slowest_of_card_and_host(rows):
    first, _, eager, _, jax = rows["24 epochs on an H100, s"]
    # 0.02 s of the host in each of 2,352 steps.
    assert first == "47 *estimated*"
    # 8 GB at 2.68 TB/s, or after 1.16e12 operations at 4.9e14 a second.
    assert eager == "7 to 13 *estimated*"
    assert jax == "9 to 14 *estimated*"


def test_what_was_measured_is_of_the_published_runs_of_the_recipe(rows):
    unknown = ["not known"] * 5
    seconds = rows["24 epochs on an H100, measured, s"]
    assert seconds[2] == "22 (20 to 25), 2 runs *measured*"
    assert seconds[:2] + seconds[3:] == unknown[:4]
    assert rows["the warm-up before them, measured, s"][2] == (
        "3, 2 runs *measured*"
    )
