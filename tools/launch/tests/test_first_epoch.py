"""First epochs of one process and of two, with stand-ins for trainings."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.environments import environment_name
from parity_tests.programs.program import wait_until
from tools.launch import first_epoch
from tools.launch.first_epoch import (
    RECIPE,
    Options,
    Training,
    TrainingError,
)
from tools.results.tests import fake_records

ONE = Training("pytorch", "float32", 1, "avx2-1")
COMMIT = "1" * 40


@pytest.fixture
def options(tmp_path, monkeypatch):
    """Of trainings that are `python`, a file in the folder of the test."""
    python = tmp_path / "python"
    monkeypatch.setattr(first_epoch, "find_python", lambda *words: python)
    monkeypatch.setattr(first_epoch, "git_commit", lambda: COMMIT)
    return Options(out=tmp_path / "out")


def stand_in(folder, end):
    """A program that copies a record to --out, and then does this."""
    python = folder / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import shutil, sys, time\n"
        f"shutil.copytree({str(folder / 'record')!r}, sys.argv[-1])\n"
        f"{end}\n"
    )
    python.chmod(0o755)


def record(folder, epochs, commit):
    """A record of this many epochs, of this commit."""
    out = fake_records.put(folder / "record", git_commit=commit)
    rows = [fake_records.row(n + 1) for n in range(epochs)]
    fake_records.write_rows(out, rows)


def test_a_training_is_ended_after_its_first_epoch_and_kept(options, tmp_path):
    record(tmp_path, 1, COMMIT)
    stand_in(tmp_path, "time.sleep(600)")
    began = time.monotonic()
    assert first_epoch.loss_of(ONE, options) == 0.5
    assert time.monotonic() - began < 60
    (tmp_path / "python").unlink()  # not needed again
    assert first_epoch.loss_of(ONE, options) == 0.5


@pytest.mark.parametrize(
    ("flags", "commit"),
    [("--preset smoke", COMMIT), (RECIPE, COMMIT + "+"), (RECIPE, None)],
)
def test_one_of_other_flags_or_unknown_source_is_trained_again(
    options, tmp_path, monkeypatch, flags, commit
):
    record(tmp_path, 1, COMMIT)
    stand_in(tmp_path, "")
    assert first_epoch.loss_of(ONE, options) == 0.5
    record_again = tmp_path / "record" / "metrics.jsonl"
    record_again.write_text(record_again.read_text().replace("0.5,", "0.25,"))
    options.flags = flags
    about = json.loads((tmp_path / "record" / "run.json").read_text())
    about["git_commit"] = commit
    (tmp_path / "record" / "run.json").write_text(json.dumps(about))
    monkeypatch.setattr(first_epoch, "git_commit", lambda: commit)
    assert first_epoch.loss_of(ONE, options) == 0.25


@pytest.mark.parametrize(("epochs", "commit"), [(0, COMMIT), (1, "0" * 40)])
def test_one_without_an_epoch_of_this_source_says_why(
    options, tmp_path, capsys, epochs, commit
):
    record(tmp_path, epochs, commit)
    stand_in(tmp_path, "sys.exit('no memory')")
    for _ in range(2):  # what is left behind is no hindrance
        with pytest.raises(TrainingError, match="what it said is above"):
            first_epoch.loss_of(ONE, options)
        assert "no memory" in capsys.readouterr().err


def test_one_is_a_machine_of_the_matrix_and_two_are_launched(tmp_path):
    python = tmp_path / "python"
    two = Training("pytorch", "float32", 2)
    words = " ".join(two.command(python, "--epochs 2"))
    assert "-m tools.launch pytorch --processes 2 --epochs 2" in words
    assert "ATEN_CPU_CAPABILITY" not in two.environment()
    words = " ".join(ONE.command(python, "--epochs 2"))
    assert "-m frameworks.pytorch.train --epochs 2 --precision float32" in words
    assert "--train-images" not in words
    jax = Training("jax_flax", "float64", 1)
    assert "--train-images 2560" in " ".join(jax.command(python, ""))
    assert ONE.environment()["ATEN_CPU_CAPABILITY"] == "avx2"
    assert ONE.environment()["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(("two", "code"), [(2.009, 0), (2.011, 1)])
def test_the_exit_code_is_the_verdict_on_float64(
    options, monkeypatch, capsys, two, code
):
    def loss_of(training, options):
        name = training.name
        return {"pytorch-float64-two": two, "pytorch-float32-two": 9.0}.get(
            name, 2.0
        )

    monkeypatch.setattr(first_epoch, "loss_of", loss_of)
    out = options.out
    out.mkdir()
    words = ["first_epoch", "--out", str(out), "--only", "pytorch"]
    monkeypatch.setattr(sys, "argv", words)
    assert first_epoch.main() == code
    report = json.loads((out / "first-epoch.json").read_text())
    assert len(report["rows"]) == 6
    assert "PyTorch, float64: " in capsys.readouterr().out


def test_a_signal_ends_the_training_too(tmp_path):
    python = tmp_path / environment_name("pytorch") / "bin" / "python"
    python.parent.mkdir(parents=True)
    note = tmp_path / "pid"
    python.write_text(f"#!/bin/sh\necho $$ > {note}\nexec sleep 600\n")
    python.chmod(0o755)
    words = ["-m", "tools.launch.first_epoch", "--only", "pytorch"]
    words += ["--environments", str(tmp_path), "--out", str(tmp_path / "out")]
    child = subprocess.Popen([sys.executable, *words])
    try:
        wait_until(lambda: note.exists() and note.read_text().endswith("\n"))
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 143
    finally:
        child.kill()
    training = Path(f"/proc/{note.read_text().strip()}")
    wait_until(lambda: not training.exists())  # the system has taken it away
