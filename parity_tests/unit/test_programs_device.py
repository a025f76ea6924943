"""The programs' tests use no GPU, so they pass on a machine that has one."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from parity_tests.programs.program import ROOT, Program

FOLDER = ROOT / "parity_tests" / "programs"
PROGRAM = Program("pytorch", Path("python"))


@pytest.fixture
def starts(monkeypatch):
    """Words and environment of what would have been started."""
    found = []

    class Child:
        returncode, stdout, stderr = 0, "[]", ""

        def __init__(self, words, env, **more):
            found.append((words, env))

        def kill(self):
            pass

        def wait(self):
            pass

    monkeypatch.setattr(subprocess, "run", Child)
    monkeypatch.setattr(subprocess, "Popen", Child)
    return found


def test_every_way_to_train_names_the_cpu(starts, tmp_path):
    PROGRAM.run("--epochs", 1)
    with PROGRAM.started(tmp_path / "log", "--epochs", 1):
        pass
    PROGRAM.mains({})
    PROGRAM.module("retrace", "pytorch")
    assert len(starts) == 4
    for words, env in starts:
        # What else may start JAX does not take most of a GPU's memory.
        assert env == os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        if "frameworks.pytorch.train" in words:
            assert words[-2:] == ["--device", "cpu"]


def test_several_trainings_in_one_process_name_the_cpu(starts, tmp_path):
    with pytest.raises(ValueError, match="zip"):  # the stand-in printed none
        PROGRAM.mains({tmp_path / "run": ("--epochs", 1)})
    [(words, _)] = starts
    assert '"--epochs", "1", "--out"' in words[-1]
    assert words[-1].endswith('"--device", "cpu"]]')


def test_a_device_that_is_named_is_not_named_again(starts):
    PROGRAM.run("--device", "gpu")
    [(words, _)] = starts
    assert words[-2:] == ["--device", "gpu"]


@pytest.mark.parametrize(
    "file", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name
)
def test_whatever_starts_a_program_names_the_cpu(file):
    text = file.read_text()
    starts = re.search(r"subprocess\.\w+\(|os\.(system|exec)", text)
    if starts and file.name != "program.py":
        # Several processes, each with an environment of its own.
        ways = ("program.command(", "--device cpu", "NO_GPU,")
        assert any(way in text for way in ways), "no device is named"
    # By flags, by the harness and by the frameworks' own function.
    named = re.findall(r'"--device", "(\w+)"', text)
    named += re.findall(r'(?:Driver\([^)]*, |find_device\()"(\w+)"', text)
    if set(named) - {"cpu"}:
        assert "NO_GPU" in text, "a GPU is not hidden"
    if re.search(r"^import jax$|Driver\(", text, re.MULTILINE):
        assert "cpu" in named, "no device is named"
