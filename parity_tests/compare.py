"""The ladder over traces that exist; no framework is needed.

    python -m parity_tests.compare A.npz B.npz C.npz
    python -m parity_tests.compare A.npz --against my.npz

Exit codes: 0 all equal; 1 a rung fails; 2 usage; 65 a trace is bad.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from common.files import user_path, write_atomic
from common.run.terminal import columns, open_console, say
from parity_tests.harness.tracefile import TraceError
from parity_tests.judge.checks import Check, Row, Traces, run_check
from parity_tests.judge.collect import collect, is_digest
from parity_tests.judge.diagnosis import diagnose
from parity_tests.judge.guard import guard, read_spread
from parity_tests.judge.page import as_html
from parity_tests.judge.recorded_runs import analyze, read_runs
from parity_tests.judge.report import as_data, ladder, the_four
from parity_tests.judge.tolerances import CHECKS

BAD_TRACE = 65


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m parity_tests.compare", description=__doc__
    )
    add = parser.add_argument
    add(
        "traces", nargs="+", type=user_path, help="files that trace has written"
    )
    add(
        "--against",
        type=user_path,
        nargs="+",
        default=[],
        help="traces made elsewhere or long ago, whole or digests",
    )
    add("--run-id", help="all traces must have it")
    add("--json", type=user_path, help="write everything here, for machines")
    add("--html", type=user_path, help="write a page here, for people")
    places = [Path("runs"), Path("results")]
    words = "folders of recorded trainings"
    add("--runs", type=user_path, nargs="+", default=places, help=words)
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


def elsewhere(checks: Sequence[Check], traces: Traces) -> list[Check]:
    """The rows that a trace made elsewhere can be compared on.

    Not those that need more than one trace of each framework, nor rungs that
    none of the traces has climbed; of a digest only those that compare
    tensors by name.
    """
    checks = [c for c in checks if "checkpoint exchange" not in c.what]
    if is_digest(traces.facts):
        checks = [check for check in checks if check.by_name]
    every, found = set().union(*traces.arrays.values()), []
    for check in checks:
        looked = replace(traces, used=set())
        run_check(check, looked)
        if looked.used & every:
            found.append(check)
    return found


def show(
    rows: list[Row], claims: list[tuple[str, str, str]], runs: list[str]
) -> None:
    """The table, the four claims, and the recorded runs."""
    console = open_console()
    head, *lines = ladder(rows, columns(sys.stdout))
    console.print(head, style="bold")
    for row, line in zip(rows, lines, strict=True):
        style = "bold red" if row.failed else None
        console.print(line, style=style, markup=False)
    for what, verdict, numbers in claims:
        say(f"{verdict}  {what}: {numbers}")
    for line in runs:
        say(f"runs  {line}")


def main(argv: list[str] | None = None) -> int:
    """Compare, report, and say so by the exit code."""
    flags = parse(argv)
    try:
        traces = collect(flags.traces, flags.against, flags.run_id)
    except TraceError as error:
        say(f"error: {error}", sys.stderr)
        return BAD_TRACE
    checks = CHECKS
    if flags.against:
        checks = elsewhere(CHECKS, traces)
    left = [check.what for check in CHECKS if check not in checks]
    if not checks:
        say("error: no row of the ladder is in these traces", sys.stderr)
        return BAD_TRACE
    rows = climb(traces, checks)
    problems = diagnose(rows)
    if not flags.against:
        problems += [f"GUARD: {line}" for line in guard(rows, read_spread())]
        problems += [f"GUARD: {line}" for line in uncompared(traces)]
    found, runs = [], []
    if not flags.against:  # the frameworks' environments need no SciPy
        found, unreadable = read_runs(flags.runs)
        runs = analyze(found) + unreadable
    for line in problems:
        say(line)
    # They are of three frameworks, and of all rungs.
    claims = [] if flags.against else the_four(traces, rows, found)
    show(rows, claims, runs)
    if left:
        say(f"not compared: {', '.join(left)}")
    report = as_data(rows, traces, problems, claims, runs)
    data = json.dumps(report, indent=1)
    for path, text in ((flags.json, data), (flags.html, as_html(report))):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode())
    if flags.html is not None:
        print(f"page: {flags.html}")
    good = "all rungs pass"
    if left:
        good = f"pass, {len(rows)} of {len(CHECKS)} rows compared"
    print(f"parity: {'FAIL' if problems else good}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
