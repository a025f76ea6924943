"""What a record says of the machine and the source."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from common.errors import DiskError
from common.run import machine
from common.run.process import tune_allocator


def test_the_machine_is_described():
    assert machine.describe_machine() == {
        "system": platform.platform(),
        "processor": machine.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "allocator": tune_allocator(),
    }


class Cpuinfo:
    """/proc/cpuinfo with this text."""

    text = ""

    def __init__(self, path: str):
        assert path == "/proc/cpuinfo"

    def read_text(self) -> str:
        if not self.text:
            raise FileNotFoundError(2, "No such file or directory")
        return self.text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: b\nmodel name\t: Fast: one\nmodel name: Other\n", "Fast: one"),
        ("cpu: 1\nHardware: x\n", platform.machine()),
    ],
)
def test_the_processor_has_the_name_that_linux_gives_it(
    monkeypatch, text, name
):
    monkeypatch.setattr(machine, "Path", Cpuinfo)
    monkeypatch.setattr(Cpuinfo, "text", text)
    assert machine.processor() == name


def test_a_machine_without_cpuinfo_is_told(monkeypatch):
    monkeypatch.setattr(machine, "Path", Cpuinfo)
    with pytest.raises(DiskError, match="cannot read /proc/cpuinfo"):
        machine.processor()


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A git checkout with one commit; machine.py seems to lie in it."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words],
            check=True,
            capture_output=True,
        )

    git("init")
    file = tmp_path / "common" / "run" / "machine.py"
    file.parent.mkdir(parents=True)
    file.write_text("1\n")
    git("add", ".")
    git("commit", "-m", "one")
    monkeypatch.setattr(machine, "__file__", str(file))
    return tmp_path


def test_the_commit_has_a_plus_where_the_source_was_changed(checkout):
    clean = machine.git_commit()
    assert len(clean) == 40
    assert set(clean) <= set("0123456789abcdef")
    (checkout / "new.txt").write_text("no part of the source")
    assert machine.git_commit() == clean
    (checkout / "common" / "run" / "machine.py").write_text("2\n")
    assert machine.git_commit() == clean + "+"


def test_without_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    file = tmp_path / "common" / "run" / "machine.py"
    monkeypatch.setattr(machine, "__file__", str(file))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine.git_commit() is None
    monkeypatch.setenv("PATH", "")
    assert machine.git_commit() is None
