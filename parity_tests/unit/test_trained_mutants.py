"""Whole trainings of named mutants, with a stand-in for the training."""

import sys
from pathlib import Path

import pytest

from parity_tests.mutants import trained
from parity_tests.mutants.killers import NoVerdict
from tools.results.tests import fake_records


@pytest.fixture
def python(tmp_path, monkeypatch):
    """A program that copies a record to --out, and notes what it ran."""
    fake_records.put(tmp_path / "record", 4)
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys\n"
        f"home = pathlib.Path({str(tmp_path)!r})\n"
        "words = sys.argv[sys.argv.index('--seed') :]\n"
        "text = pathlib.Path('frameworks/pytorch/model.py').read_text()\n"
        "mutated = 'momentum=recipe.bn_keep' in text\n"
        "with open(home / 'log', 'a') as file:\n"
        "    print(*words[:2], mutated, words[-1] == '--resume', file=file)\n"
        "if (home / 'broken').exists():\n"
        "    sys.exit('error: broken')\n"
        "out = pathlib.Path(words[3])\n"
        "shutil.copytree(home / 'record', out, dirs_exist_ok=True)\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(trained, "find_python", lambda *words: program)
    return program


def log(python: Path) -> list[str]:
    return (python.parent / "log").read_text().splitlines()


def test_each_seed_of_each_mutant_is_trained_once(python, tmp_path):
    rows, seconds = trained.train_all(tmp_path, tmp_path)
    assert {row["mutant"] for row in rows} == set(trained.NAMES)
    assert len(rows) == 9
    assert rows[0]["accuracy"] == 90
    assert rows[0]["train_loss"] == 0.5
    assert seconds == 9 * 20
    first = [f"--seed {seed} True False" for seed in trained.SEEDS]
    assert log(python)[:3] == first
    assert log(python)[3:6] == [x.replace("True", "False") for x in first]
    assert trained.train_all(tmp_path, tmp_path) == (rows, seconds)
    assert len(log(python)) == 9


def test_one_that_was_interrupted_goes_on(python, tmp_path):
    out = fake_records.put(tmp_path / "out", 4, status="interrupted")
    mutant = trained.chosen()[0]
    assert not trained.train(mutant, 3, out, python).problem
    assert log(python) == ["--seed 3 True True"]


def test_one_that_fails_is_no_measurement(python, tmp_path):
    (tmp_path / "broken").touch()
    with pytest.raises(NoVerdict, match="seed0: error: broken"):
        trained.train_all(tmp_path, tmp_path)
