"""What takes a minute in trainings of several processes; `nox -s torture`.

A process that is stopped answers to nobody, and one that never comes is waited
for: both end the others within a minute.
"""

import signal
import time

import pytest

from parity_tests.programs.kills import epochs_of
from parity_tests.programs.program import arrays
from parity_tests.programs.test_world import LOST
from parity_tests.programs.worlds import FEW, started, started_code


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_stopped_ends_the_other(program, tmp_path, rank):
    run = tmp_path / "run"
    with started(program, tmp_path, 2, *FEW, "--out", run) as processes:
        processes.wait_for(lambda: epochs_of(run) >= 2)
        processes.send(signal.SIGSTOP, rank)
        began, other = time.monotonic(), processes.children[1 - rank]
        assert other.wait(120) == 75, processes.text(1 - rank)
        assert time.monotonic() - began < 70
        (line,) = processes.errors(1 - rank)
        assert LOST in line
    arrays(run)  # whole


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_never_comes_is_not_waited_for(program, tmp_path, rank):
    run = tmp_path / "run"
    with started(
        program, tmp_path, 2, *FEW, "--out", run, only=1 - rank
    ) as processes:
        (code,) = processes.codes()
        assert code == 78, processes.text(0)
        assert time.monotonic() - processes.began < 90
        (line,) = processes.errors(0)
        assert "did not find each other" in line
    assert not run.exists()


LATE = """
import sys, time
import numpy as np
from frameworks.{framework} import parallel
world = parallel.join_world("cpu", 1)
world.gather(np.array([world.rank], np.int32))
if world.rank == {late}:
    time.sleep(15)
parallel.leave_world(world)
"""


@pytest.mark.parametrize("late", [0, 1])
def test_a_process_that_is_late_at_the_end_is_waited_for(
    program, tmp_path, late
):
    """The leader writes the record, however slow its disk is."""
    text = LATE.format(framework=program.framework, late=late)
    with started_code(program, tmp_path, text) as processes:
        assert processes.codes() == [0, 0], processes.text(late)
