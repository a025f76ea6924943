"""Measure how fast the three train, beside the limit of the machine.

    nox -s bench                          the three, both modes, precisions
    nox -s bench -- --quick               minutes, not an hour
    nox -s bench -- --peer                beside Keras, and a usual loop
    nox -s bench -- --scale               against width, batch, threads
    nox -s bench -- --world               two processes beside one
    nox -s bench -- --profile             the kernels of a step

Each measurement has a process of its own, in its framework's environment;
all of them once, then all again. Keep the machine quiet meanwhile.
"""

import json
import sys
import time

import tyro
from rich.console import Console

from common import errors
from common.errors import UsageError
from common.files import write_atomic
from common.run.cli import guarded
from common.run.terminal import align, columns, open_console, say
from tools.bench import plan
from tools.bench.flags import Flags, check, command
from tools.bench.report import Report
from tools.bench.run import Runner, run_all, runner
from tools.bench.sheet import Sheet
from tools.bench.tables import noise_line, sheets


def sections(flags: Flags) -> list[tuple[str, list[plan.Job], int]]:
    """Section of the report, jobs, repeats. Raises UsageError."""
    repeats = 2 if flags.quick else flags.repeats
    if flags.instead:
        section, make, repeats = {
            "scale": ("scale", plan.scale, min(2, repeats)),
            "world": ("world", plan.world, repeats),
            "profile": ("profiles", plan.profiles, 1),
        }[flags.instead]
        return [(section, plan.with_limits(flags, make(flags)), repeats)]
    jobs = plan.rows(flags) + (plan.peers(flags) if flags.peer else [])
    # Their steps take seconds.
    slow = [job for job in jobs if flags.quick and job.width > plan.SMALL]
    jobs = [job for job in jobs if job not in slow]
    found = [
        ("rows", plan.with_limits(flags, some), times)
        for some, times in ((jobs, repeats), (slow, 1))
        if some
    ]
    if not found:
        raise UsageError("--quick: leaves nothing of these flags to measure")
    return found


def measure(flags: Flags, bench: Runner, console: Console) -> dict:
    """All measurements; the report."""
    todo = sections(flags)
    for _, jobs, _ in todo:
        for job in jobs:
            bench.python(job)  # what is missing is told before an hour is gone
    report = Report(command(flags), flags.quick, todo[0][2])
    start = time.monotonic()

    def say(line: str) -> None:
        passed = time.monotonic() - start
        console.print(f"{passed:6.0f} s  {line}", highlight=False)

    for section, jobs, repeats in todo:
        for job, found in run_all(bench.measure, jobs, repeats, say):
            report.take(section, job, found)
    return report.whole() | {"seconds": round(time.monotonic() - start)}


def show(report: dict) -> None:
    """Print all tables, no number cut: a pipe has no width."""
    for sheet in sheets(report):
        show_sheet(sheet)
    say(noise_line(report))


def show_sheet(sheet: Sheet) -> None:
    """Print a table, as wide as it is in a pipe."""
    lines = align([sheet.heads, *sheet.rows], columns(sys.stdout))
    print(sheet.title, *lines, "", sep="\n")


def main() -> int:
    """Measure by the flags, print the tables, write the file."""
    flags = tyro.cli(
        Flags,
        prog="python -m tools.bench",
        description=__doc__,
        config=(tyro.conf.FlagCreatePairsOff,),
    )

    def work() -> None:
        check(flags)
        with runner(flags.environments, flags.python, flags.file) as bench:
            report = measure(flags, bench, open_console())
        write_atomic(flags.file, (json.dumps(report, indent=1) + "\n").encode())
        show(report)
        say(f"written: {flags.file}; {report['seconds']} s")

    code = guarded(work, flags.debug)
    if code in (errors.INTERRUPTED, errors.TERMINATED):
        say("interrupted: nothing was written", sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
