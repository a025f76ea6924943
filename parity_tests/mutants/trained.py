"""What accuracy sees of a mistake: named mutants, trained to the end.

    nox -s mutants -- --trained

In PyTorch, the preset `small` on CIFAR-10, three seeds each. The published
trainings of the same seeds without a mistake stand beside them: what the
margin of 0.30 points lets pass, the ladder does not.
"""

import os
import subprocess
from pathlib import Path

from common.environments import find_python
from common.errors import RecordError
from common.run.records import RunRecord, read_run
from parity_tests.judge.recorded_runs import accuracy, train_loss
from parity_tests.mutants import named
from parity_tests.mutants.killers import NoVerdict
from parity_tests.mutants.source import Mutant, copied, tree_hash

FRAMEWORK = "pytorch"
SEEDS = (0, 1, 2)
# Statistics that forget ten times as fast, the momentum of another formula,
# a schedule that is off by one.
NAMES = ("bn-momentum-swapped", "heavy-ball", "schedule-one-step-late")
FLAGS = ("--preset", "small", "--device", "cpu")


def chosen() -> list[Mutant]:
    """The mutants that are trained."""
    return [
        mutant
        for mutant in named.read()
        if mutant.name in NAMES and mutant.framework == FRAMEWORK
    ]


def train(mutant: Mutant, seed: int, out: Path, python: Path) -> RunRecord:
    """One training to its end, or the one that is in `out` already.

    One that was interrupted goes on. Raises NoVerdict if it fails.
    """
    words = [str(python), "-m", f"frameworks.{FRAMEWORK}.train", *FLAGS]
    words += ["--seed", str(seed), "--out", str(out)]
    try:
        if not (run := read_run(out)).problem:
            return run
        words += ["--resume"]
    except RecordError:
        pass  # nothing is there yet
    with copied(mutant) as tree:
        done = subprocess.run(
            words,
            cwd=tree,
            env=os.environ | {"OMP_WAIT_POLICY": "passive"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode:
        raise NoVerdict(f"{out.name}: {done.stdout[-2000:]}")
    return read_run(out)


def train_all(home: Path, environments: Path) -> tuple[list[dict], float]:
    """A row for each training; the seconds of all. Raises NoVerdict."""
    python = find_python(environments, FRAMEWORK)
    folder = home.absolute() / f"trained-{tree_hash()[:12]}"
    rows, seconds = [], 0.0
    for mutant in chosen():
        for seed in SEEDS:
            out = folder / f"{mutant.name}-seed{seed}"
            run = train(mutant, seed, out, python)
            row = {
                "mutant": mutant.name,
                "seed": seed,
                "accuracy": accuracy(run),
                "train_loss": train_loss(run),
            }
            print(*row.values(), flush=True)
            rows.append(row)
            seconds += run.rows[-1].train_seconds
    return rows, seconds
