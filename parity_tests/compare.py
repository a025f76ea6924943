"""The ladder over traces that exist: NumPy and rich are all it needs.

    python -m parity_tests.compare A.npz B.npz C.npz
    python -m parity_tests.compare A.npz --against my.npz

Exit codes: 0 all equal · 1 a rung fails · 2 usage · 65 a trace is bad.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from common.files import write_atomic
from parity_tests.harness.tracefile import TraceError
from parity_tests.judge.checks import Row, Traces, run_check
from parity_tests.judge.collect import collect
from parity_tests.judge.diagnosis import diagnose
from parity_tests.judge.guard import guard, read_spread
from parity_tests.judge.recorded_runs import analyse, read_runs
from parity_tests.judge.report import HEAD, as_html, as_json, cells, the_four
from parity_tests.judge.tolerances import CHECKS

BAD_TRACE = 65


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m parity_tests.compare", description=__doc__
    )
    add = parser.add_argument
    add("traces", nargs="+", type=Path, help="files that trace has written")
    add("--against", type=Path, help="a trace made elsewhere, of one of them")
    add("--run-id", help="all traces must have it")
    add("--json", type=Path, help="write everything here, for machines")
    add("--html", type=Path, help="write a page here, for people")
    places = [Path("runs"), Path("results")]
    words = "folders of recorded trainings"
    add("--runs", type=Path, nargs="+", default=places, help=words)
    return parser.parse_args(argv)


def uncompared(traces: Traces) -> list[str]:
    """Tensors that no check has looked at: a hole in the ladder."""
    every = set().union(*traces.arrays.values())
    missed = sorted(every - traces.used)
    if not missed:
        return []
    return [f"no rung compares {len(missed)} tensors, first {missed[0]}"]


def climb(traces: Traces, checks=CHECKS) -> list[Row]:
    """All rungs, from the lowest."""
    return [run_check(check, traces) for check in checks]


def skipped_elsewhere(checks: list) -> list:
    """Without rows that need more than one trace of each framework."""
    return [check for check in checks if "hand-over" not in check.what]


def show(rows: list[Row], traces: Traces, runs: list[str]) -> None:
    """The table, the mission's four, and the recorded runs."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table(*HEAD[:-1], title="The parity ladder")
    for row in rows:
        table.add_row(
            *cells(row)[:-1], style="bold red" if row.failed else None
        )
    console.print(table)
    for what, verdict, numbers in the_four(traces, rows):
        console.print(f"{verdict}  {what}: {numbers}", highlight=False)
    for line in runs:
        console.print(f"runs  {line}", highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Compare, report, and say so by the exit code."""
    flags = parse(argv)
    try:
        traces = collect(flags.traces, flags.against, flags.run_id)
    except TraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_TRACE
    elsewhere = flags.against is not None
    rows = climb(traces, skipped_elsewhere(CHECKS) if elsewhere else CHECKS)
    problems = diagnose(rows)
    if not elsewhere:
        problems += [f"GUARD: {line}" for line in guard(rows, read_spread())]
        problems += [f"GUARD: {line}" for line in uncompared(traces)]
    found, unreadable = read_runs(flags.runs)
    runs = analyse(found) + unreadable
    for line in problems:
        print(line)
    show(rows, traces, runs)
    for path, text in ((flags.json, as_json), (flags.html, as_html)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text(rows, traces, problems, runs).encode())
    print("parity: FAIL" if problems else "parity: all rungs pass")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
