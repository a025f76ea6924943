"""Starting several processes: the native commands, and how they end.

The processes here are stand-ins; parity_tests/programs/test_launch.py starts
trainings.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.errors import DeviceError, UsageError
from parity_tests.programs.program import wait_until
from tools.launch import commands, group
from tools.launch.__main__ import explain, take_count
from tools.launch.commands import Command, native_commands
from tools.launch.group import Group, first_failure

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 4, 5})
    monkeypatch.setattr(commands, "visible_gpus", lambda flags: [])


# --- The native commands ------------------------------------------------


def test_torchrun_starts_all_processes_of_pytorch():
    [command] = native_commands("pytorch", 2, ["--seed", "3"])
    assert Path(command.words[0]).name == "torchrun"
    assert command.words[1:] == [
        *("--standalone", "--nproc-per-node", "2"),
        *("-m", "frameworks.pytorch.train", "--seed", "3"),
    ]
    assert command.variables["OMP_NUM_THREADS"] == "2"
    assert command.variables["GLOO_SOCKET_IFNAME"] == "lo"


def test_tensorflow_is_told_all_workers_and_which_one_it_is():
    found = native_commands("tensorflow_eager", 3, [])
    configs = [json.loads(c.variables["TF_CONFIG"]) for c in found]
    assert [c["task"]["index"] for c in configs] == [0, 1, 2]
    [workers] = {tuple(c["cluster"]["worker"]) for c in configs}
    assert len(set(workers)) == 3
    assert all(worker.startswith("127.0.0.1:") for worker in workers)


def test_jax_is_told_where_its_coordinator_is_and_which_one_it_is():
    found = [c.variables for c in native_commands("jax_flax", 3, [])]
    assert [v["JAX_PROCESS_ID"] for v in found] == ["0", "1", "2"]
    assert {v["JAX_NUM_PROCESSES"] for v in found} == {"3"}
    [address] = {v["JAX_COORDINATOR_ADDRESS"] for v in found}
    assert address.startswith("127.0.0.1:")


@pytest.mark.parametrize("framework", ["tensorflow_eager", "jax_flax"])
@pytest.mark.parametrize(
    ("count", "cores"),
    [
        (2, ["0,4", "1,5"]),
        (3, ["0,5", "1", "4"]),
        (5, ["0", "1", "4", "5", "0"]),
    ],
)
def test_each_process_has_its_share_of_the_cores(framework, count, cores):
    found = native_commands(framework, count, ["--seed", "3"])
    assert [c.words[:3] for c in found] == [["taskset", "-c", c] for c in cores]
    module = ["-m", f"frameworks.{framework}.train", "--seed", "3"]
    assert all(command.words[4:] == module for command in found)


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(commands, "visible_gpus", lambda flags: ["2", "5"])
    found = native_commands("jax_flax", 2, [])
    assert [c.variables["CUDA_VISIBLE_DEVICES"] for c in found] == ["2", "5"]
    for framework in ("pytorch", "tensorflow_eager", "jax_flax"):
        with pytest.raises(DeviceError, match=r"3 processes.*found 2"):
            native_commands(framework, 3, [])


def test_the_gpus_are_those_that_flags_and_environment_leave(
    tmp_path, monkeypatch
):
    monkeypatch.undo()
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        "#!/bin/sh\necho 'GPU 0: A Laptop GPU (UUID: GPU-1)'; echo 'GPU 1: A'\n"
    )
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert commands.visible_gpus([]) == ["0", "1"]
    assert commands.visible_gpus(["--device", "cpu"]) == []
    assert commands.visible_gpus(["--device=cpu"]) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert commands.visible_gpus([]) == ["1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # hides all
    assert commands.visible_gpus([]) == []
    smi.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commands.visible_gpus([]) == []


def test_what_is_printed_can_be_typed():
    """A shell runs the line: variables and words arrive as they were."""
    show = "import os, sys; print(os.environ['A'], *sys.argv, sep='|')"
    command = Command(
        [sys.executable, "-c", show, "a b"], {"A": '{"b": "c d"}'}
    )
    words = ["sh", "-c", str(command)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout == '{"b": "c d"}|-c|a b\n'


def test_the_number_of_processes_is_taken_out_of_the_flags():
    assert take_count(["--a", "--processes", "2", "b"]) == (2, ["--a", "b"])
    assert take_count(["--processes=3", "--a"]) == (3, ["--a"])
    for wrong in (["--processes"], ["--processes", "0"], ["--processes=two"]):
        with pytest.raises(UsageError, match=r"--processes.*1 or more"):
            take_count(wrong)


# --- How they end -------------------------------------------------------


@pytest.fixture
def together(tmp_path, monkeypatch):
    """Run Python texts as a group, with short patience; end and exit code."""
    monkeypatch.setattr(group, "PATIENCE", {"failed": 0.5, "done": 1.0})

    def run(*texts: str) -> tuple[int, str]:
        words = [Command([sys.executable, "-c", text]) for text in texts]
        end = Group(words, tmp_path).run()
        return explain(end, len(texts), tmp_path)

    return run


def test_only_the_first_process_is_shown(together, capfd):
    say = "import sys; print('out{0}'); print('err{0}', file=sys.stderr)"
    assert together(say.format(0), say.format(1)) == (0, "")
    assert capfd.readouterr() == ("out0\n", "err0\n")


SLEEP = "import time; time.sleep(60)"
FAIL = "import sys; print('error: no disk', file=sys.stderr); sys.exit({})"


def test_the_exit_code_is_that_of_the_first_that_failed(together, capfd):
    assert together(FAIL.format(74), SLEEP) == (74, "")
    assert capfd.readouterr().err == "error: no disk\n"


def test_a_failure_is_told_by_the_first_process_if_it_failed_alike():
    """A signal is not: it may have come after, from here."""
    ends = [first_failure({1: 2, 0: 2}), first_failure({1: -9, 0: -9})]
    assert [(end.rank, end.code) for end in ends] == [(0, 2), (1, -9)]
    assert first_failure({1: 0, 0: 0}).code == 0


def test_of_one_that_is_not_shown_its_error_is(together):
    code, line = together(SLEEP, SLEEP, FAIL.format(65))
    assert code == 65
    assert line == (
        "process 2 of 3 (the first is 0) ended with exit code 65: no disk"
    )


def test_what_the_first_process_has_said_is_not_said_again(together):
    assert together(FAIL.format(2), FAIL.format(2)) == (2, "")


def test_an_unforeseen_end_of_one_that_is_not_shown_is_told(together):
    code, line = together(SLEEP, "raise ValueError('why')")
    assert code == 1
    assert line.endswith("ValueError: why")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_is_a_lost_one(together, rank):
    die = "import os; os.kill(os.getpid(), 9)"
    code, line = together(*([die, SLEEP] if rank == 0 else [SLEEP, die]))
    assert code == 75
    assert f"process {rank} of 2" in line
    assert "SIGKILL" in line
    assert "--resume" in line


def test_one_that_notices_a_loss_has_the_time_to_say_so(
    together, capfd, monkeypatch
):
    monkeypatch.setitem(group.PATIENCE, "failed", 30)
    slow = "import time; time.sleep(0.3); print('lost a process', flush=True)"
    code, _ = together(slow, "import os; os.kill(os.getpid(), 9)")
    assert code == 75
    assert capfd.readouterr().out == "lost a process\n"


def test_one_that_does_not_listen_is_killed(together):
    deaf = "import signal; signal.signal(signal.SIGTERM, lambda *_: 0);"
    start = time.monotonic()
    assert together(deaf + SLEEP, FAIL.format(65))[0] == 65
    assert time.monotonic() - start < 10


def test_what_a_process_has_started_ends_with_it(together, tmp_path):
    child = f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid"
    note = tmp_path / "pid"
    text = f"open({str(note)!r}, 'w').write(str({child}))"
    assert together(f"import subprocess, sys; {text}") == (0, "")
    wait_until(lambda: not is_running(int(note.read_text())), 10)


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


LISTEN = """
import signal, sys, time
def end(number, frame):
    print("ended by", number, flush=True)
    sys.exit(128 + number)
for n in (2, 15):
    signal.signal(n, end)
open(sys.argv[1], "w").close()
time.sleep(60)
"""


def test_a_signal_that_comes_as_the_last_process_ends_is_not_lost(
    tmp_path, monkeypatch
):
    """The others that a caller would start next are not started."""
    one = Group([Command([sys.executable, "-c", ""])], tmp_path)
    wait = one.wait

    def late():
        wait()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(one, "wait", late)
    assert one.run().signaled == signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_each_once_and_ends_the_group(tmp_path, number):
    """As from a terminal: to all of the foreground's processes."""
    ready = [tmp_path / str(rank) for rank in range(2)]
    text = (
        "from pathlib import Path; import sys;"
        "from tools.launch.__main__ import *;"
        "from tools.launch.group import Group;"
        f"words = lambda r: [sys.executable, '-c', {LISTEN!r}, r];"
        f"two = [Command(words(r)) for r in {list(map(str, ready))}];"
        f"logs = Path({str(tmp_path / 'logs')!r});"
        "end = Group(two, logs).run();"
        "sys.exit(explain(end, 2, logs)[0])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        wait_until(lambda: all(path.exists() for path in ready), 30)
        os.killpg(child.pid, number)
        output, _ = child.communicate(timeout=30)
    assert child.returncode == 128 + number
    assert output == f"ended by {int(number)}\n"
