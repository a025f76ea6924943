"""Whether the newest releases of the frameworks change a training.

    python -m tools.newest traces/newest

`nox -s newest` lets each framework write two traces into that folder, one as
pinned and one of the newest release that resolves. Here the two of each are
compared with each other and with the oracle, rung by rung. Writes
newest.json beside them; `python -m tools.results --newest FILE` publishes it.
Exit codes: 0 all pass; 1 a release differs, or does not run; 65 a pinned
trace is missing or bad.

The newest is also compared with results/trace-*.npz, the digests of an earlier
day's traces, perhaps of another machine. That finding is told, not judged.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from common.environments import FRAMEWORKS, PYTHONS
from common.run.machine import git_commit
from parity_tests import compare
from parity_tests.harness import tracefile

FORMAT = "davidnet-newest-1"
KEPT = Path(__file__).parents[1] / "results"


def newest_release(package: str) -> str:
    """The newest on PyPI for any Python of this project; "" if unknown."""
    command = [sys.executable, "-m", "pip", "index", "versions", package]
    command += [f"--python-version={PYTHONS[-1]}", "--only-binary=:all:"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"\((\S+)\)", done.stdout)
    return found[1] if found else ""


def versions(file: Path) -> dict[str, str]:
    """Of Python and of the libraries that a trace was written with."""
    return dict(tracefile.read(file).facts["versions"])


def climb(here: Path, other: Path, report: Path) -> tuple[str, str]:
    """The verdict on two traces, and the first row of the ladder that differs.

    report: what compare writes; what it says stands beside it, as .txt.
    """
    words = [str(here), "--against", str(other), "--json", str(report)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = compare.main(words)
    report.with_suffix(".txt").write_text(said.getvalue())
    if code == compare.BAD_TRACE:
        return "no trace to compare", ""
    rows = json.loads(report.read_text())["rows"]
    failed = [row for row in rows if row["verdict"] == "FAIL"]
    first = f"{failed[0]['rung']}: {failed[0]['what']}" if failed else ""
    return ("pass" if code == 0 else "differs"), first


def row(framework: str, folder: Path) -> dict:
    """What newest.json says of a framework."""
    pinned = folder / "pinned" / f"{framework}.npz"
    newest = folder / "newest" / f"{framework}.npz"
    kept = KEPT / f"trace-{framework}.npz"
    verdict, first, before = "does not run", "", "not compared"
    tried = {}
    if newest.exists():
        # A bad one is a finding, too.
        with contextlib.suppress(tracefile.TraceError):
            tried = versions(newest)
        verdict, first = climb(pinned, newest, newest.with_suffix(".json"))
        if kept.exists():
            before, _ = climb(newest, kept, newest.with_suffix(".kept.json"))
    return {
        "framework": framework,
        "pinned": versions(pinned),
        "tried": tried,
        "release": newest_release(FRAMEWORKS[framework].package),
        "verdict": verdict,
        "first": first,
        "kept": before,
    }


def main(words: list[str]) -> int:
    """Compare, print a line for each framework, write newest.json."""
    folder = Path(words[0])
    try:
        rows = [row(framework, folder) for framework in FRAMEWORKS]
    except tracefile.TraceError as error:  # a pinned one: no finding
        print(f"error: {error}; start again: nox -s newest", file=sys.stderr)
        return compare.BAD_TRACE
    for found in rows:
        tried = ", ".join(f"{n} {v}" for n, v in found["tried"].items())
        print(f"{found['framework']}: {found['verdict']} {found['first']}")
        print(f"  {tried or 'no trace was written'}")
    report = {
        "format": FORMAT,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "git_commit": git_commit(),
        "rows": rows,
    }
    text = json.dumps(report, indent=1) + "\n"
    (folder / "newest.json").write_text(text)
    return 0 if all(found["verdict"] == "pass" for found in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
