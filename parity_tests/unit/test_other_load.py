"""How much of the machine other programs use."""

import subprocess
import sys
import time

import pytest

from common.run import machine
from common.run.machine import other_seconds


def test_another_program_counts_and_this_one_does_not():
    def measured() -> float:
        before, end = other_seconds(), time.perf_counter() + 1
        while time.perf_counter() < end:
            pass
        return other_seconds() - before

    assert measured() > -0.05  # what the clocks of both tell less exactly
    neighbor = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        assert measured() > 0.3  # of a second, on however busy a machine
    finally:
        neighbor.kill()
        neighbor.wait()


@pytest.mark.parametrize("line", [None, "cpu 0 0 0 0 0 0 0 0 0 0\n"])
def test_a_system_that_does_not_tell_is_not_called_quiet(
    line, tmp_path, monkeypatch
):
    if line:
        (tmp_path / "stat").write_text(line)
    monkeypatch.setattr(machine, "STAT", tmp_path / "stat")
    assert other_seconds() is None
