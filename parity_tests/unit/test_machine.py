"""What a record says of the machine and the source, and who else works."""

import os
import platform
import subprocess
import sys
import time
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


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch) -> Path:
    """The file that is read in place of /proc/cpuinfo, not there yet."""
    monkeypatch.setattr(machine, "Path", lambda name: tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: b\nmodel name\t: Fast: one\nmodel name: Other\n", "Fast: one"),
        ("cpu: 1\nHardware: x\n", platform.machine()),
    ],
)
def test_the_processor_has_the_name_that_linux_gives_it(cpuinfo, text, name):
    cpuinfo.write_text(text)
    assert machine.processor() == name


def test_a_machine_without_cpuinfo_is_told(cpuinfo):
    with pytest.raises(DiskError, match="cannot read /proc/cpuinfo"):
        machine.processor()


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(
        ["git", "-C", str(folder), *who, *words],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A git checkout with one commit; machine.py seems to lie in it."""
    for folder in machine.SOURCE:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    return tmp_path


def test_the_commit_has_a_plus_where_the_source_was_changed(checkout):
    clean = machine.git_commit()
    assert len(clean) == 40
    assert set(clean) <= set("0123456789abcdef")
    (checkout / "new.txt").write_text("no part of the source")
    assert machine.git_commit() == clean
    (checkout / "common" / "a.py").write_text("2\n")
    assert machine.git_commit() == clean + "+"


def test_a_file_of_ours_that_git_does_not_know_of_is_a_change(checkout):
    clean = machine.git_commit()
    (checkout / ".gitignore").write_text("*.pyc\n")
    (checkout / "frameworks" / "a.pyc").write_text("")
    assert machine.git_commit() == clean
    (checkout / "frameworks" / "new.py").write_text("")
    assert machine.git_commit() == clean + "+"


def test_the_commit_is_read_in_a_folder_of_any_name(checkout, monkeypatch):
    """Not UTF-8; and the index stays as the user's other git left it."""
    before = (checkout / ".git" / "index").stat().st_ino
    clean = machine.git_commit()
    other = checkout.rename(checkout.parent / os.fsdecode(b"m\xfcller"))
    monkeypatch.setattr(machine, "ROOT", other)
    assert machine.git_commit() == clean
    (other / "common" / "a.py").touch()  # as good as changed, for git
    assert machine.git_commit() == clean
    assert (other / ".git" / "index").stat().st_ino == before


def test_the_commit_of_a_repository_around_the_source_is_not_ours(
    checkout, monkeypatch
):
    copy = checkout / "copy"
    (copy / "common").mkdir(parents=True)
    monkeypatch.setattr(machine, "ROOT", copy)
    assert machine.git_commit() is None


def test_variables_of_a_git_hook_do_not_lead_to_another_commit(
    checkout, tmp_path_factory, monkeypatch
):
    clean = machine.git_commit()
    other = tmp_path_factory.mktemp("other")
    git(other, "init")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert machine.git_commit() == clean


def test_without_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine.git_commit() is None
    monkeypatch.setenv("PATH", "")
    assert machine.git_commit() is None


def test_another_program_counts_and_this_one_does_not():
    def measured() -> float:
        before, end = machine.other_seconds(), time.perf_counter() + 1
        while time.perf_counter() < end:
            pass
        return machine.other_seconds() - before

    # The clocks of both tell less exactly; the own second twice would be -1.
    assert measured() > -0.5
    neighbor = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert measured() > 0.3  # of a second, on however busy a machine
    finally:
        neighbor.kill()
        neighbor.wait()


def test_what_others_used_is_all_but_idle_and_waiting(tmp_path, monkeypatch):
    # user nice system idle iowait irq softirq steal
    stat = "cpu 1 20 300 90000 900000 4000 50000 600000 7 7\n"
    (tmp_path / "stat").write_text(stat)
    monkeypatch.setattr(machine, "STAT", tmp_path / "stat")
    monkeypatch.setattr(os, "times", lambda: (1.0, 2.0, 3.0, 4.0, 99.0))
    ticks = os.sysconf("SC_CLK_TCK")
    assert machine.other_seconds() == 654321 / ticks - 10


@pytest.mark.parametrize("line", [None, "cpu 0 0 0 0 0 0 0 0 0 0\n"])
def test_a_system_that_does_not_tell_is_not_called_quiet(
    line, tmp_path, monkeypatch
):
    if line:
        (tmp_path / "stat").write_text(line)
    monkeypatch.setattr(machine, "STAT", tmp_path / "stat")
    assert machine.other_seconds() is None


@pytest.mark.parametrize(("told", "threads"), [("9", 9), ("", 3), ("two", 3)])
def test_threads_are_all_cores_or_what_is_told(monkeypatch, told, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 4})
    monkeypatch.setenv("NPROC", told)
    assert machine.count_threads("NPROC") == threads
