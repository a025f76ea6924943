"""Trainings of several processes: one record, and how they end.

The processes find each other on the loopback interface, as their framework's
launcher would start them. That they compute what one process does is rung 9.
"""

import errno
import json
import signal
import socket
import time

import pytest

from parity_tests.harness.error import relative_error
from parity_tests.programs.kills import epochs_of
from parity_tests.programs.program import Program, about, arrays, errors, rows
from parity_tests.programs.worlds import FEW, started, started_code

ALIKE = (*FEW, "--precision", "float64", "--epochs", 2)
LOST = "another process of this training was lost; go on with --resume"


@pytest.fixture
def two(program, tmp_path):
    """A training of two processes that ended well."""
    with started(program, tmp_path, 2, *ALIKE, "--out", tmp_path / "run") as p:
        codes = p.codes()
        assert codes == [0, 0], [p.text(rank) for rank in range(2)]
        yield p, tmp_path / "run"


def alone(program: Program, folder, *flags):
    """The same training in one process."""
    result = program.run(*ALIKE, *flags, "--out", folder)
    assert result.returncode == 0, result.stderr
    return folder


def worst(one, other) -> float:
    """The largest error between two checkpoints."""
    ours, theirs = arrays(one), arrays(other)
    assert ours.keys() == theirs.keys()
    return max(relative_error(ours[n], theirs[n])[0] for n in ours)


def test_two_processes_leave_one_record_and_only_one_speaks(two, program):
    processes, folder = two
    assert [row["epoch"] for row in rows(folder)] == [1, 2]
    machine = about(folder)["machine"]
    assert (machine["processes"], machine["devices"]) == (2, 2)
    assert machine["backend"] in ("gloo", "grpc")
    assert f"record: {folder}" in processes.text(0)
    said, other = (set(processes.text(r).splitlines()) for r in range(2))
    ours = {line for line in said if line and not of_library(line)}
    # Libraries may say something of their own, as where the first has ended.
    assert ours and not ours & other
    assert processes.errors(1) == []
    # And it is the record of one process, but for rounding.
    one = alone(program, folder.parent / "one")
    assert worst(folder, one) < 1e-11
    for row, wanted in zip(rows(folder), rows(one), strict=True):
        assert row["test_accuracy"] == wanted["test_accuracy"]
        assert row["train_loss"] == pytest.approx(wanted["train_loss"], 1e-11)


def of_library(line: str) -> bool:
    """Whether TensorFlow says something on its way up."""
    return (line[:1] in "IWE" and ".cc:" in line) or "absl::" in line


def test_a_run_goes_on_with_another_number_of_processes(program, tmp_path):
    more = (*ALIKE, "--epochs", 3)
    whole = alone(program, tmp_path / "whole", "--epochs", 3)
    run = tmp_path / "run"
    with started(program, tmp_path, 2, *more, "--out", run) as processes:
        processes.wait_for(lambda: epochs_of(run) >= 1)
        processes.send(signal.SIGTERM, 0, 1)
        assert processes.codes() == [143, 143]
        assert "go on with --resume" in processes.text(0)
        assert processes.errors(0) + processes.errors(1) == []
    assert about(run)["status"] == "interrupted"
    again = (*more, "--out", run, "--resume")
    with started(program, tmp_path, 3, *again) as processes:
        assert processes.codes() == [0, 0, 0], processes.text(0)
    numbers = [start["machine"]["processes"] for start in about(run)["starts"]]
    assert numbers == [2, 3]
    assert worst(run, whole) < 1e-11


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_other(program, tmp_path, rank):
    run = tmp_path / "run"
    with started(program, tmp_path, 2, *FEW, "--out", run) as processes:
        processes.wait_for(lambda: epochs_of(run) >= 2)
        processes.send(signal.SIGKILL, rank)
        sent = time.monotonic()
        codes = processes.codes()
        assert time.monotonic() - sent < 60
        assert codes[rank] == -signal.SIGKILL
        assert codes[1 - rank] == 75, processes.text(1 - rank)
        (line,) = processes.errors(1 - rank)
        assert LOST in line
        assert str(run) in line
    arrays(run)  # whole
    result = program.run(*FEW, "--out", run, "--resume")
    assert result.returncode == 0, result.stderr
    assert [row["epoch"] for row in rows(run)] == list(range(1, 9))


@pytest.mark.parametrize("framework", ["tensorflow_eager", "jax_flax"])
def test_processes_of_several_devices_are_one_process(
    programs, tmp_path, framework
):
    """PyTorch has one device in each process."""
    program, run = programs[framework], tmp_path / "run"
    flags = (*ALIKE, "--epochs", 1, "--devices", 2, "--out", run)
    with started(program, tmp_path, 2, *flags) as processes:
        codes = processes.codes()
        if framework == "tensorflow_eager":  # on a CPU its engine takes one
            assert codes == [78, 78]
            assert all("one CPU each" in processes.text(r) for r in range(2))
            assert not run.exists()
            return
        assert codes == [0, 0], processes.text(0)
    machine = about(run)["machine"]
    assert (machine["processes"], machine["devices"]) == (2, 4)
    one = alone(program, tmp_path / "one", "--epochs", 1)
    assert worst(run, one) < 1e-11


@pytest.mark.parametrize("framework", ["jax_flax"])
def test_open_mpi_5_needs_only_an_address(programs, tmp_path, framework):
    changed = {
        rank: {
            **{"JAX_NUM_PROCESSES": "", "JAX_PROCESS_ID": ""},
            "OMPI_COMM_WORLD_SIZE": "2",
            "OMPI_COMM_WORLD_RANK": str(rank),
            "OMPI_COMM_WORLD_LOCAL_RANK": str(rank),
        }
        for rank in range(2)
    }
    program, run = programs[framework], tmp_path / "run"
    flags = (*FEW, "--epochs", 1, "--out", run)
    with started(program, tmp_path, 2, *flags, changed=changed) as processes:
        assert processes.codes() == [0, 0], processes.text(0)
    assert about(run)["machine"]["processes"] == 2


@pytest.mark.parametrize("framework", ["tensorflow_eager"])
def test_a_process_without_a_task_is_told(programs, framework):
    cluster = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}}
    result = programs[framework].run(*FEW, TF_CONFIG=json.dumps(cluster))
    assert result.returncode == 2
    (line,) = errors(result)
    assert line.startswith('error: TF_CONFIG has no "task"')


LATE = """
import os, time
import numpy as np
from common import world
world.ANSWER_SECONDS = 7
from frameworks.{framework} import parallel
joined = parallel.join_world("cpu", 1)
mine = np.array([joined.rank], np.int32)
time.sleep({late} * joined.rank)
joined.gather(mine)
joined.settle()
if {settled} and joined.rank:
    time.sleep(10)
try:
    joined.gather(mine)
except Exception as error:
    # As a training does: an engine would wait for the other, or abort.
    os._exit(75 if joined.is_lost(error) else 1)
parallel.leave_world(joined)
"""


def test_a_process_may_be_late_until_all_have_started(program, tmp_path):
    """As one is that downloads the data, or compiles what others need not."""
    # XLA gives 30 s to those that are not connected yet.
    late = 32 if program.framework == "jax_flax" else 8
    text = LATE.format(framework=program.framework, late=late, settled=False)
    with started_code(program, tmp_path, text) as processes:
        assert processes.codes() == [0, 0]


def test_a_process_of_pytorch_may_not_be_late_in_training(programs, tmp_path):
    """TensorFlow and JAX see by a heartbeat whether another one lives."""
    text = LATE.format(framework="pytorch", late=8, settled=True)
    with started_code(programs["pytorch"], tmp_path, text) as processes:
        assert processes.codes()[0] == 75


THREADS = """
import atexit, pathlib, sys

def show():
    names = pathlib.Path("/proc/self/task").glob("*/comm")
    found = [name.read_text().strip() for name in names]
    print("threads:", *found, file=sys.stderr)

if "frameworks.pytorch.train" in sys.orig_argv:
    atexit.register(show)
"""


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_no_thread_of_gloo_outlives_the_training(programs, tmp_path, mode):
    """One that frees a tensor while Python ends would abort the process."""
    (tmp_path / "sitecustomize.py").write_text(THREADS)
    changed = {rank: {"PYTHONPATH": str(tmp_path)} for rank in range(2)}
    flags = (*FEW, "--epochs", 1, "--mode", mode, "--out", tmp_path / "run")
    with started(
        programs["pytorch"], tmp_path, 2, *flags, changed=changed
    ) as processes:
        assert processes.codes() == [0, 0], processes.text(0)
        for rank in range(2):
            lines = processes.text(rank).splitlines()
            (last,) = (line for line in lines if line[:8] == "threads:")
            assert "gloo" not in last


def test_a_disk_that_is_full_for_the_leader_ends_all(program, tmp_path):
    run = tmp_path / "run"
    hook = tmp_path / "hook"
    hook.mkdir()
    # A disk that takes nothing of the second epoch's metrics.
    (hook / "sitecustomize.py").write_text(FULL_DISK)
    changed = {0: {"PYTHONPATH": str(hook)}}
    given = (*FEW, "--out", run)
    with started(program, tmp_path, 2, *given, changed=changed) as processes:
        codes = processes.codes()
        assert codes == [74, 75], [processes.text(rank) for rank in range(2)]
        (line,) = processes.errors(0)
        assert "the disk is full" in line
    assert epochs_of(run) == 1
    arrays(run)


FULL_DISK = f"""
import os
real, seen = os.replace, []

def replace(source, target):
    if str(target).endswith("metrics.jsonl"):
        seen.append(target)
        if len(seen) > 1:
            raise OSError({errno.ENOSPC}, "full")
    return real(source, target)

os.replace = replace
"""


def test_a_batch_with_fewer_images_than_processes_is_refused(program, tmp_path):
    run = tmp_path / "run"
    given = (*FEW, "--train-images", 201, "--out", run)
    with started(program, tmp_path, 2, *given) as processes:
        assert processes.codes() == [2, 2]
        assert "--batch-size 100" in processes.errors(0)[0]
    assert not run.exists()


def test_processes_that_differ_are_refused(program, tmp_path):
    run = tmp_path / "run"
    given, more = (*FEW, "--out", run), {1: ("--peak-lr", 0.2)}
    with started(program, tmp_path, 2, *given, more=more) as processes:
        assert processes.codes() == [78, 78], processes.text(0)
        for rank in range(2):
            (line,) = processes.errors(rank)
            assert "process 1 of 2 has other flags than process 0" in line
    assert not run.exists()


def test_a_loss_that_is_not_finite_ends_all_alike(program, tmp_path):
    given = (*FEW, "--peak-lr", 1e30, "--out", tmp_path / "run")
    with started(program, tmp_path, 2, *given) as processes:
        assert processes.codes() == [70, 70], processes.text(0)


def test_a_port_that_is_taken_is_told(program, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started(
            program, tmp_path, 2, *FEW, port=port, only=0
        ) as processes:
            (code,) = processes.codes()
            assert code == 78, processes.text(0)
            (line,) = processes.errors(0)
            assert "did not find each other" in line


def test_tasks_that_do_not_know_of_each_other_are_refused(program, tmp_path):
    """As by `srun python -m ...`; JAX alone finds the others by itself."""
    if program.framework == "jax_flax":
        return
    given = (*FEW, "--out", tmp_path / "run")
    result = program.run(*given, SLURM_STEP_NUM_TASKS="2")
    assert result.returncode == 2
    (line,) = errors(result)
    assert "Slurm has started 2 processes" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("framework", ["pytorch"])
def test_devices_of_one_process_are_refused(programs, tmp_path, framework):
    """The other two divide a CPU into as many logical devices."""
    program = programs[framework]
    result = program.run(*FEW, "--devices", 4, "--out", tmp_path / "run")
    assert result.returncode == 2
    (line,) = errors(result)
    assert "torchrun --nproc-per-node 4" in line
