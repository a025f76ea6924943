"""The rows of the ladder on one machine, as JSON.

    python -m tools.machines.judge A.npz B.npz C.npz

Run in the machine's environment: it decides which cases the oracle computes.
"""

import hashlib
import json
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from parity_tests.compare import uncompared
from parity_tests.harness.tracefile import TraceError
from parity_tests.judge.checks import Row, Traces, run_check, share
from parity_tests.judge.collect import collect
from parity_tests.judge.tolerances import CHECKS, RUNGS

# What every machine has, to tell one rounding from another.
ROUNDED = ("4/float32/*", "5/float32/*", "7/float32/trajectory/*")


def climbed(traces: Traces) -> list[Row]:
    """The rows of the rungs that were climbed.

    Raises TraceError where a tensor is not in all traces, or is looked at by
    no check: then a row could be missing without a word.
    """
    first, *others = traces.arrays.items()
    for who, arrays in others:
        for name in sorted(arrays.keys() ^ first[1].keys())[:1]:
            raise TraceError(f"{name} is not in both, {first[0]} and {who}")
    every, rows = set(first[1]), []
    for check in CHECKS:
        looked = replace(traces, used=set())
        row = run_check(check, looked)
        traces.used |= looked.used
        if row.comparisons:
            rows.append(row)
        elif looked.used & every:  # it was climbed, and not compared
            raise TraceError(f"{check.what}: {row.problem}")
    for line in uncompared(traces):
        raise TraceError(line)
    return rows


def about(row: Row) -> dict:
    """A row for the report."""
    worst, check = row.worst, row.check
    return {
        "rung": f"{check.rung} {RUNGS[check.rung]}",
        "what": check.what,
        "error": float(worst.error),
        "tolerance": row.tolerance,
        "share": min(share(worst, check), 1e300),
        "tensor": worst.tensor,
        "who": f"{worst.left}, {worst.right}",
        "failed": row.failed,
        "problem": row.problem,
        "counted": bool(check.unguarded),
    }


def digest(arrays: dict[str, np.ndarray]) -> str | None:
    """One sum over all bits that a machine may round otherwise, if any."""
    total, found = hashlib.sha256(), False
    for name in sorted(arrays):
        if any(fnmatchcase(name, pattern) for pattern in ROUNDED):
            total.update(name.encode() + arrays[name].tobytes())
            found = True
    return total.hexdigest()[:16] if found else None


def double(traces: Traces) -> dict:
    """The largest error of a float64 number, from the oracle and pairs."""
    found = {"error": 0.0, "tensor": "", "numbers": 0}
    for check in CHECKS:
        if check.tolerance == 0 or "dropout" in check.what:
            continue
        if not check.by_name:
            continue
        for measure in check.measure(traces):
            larger = measure.error > found["error"]
            if larger and "/float64/" in measure.tensor:
                found |= {"error": measure.error, "tensor": measure.tensor}
    for name, array in next(iter(traces.arrays.values())).items():
        if "/float64/" in name and array.dtype == np.float64:
            found["numbers"] += array.size
    return found


def main(argv: list[str]) -> int:
    """Print rows, digests, and what float64 shows."""
    try:
        traces = collect([Path(name) for name in argv], [], None)
        rows = climbed(traces)
    except TraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 65
    found = {
        "rows": [about(row) for row in rows],
        "rounding": {who: digest(a) for who, a in traces.arrays.items()},
        "double": double(traces),
        "facts": traces.facts,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
