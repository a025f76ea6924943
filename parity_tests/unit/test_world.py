"""Several processes: shares, what must be alike, how they meet."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from common.draws import dropout_seed
from common.errors import DeviceError, LostProcess, UsageError, WorldError
from common.recipe import PRESETS, Run
from common.run import together
from common.run.together import check_alike, losses_told, meet, spread_start
from common.world import ALONE, World, launcher
from parity_tests.harness.processes import free_ports

RECIPE = replace(PRESETS["smoke"], batch_size=100)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 7, 16, 32, 512])
def test_shares_are_those_of_array_split(n, size):
    images = np.arange(n)
    for rank, wanted in enumerate(np.array_split(images, size)):
        np.testing.assert_array_equal(
            images[World(rank, size).share(n)], wanted
        )


def test_the_first_process_has_the_masks_of_one_alone():
    seeds = {dropout_seed(1, 2, rank) for rank in range(100)}
    assert len(seeds) == 100
    assert dropout_seed(1, 2, 0) == dropout_seed(1, 2)


@pytest.mark.parametrize("field", ["train_images", "test_images"])
def test_a_batch_has_an_image_for_each_device(field):
    recipe = replace(RECIPE, **{field: 303})
    World(0, 3, 1).require_images(recipe)
    for world in (World(0, 4, 1), World(0, 2, 2)):
        with pytest.raises(UsageError, match=r"--batch-size 100: .* has 3"):
            world.require_images(recipe)


def ended(*lines: str) -> subprocess.CompletedProcess:
    """How a Python process of these lines ends."""
    code = "\n".join(lines)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )


def alike(*rows) -> World:
    """A world whose processes have given these numbers, but for this one."""
    return World(0, len(rows) + 1, gather=lambda mine: np.array([mine, *rows]))


def test_processes_that_are_alike_may_train():
    seen = []
    world = World(0, 2, gather=lambda mine: seen.append(mine) or mine[None])
    check_alike("pytorch", RECIPE, Run(), world)
    (mine,) = seen
    check_alike("pytorch", RECIPE, Run(out="x", data_dir="y"), alike(mine))
    for column, what in enumerate(
        ("other flags", "another version of this", "other versions of its")
    ):
        other = mine.copy()
        other[column] += 1
        line = f"process 2 of 3 has {what}"
        with pytest.raises(WorldError, match=line):
            check_alike("pytorch", RECIPE, Run(), alike(mine, other))


def test_the_source_of_a_training_is_its_framework_and_common():
    source = together.source("pytorch").decode()
    for file in ("common/recipe.py", "frameworks/pytorch/parallel.py"):
        assert file in source
    assert "frameworks/jax_flax/step.py" not in source


def test_only_the_error_of_a_collective_is_a_lost_process(monkeypatch):
    monkeypatch.setattr(together, "GRACE", 0.0)
    world = World(0, 2, is_lost=lambda error: "gloo" in str(error))
    line = "--resume --out F"
    with pytest.raises(LostProcess, match=line), losses_told(world, "F"):
        raise RuntimeError("gloo: closed by peer")
    mine = "nccl over gloo: CUDA out of memory"  # with a cause of its own
    for one, words in ((world, "bug"), (ALONE, "gloo"), (world, mine)):
        with pytest.raises(RuntimeError, match=words), losses_told(one, "F"):
            raise RuntimeError(words)


def test_a_loss_at_the_end_does_not_spoil_a_training_that_is_complete():
    world = World(0, 2, is_lost=lambda error: "gloo" in str(error))
    with together.suppress_lost(world):
        raise RuntimeError("gloo: closed by peer")
    with (
        pytest.raises(RuntimeError, match="bug"),
        together.suppress_lost(world),
    ):
        raise RuntimeError("a bug")


def test_what_nobody_starts_from_is_spread_as_nothing():
    world = World(1, 2, spread=lambda arrays: arrays)
    assert spread_start(None, RECIPE, world) is None


COUNTS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")


@pytest.mark.parametrize("variable", COUNTS)
def test_a_launcher_is_known_by_the_variable_that_counts(monkeypatch, variable):
    for name in COUNTS:
        monkeypatch.delenv(name, raising=False)
    assert launcher() == ""
    monkeypatch.setenv(variable, "1")
    assert launcher() == ""
    monkeypatch.setenv(variable, "2")
    assert launcher() == variable


def test_processes_meet_and_leave_the_port_free():
    (port,) = free_ports(1)
    every = [f"127.0.0.1:{port}", "127.0.0.1:1", "127.0.0.1:2"]
    for _ in range(2):
        threads = [
            threading.Thread(target=meet, args=(every, rank))
            for rank in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


def test_who_knocks_says_its_rank_in_4_bytes_and_waits_for_the_answer():
    (port,) = free_ports(1)
    every = [f"127.0.0.1:{port}", "127.0.0.1:1"]
    with together.listen(every[0]) as leader:
        thread = threading.Thread(target=meet, args=(every, 1))
        thread.start()
        leader.settimeout(10)
        peer, _ = leader.accept()
        with peer:
            peer.settimeout(10)
            told = peer.recv(4)
            peer.settimeout(0.2)
            with pytest.raises(TimeoutError):
                peer.recv(1)
            assert thread.is_alive()
            peer.sendall(b"go")
        thread.join(10)
    assert told == b"\1\0\0\0"
    assert not thread.is_alive()


def meeting(every, rank):
    """A thread that meets the others, and the error that will end it."""
    told = []

    def work():
        try:
            meet(every, rank)
        except OSError as error:
            told.append(str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, told


@pytest.mark.parametrize(
    "said",
    [b"", b"\2\0\0\0"],  # a probe of the port; a process of a larger world
)
def test_who_is_none_of_these_processes_does_not_count(monkeypatch, said):
    monkeypatch.setattr(together, "JOIN_SECONDS", 6.5)
    every = [f"127.0.0.1:{port}" for port in free_ports(2)]
    host, _, port = every[0].rpartition(":")
    thread, told = meeting(every, 0)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        with contextlib.suppress(ConnectionError):
            with socket.create_connection((host, int(port)), 1) as peer:
                peer.sendall(said)
            break
    thread.join(10)
    assert told == ["1 of 2 processes came"]


def test_a_gpu_that_fails_while_joining_is_no_fault_of_the_network():
    with pytest.raises(DeviceError, match="another process has the GPU"):  # noqa: SIM117
        with together.joining():
            raise RuntimeError(
                "CUDA error: all devices are busy or unavailable"
            )


@pytest.mark.parametrize(
    ("inside", "code", "told"),
    [
        ("    pass\ntime.sleep(1.5)", 0, ""),
        ("    time.sleep(60)", WorldError.exit_code, "no answer within 1 s"),
    ],
)
def test_who_has_not_joined_in_time_gives_up(inside, code, told):
    done = ended(
        "import time",
        "from common.run import together",
        "together.JOIN_SECONDS = 1",
        "with together.joining():",
        inside,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert bool(done.stderr) == bool(told)


def test_a_process_that_does_not_come_is_told(monkeypatch):
    monkeypatch.setattr(together, "JOIN_SECONDS", 5.2)
    every = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with pytest.raises(TimeoutError, match="1 of 2 processes came"):
        meet(every, 0)
    with pytest.raises(OSError, match="refused"):
        meet(every, 1)


def test_a_first_process_that_answers_to_nobody_is_given_up(monkeypatch):
    monkeypatch.setattr(together, "JOIN_SECONDS", 5.5)
    every = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with together.listen(every[0]) as leader:
        leader.settimeout(0.1)
        thread, told = meeting(every, 1)
        end = time.monotonic() + 10
        while thread.is_alive() and time.monotonic() < end:
            with contextlib.suppress(OSError), leader.accept()[0] as peer:
                peer.recv(4)
        assert not thread.is_alive()
    assert told  # the words are those of whichever moment was the last


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        (
            "with together.losses_told(world, 'runs/x'):\n    os.abort()",
            "runs/x",
        ),
        ("os.abort()", "another process of this training was lost"),
    ],
)
def test_an_engine_that_aborts_means_a_lost_process(inside, told):
    """Also where no record is known yet, or any more."""
    done = ended(
        "import os",
        "from common.run import together",
        "from common.world import World",
        "together.GRACE = 0.0",
        "world = World()",
        "together.let_abort_mean_loss()",
        inside,
    )
    assert done.returncode == LostProcess.exit_code
    assert done.stderr.startswith("error: another process of this training")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
