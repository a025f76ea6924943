"""Train a first epoch of CIFAR-10 as one process and as two: the same loss?

    nox -s first-epoch

In float64 two processes must give the loss of one. In float32 rounding grows
over an epoch until the losses part, and two processes are not to be told from
one that rounds otherwise: so one process also trains with another number of
threads and with other instructions.

Exit codes: 0 the same in float64; 1 not the same.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from common.environments import FRAMEWORKS, TITLES, find_python
from common.errors import RecordError, UserError
from common.files import write_atomic
from common.run.about import Framework
from common.run.cli import guarded
from common.run.folder import now
from common.run.machine import ROOT, describe_machine, git_commit
from common.run.records import read_run
from common.run.signals import delayed_signals
from common.run.usage import PathFlag
from tools.machines.matrix import MACHINES

FORMAT = "davidnet-first-epoch-1"
LIMIT = 0.005  # of the loss, in float64
RECIPE = "--preset small --epochs 2 --init shared"
WHOLE = 50_000  # images
# XLA computes float64 convolutions on a CPU by plain loops, and would take
# hours for a whole epoch: five steps are trained instead.
PART = {("jax_flax", "float64"): 2_560}
# One process, by the machines of the matrix whose rounding it has; the first
# is what two processes are compared with.
ALONE = {
    "float64": ("native-2",),
    "float32": ("native-2", "native-1", "avx2-1"),
}


class TrainingError(UserError):
    """A training ended before its first epoch did."""


@dataclass
class Options:
    """What to train, and where."""

    # flags of each training, in place of those of the measurement
    flags: str = RECIPE
    # only these frameworks, by folder
    only: tuple[Framework, ...] = tuple(FRAMEWORKS)
    # for the records, which are kept: what is there is not trained again
    out: PathFlag = ROOT / "traces" / "first-epoch"
    # folder of the train sessions' environments
    environments: PathFlag = ROOT / ".nox"
    # show tracebacks
    debug: bool = False


@dataclass(frozen=True)
class Training:
    """One of those that are compared."""

    framework: str
    precision: str
    processes: int
    machine: str = "native-2"

    @property
    def name(self) -> str:
        """For its folder."""
        who = "two" if self.processes == 2 else self.machine
        return f"{self.framework}-{self.precision}-{who}"

    @property
    def images(self) -> int:
        """Of its first epoch."""
        return PART.get((self.framework, self.precision), WHOLE)

    def command(self, python: Path, flags: str) -> list[str]:
        """What starts it: the training itself, or what starts two."""
        module = ["-m", f"frameworks.{self.framework}.train"]
        if self.processes > 1:
            module = ["-m", "tools.launch", self.framework]
            module += ["--processes", str(self.processes)]
        words = [str(python), *module, *flags.split()]
        if self.images < WHOLE:
            words += ["--train-images", str(self.images)]
            words += ["--test-images", "512"]
        return [*words, "--precision", self.precision, "--device", "cpu"]

    def environment(self) -> dict[str, str]:
        """What makes this one the machine of the matrix."""
        variables = os.environ | {"OMP_WAIT_POLICY": "passive"}
        if self.processes == 1:
            (machine,) = (m for m in MACHINES if m.name == self.machine)
            variables |= machine.environment
        return variables


def plan(frameworks: tuple[str, ...]) -> list[Training]:
    """All trainings; float64, which decides, first."""
    return [
        training
        for precision, machines in ALONE.items()
        for framework in frameworks
        for training in (
            *(Training(framework, precision, 1, name) for name in machines),
            Training(framework, precision, 2),
        )
    ]


def loss_of(training: Training, options: Options) -> float:
    """The mean training loss of its first epoch; trained if not there yet.

    Raises TrainingError if it ends without one.
    """
    # A record does not say all flags: those of others lie elsewhere.
    out = options.out / re.sub(r"[^\w.]+", "-", options.flags) / training.name
    clean = not (git_commit() or "+").endswith("+")
    if clean and (found := recorded(out)) is not None:
        return found
    shutil.rmtree(out, ignore_errors=True)  # of another commit, or unfinished
    python = find_python(options.environments, training.framework)
    # A file: nobody reads a pipe meanwhile, and a full one would block.
    with tempfile.TemporaryFile("w+") as output:
        child = None
        try:
            with delayed_signals():
                child = subprocess.Popen(
                    [*training.command(python, options.flags), "--out", out],
                    env=training.environment(),
                    cwd=ROOT,
                    stdout=output,
                    stderr=output,
                )
            while child.poll() is None and recorded(out) is None:
                time.sleep(1)
        finally:  # what follows is not needed
            if child:
                child.terminate()
                child.wait()
        output.seek(0)
        said = output.read()
    if (found := recorded(out)) is None:
        print(said[-3000:], file=sys.stderr)
        raise TrainingError(
            f"{training.name}: no first epoch; what it said is above"
        )
    return found


def recorded(out: Path) -> float | None:
    """The first epoch's loss in a record of this commit, if it has one."""
    try:
        run = read_run(out)
    except RecordError:
        return None
    if not run.rows or run.about.git_commit != git_commit():
        return None
    return run.rows[0].train_loss


def differences(
    losses: Mapping[Training, float], framework: str, precision: str
) -> tuple[float, list[float]]:
    """How far two processes are from one, and one from itself elsewhere.

    As shares of the loss of one process; the second is empty in float64.
    """
    one, *others = (
        losses[Training(framework, precision, 1, name)]
        for name in ALONE[precision]
    )
    two = losses[Training(framework, precision, 2)]
    return abs(two / one - 1), [abs(other / one - 1) for other in others]


def measure(options: Options) -> bool:
    """Train, compare, write the report; whether float64 is the same.

    Raises UserError.
    """
    for name in options.only:  # what is missing is told before hours are gone
        find_python(options.environments, name)
    losses: dict[Training, float] = {}
    for training in plan(options.only):
        losses[training] = loss_of(training, options)
        print(f"{training.name}: {losses[training]:.17g}", flush=True)
    apart = {n: differences(losses, n, "float64")[0] for n in options.only}
    for name, share in apart.items():
        print(f"{TITLES[name]}, float64: {share:.1e} apart")
    machine = describe_machine()
    report = {
        "format": FORMAT,
        "date": now(),
        "git_commit": git_commit(),
        "machine": f"{machine['cores']} cores of {machine['processor']}",
        "flags": options.flags,
        "rows": [asdict(t) | {"loss": loss} for t, loss in losses.items()],
    }
    file = options.out / "first-epoch.json"
    write_atomic(file, (json.dumps(report, indent=1) + "\n").encode())
    print(file)
    return all(share <= LIMIT for share in apart.values())


def main() -> int:
    """Measure by the flags; the exit code."""
    options = tyro.cli(Options, prog="nox -s first-epoch", description=__doc__)
    same: list[bool] = []
    # A signal becomes an exception, so that no training is left behind.
    code = guarded(lambda: same.append(measure(options)), options.debug)
    return code or int(not same[0])


if __name__ == "__main__":
    sys.exit(main())
