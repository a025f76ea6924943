"""Run the ladder on a matrix of machines, and judge its tolerances by it.

    python -m tools.machines                     all, or go on
    python -m tools.machines --quick             AVX2, in minutes
    python -m tools.machines --only avx2-3 sse-1

The machines are this one, with other instruction sets, numbers of threads,
orders of images and seeds (matrix.py). A trace that is of this source and
this machine is kept, so that an interrupted matrix goes on.

Exit codes: 0 every row is 3 times below its tolerance, on every machine;
1 one is not, or a cap did not take hold; 2 usage; 65 a trace is bad.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from common.environments import FRAMEWORKS, find_python
from common.errors import UsageError
from common.files import user_path, write_atomic
from common.run.machine import git_commit
from parity_tests.harness.cases import ROOT, hash_of, shared_files
from parity_tests.harness.tracefile import is_fresh
from parity_tests.trace import caches, command
from tools.machines.matrix import MACHINES, QUICK, Machine
from tools.machines.report import failures, show, summary


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.machines", description=__doc__
    )
    add = parser.add_argument
    add("--environments", type=user_path, default=ROOT / ".nox")
    add("--out", type=user_path, default=ROOT / "traces" / "machines")
    add("--quick", action="store_true", help="AVX2, 3 threads")
    add("--only", nargs="+", default=[], help="machines by name")
    return parser.parse_args(argv)


def chosen(flags: argparse.Namespace) -> list[tuple[Machine, tuple[str, ...]]]:
    """The machines, each with its rungs. Raises UsageError on a bad name."""
    names = [machine.name for machine in MACHINES]
    wanted = [*QUICK] if flags.quick else flags.only or names
    for name in wanted:
        if name not in names:
            raise UsageError(
                f"--only {name}: no such machine, there are {', '.join(names)}"
            )
    return [
        (machine, QUICK[machine.name] if flags.quick else machine.rungs)
        for machine in MACHINES
        if machine.name in wanted
    ]


def source() -> str:
    """One sum over all that makes a trace."""
    files = {*shared_files(), ROOT / "parity_tests" / "trace.py"}
    for folder in ("frameworks", "parity_tests/harness"):
        files |= set((ROOT / folder).rglob("*.py"))
    files |= set((ROOT / "requirements").glob("*.txt"))  # other libraries
    return hash_of(files)


def run_id(machine: Machine, rungs: tuple[str, ...]) -> str:
    """A trace with it needs not be made again."""
    text = json.dumps([source(), machine.environment, rungs])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def environment(machine: Machine, out: Path) -> dict[str, str]:
    """Of the machine's processes; compiled programs are kept for each cap."""
    return (
        os.environ
        | {"TF_CPP_MIN_LOG_LEVEL": "2", "OMP_WAIT_POLICY": "passive"}
        | caches(out / "compiled" / machine.cap)
        | machine.environment
    )


def traced(
    machine: Machine, rungs: tuple[str, ...], flags: argparse.Namespace
) -> list[Path]:
    """The machine's traces, made where they are not there yet."""
    files, wanted = [], run_id(machine, rungs)
    for framework in FRAMEWORKS:
        file = flags.out / machine.name / f"{framework}.npz"
        files.append(file)
        if is_fresh(file, wanted):
            continue
        begun = time.perf_counter()
        python = find_python(flags.environments, framework)
        done = subprocess.run(
            [*command(python, framework, file, wanted), "--only", *rungs],
            cwd=ROOT,
            env=environment(machine, flags.out),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(
                f"{machine.name}: {framework} made no trace:\n{done.stderr}"
            )
        took = time.perf_counter() - begun
        print(f"{machine.name}: {framework} {took:.0f} s", flush=True)
    return files


def judged(machine: Machine, files: list[Path], out: Path) -> dict:
    """Its rows. Raises SystemExit with the code of what went wrong."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tools.machines.judge"),
            *map(str, files),
        ],
        cwd=ROOT,
        env=environment(machine, out),
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        print(f"error: {machine.name} is not judged", file=sys.stderr)
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def main(argv: list[str] | None = None) -> int:
    """Trace, judge, report."""
    flags = parse(argv)
    try:
        machines = chosen(flags)
        for framework in FRAMEWORKS:
            find_python(flags.environments, framework)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    found = {}
    for machine, rungs in machines:
        files = traced(machine, rungs, flags)
        found[machine.name] = judged(machine, files, flags.out)
        bad = [r["what"] for r in found[machine.name]["rows"] if r["failed"]]
        print(f"{machine.name}: {', '.join(bad) or 'green'}", flush=True)
    report = summary(found) | {"git_commit": git_commit()}
    name = "quick.json" if flags.quick or flags.only else "machines.json"
    write_atomic(flags.out / name, json.dumps(report, indent=1).encode())
    show(report)
    lines = failures(report)
    print(*lines, "machines: FAIL" if lines else "machines: green", sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
