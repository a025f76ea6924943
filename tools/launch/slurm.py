"""Run the sbatch files of docs/scale/ on a Slurm cluster of this machine.

    nox -s slurm

Starts a controller and two nodes, all of them this machine, gives them a job
of each framework, two processes on CPUs, looks at the records, and ends all of
it. Slurm is Debian's: apt-get install slurm-wlm munge.
"""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import tyro

from common.environments import FRAMEWORKS, find_python
from common.errors import UserError
from common.run.cli import guarded
from common.run.signals import delayed_signals
from common.run.usage import PathFlag
from parity_tests.harness.processes import free_ports

FOLDER = Path("docs/scale")
# By framework: its file, and what that takes from the environment.
JOBS = {
    "tensorflow_eager": ("tensorflow.sbatch", {"DEVICES": "1"}),
    "pytorch": ("pytorch.sbatch", {"PROCESSES": "1"}),
    "jax_flax": ("jax.sbatch", {}),
}
FLAGS = ("--preset", "smoke", "--dataset", "synthetic", "--device", "cpu")
# In place of what the files ask for.
SIZE = ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=0", "--time=20")
LIMIT = "1500"  # seconds for a job, to which SIZE gives 20 minutes
PATIENCE = 120  # seconds until the nodes must be there
NODES = ("127.0.0.1", "127.0.0.2")  # names that each machine has of itself
CONF = """\
ClusterName=davidnet
SlurmctldHost={host}({nodes[0]})
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
StateSaveLocation={home}
SlurmdSpoolDir={home}/spool-%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
NodeName={nodes[0]} NodeHostname={host} Port={ports[1]} CPUs=2
NodeName={nodes[1]} NodeHostname={host} Port={ports[2]} CPUs=2
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class SlurmError(UserError):
    """Slurm is not there or does not start, or a job of it has failed."""


@dataclass
class Options:
    """Where the frameworks are."""

    environments: PathFlag = Path(".nox")
    debug: bool = False  # show tracebacks


@contextmanager
def cluster(home: Path) -> Iterator[dict[str, str]]:
    """A cluster of two nodes; the environment that its commands need.

    home: an empty folder. Raises SlurmError if the nodes do not start.
    """
    facts = {"host": socket.gethostname(), "user": getpass.getuser()}
    conf = CONF.format(home=home, nodes=NODES, ports=free_ports(3), **facts)
    (home / "slurm.conf").write_text(conf)
    (home / "munge.key").write_bytes(os.urandom(1024))
    (home / "munge.key").chmod(0o400)
    munge = ["munged", "--foreground", "--force"]
    munge += [f"--{kind}-file={home}/munge.{kind}" for kind in ("key", "pid")]
    munge += [f"--seed-file={home}/munge.seed", f"--socket={home}/munge.socket"]
    environment = os.environ | {"SLURM_CONF": f"{home}/slurm.conf"}
    with ExitStack() as stack:
        for words in (
            munge,
            ["slurmctld", "-D"],
            *(["slurmd", "-D", "-N", node] for node in NODES),
        ):
            stack.enter_context(daemon(words, environment, home))
        wait_for_nodes(environment, home)
        try:
            yield environment
        finally:
            cancel_jobs(environment)


@contextmanager
def daemon(words: list[str], environment: dict, home: Path) -> Iterator[None]:
    """A program that runs beside the block, and ends with it."""
    child = None
    # In a session of its own: Ctrl-C is for this program, which cancels the
    # jobs before the daemons end.
    options = {"env": environment, "start_new_session": True}
    try:
        with open(home / "log", "ab") as log, delayed_signals():
            child = subprocess.Popen(words, stdout=log, stderr=log, **options)
        time.sleep(0.5)  # each needs the one before it
        yield
    finally:
        if child:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_for_nodes(environment: dict[str, str], home: Path) -> None:
    """Wait until both nodes take jobs. Raises SlurmError."""
    end, states = time.monotonic() + PATIENCE, ""
    while states.split() != ["idle", "idle"]:
        if time.monotonic() > end:
            print((home / "log").read_text()[-2000:], file=sys.stderr)
            raise SlurmError(
                f"the nodes do not start, they are {states.split()}; their "
                "log is above"
            )
        time.sleep(0.5)
        states = subprocess.run(
            ["sinfo", "--noheader", "--Node", "--format=%T"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout


def cancel_jobs(environment: dict[str, str]) -> None:
    """End a job that still runs: its steps would outlive the cluster."""
    user = getpass.getuser()
    subprocess.run(["scancel", "--user", user], env=environment)
    end, jobs = time.monotonic() + PATIENCE, "?"
    while jobs and time.monotonic() < end:
        jobs = subprocess.run(
            ["squeue", "--noheader", "--user", user],
            **{"env": environment, "stdout": subprocess.PIPE},
        ).stdout
        time.sleep(0.2)


def submit(
    framework: str, python: Path, environment: dict[str, str], home: Path
) -> str:
    """Run a framework's job to its end; what its record says, in a line.

    Raises SlurmError with the end of its output if it fails.
    """
    name, own = JOBS[framework]
    out, log = home / framework, home / f"{framework}.log"
    own = {"BIN": str(python.parent), "OUT": str(out)} | own
    done = subprocess.run(
        [
            *("timeout", LIMIT, "sbatch", "--wait", *SIZE, f"--output={log}"),
            *(FOLDER / name, *FLAGS),
        ],
        env=environment | own,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = log.read_text() if log.exists() else done.stderr
        print(said[-3000:], file=sys.stderr)
        raise SlurmError(
            f"{name}: exit code {done.returncode}; what it said is above"
        )
    record = json.loads((out / "run.json").read_text())
    machine = record["machine"]
    if (record["status"], machine["processes"]) != ("done", 2):
        raise SlurmError(f"{name}: {record['status']}, {machine}")
    return f"{name}: done, 2 processes, {machine['backend']}"


def run_all(options: Options) -> None:
    """Run each framework's job and print a line of it. Raises UserError."""
    pythons = {f: find_python(options.environments, f) for f in FRAMEWORKS}
    for name in ("munged", "slurmctld", "slurmd"):
        if not shutil.which(name):
            raise SlurmError(
                f"{name} is not installed; on Debian: apt-get install "
                "slurm-wlm munge"
            )
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        cluster(Path(folder)) as environment,
    ):
        for framework, python in pythons.items():
            print(submit(framework, python, environment, Path(folder)))


def main() -> int:
    """Run each framework's job and print a line of it; the exit code."""
    options = tyro.cli(Options, prog="nox -s slurm", description=__doc__)
    return guarded(lambda: run_all(options), options.debug)


if __name__ == "__main__":
    sys.exit(main())
