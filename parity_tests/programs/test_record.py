"""A training that nothing disturbs: what it prints and what it leaves."""

import re

import numpy as np

from common.cifar10 import synthetic
from parity_tests.programs.program import about, rows

LIBRARIES = {
    "tensorflow_eager": {"tensorflow", "keras", "numpy"},
    "pytorch": {"torch", "numpy"},
    "jax_flax": {"jax", "flax", "optax", "numpy"},
}


def test_a_run_into_a_pipe_prints_plain_lines(whole):
    lines = whole.stdout.splitlines()
    shown = [line for line in lines if re.match(r" *[1-8]/8 ", line)]
    assert len(shown) == 8
    assert "\x1b" not in whole.stdout
    record = lines.index(f"record: {whole.folder}")
    assert lines[record + 2].startswith("smoke, ")  # the comparison


def test_a_run_leaves_its_record(program, whole):
    assert {path.name for path in whole.folder.iterdir()} == {
        "run.json",
        "metrics.jsonl",
        "predictions.npy",
        "dawnbench.tsv",
        "checkpoint.safetensors",
        "run.lock",
    }
    found = about(whole.folder)
    assert found["status"] == "done"
    assert found["framework"] == program.framework
    assert found["mode"] == program.default_mode
    machine = found["machine"]
    assert machine["device"] == "cpu"
    assert machine["tf32"] is False
    assert 1 <= machine["threads"] <= machine["cores"]
    named = {name.removesuffix("-cpu") for name in found["versions"]}
    assert named == LIBRARIES[program.framework]
    steps = [row["step"] for row in rows(whole.folder)]
    assert steps == [6 * epoch for epoch in range(1, 9)]


def test_the_predictions_are_those_that_the_record_counts(whole):
    labels = synthetic.make(0, 512, 224)["y_test"]
    found = np.load(whole.folder / "predictions.npy")
    share = rows(whole.folder)[-1]["test_accuracy"]
    assert (found == labels).mean() == share


def test_it_learns(whole):
    first, *_, last = (row["train_loss"] for row in rows(whole.folder))
    assert last < first < 2.6  # chance is 2.303
