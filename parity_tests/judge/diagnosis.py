"""The first lines of a failure: where, what, and what it looks like."""

from parity_tests.judge.checks import Row, share
from parity_tests.judge.traps import looks_like

MOST_TRAPS = 6


def diagnose(rows: list[Row]) -> list[str]:
    """Lines on the first rung that failed; [] if none did."""
    failed = [row for row in rows if row.failed]
    if not failed:
        return []
    row = failed[0]
    lines = [f"FAIL at rung {row.check.rung}: {row.check.what}"]
    if row.problem:
        lines.append(f"  {row.problem}")
    measure = row.worst
    if measure is not None and share(measure, row.check) > 1:
        lines += [
            f"  tensor     {measure.tensor}",
            f"  values     {measure.left}: {measure.left_value!r}",
            f"             {measure.right}: {measure.right_value!r}",
            f"  error      {measure.error:.3g}, tolerance {row.tolerance:.3g}",
        ]
        traps = looks_like(measure.tensor)[:MOST_TRAPS]
        lines += ["  it looks like:"] if traps else []
        lines += [f"    {slug}: {line}" for slug, line in traps]
    others = len(failed) - 1
    if others:
        rungs = sorted({r.check.rung for r in failed[1:]})
        lines.append(f"  {others} more rows fail, at rungs {rungs}")
    return lines
