"""Tolerances are guarded: too wide and too narrow ones fail, too.

One run shows what one processor rounds. So a tolerance is held against the
largest error on all machines of the matrix, as `nox -s machines` recorded it
in results/machines.json. Of a row that is not there yet one run is all that is
known: then only a tolerance that is far too wide is red, since the next
processor may round several times more or less than this one.
"""

import json
from pathlib import Path

from parity_tests.judge.checks import Row, share

WIDE, NARROW = 300.0, 3.0
WIDE_ALONE = 1000.0  # times the error of a single run
SPREAD = Path(__file__).parents[2] / "results" / "machines.json"

# By rung's number and row: error and share of its tolerance, the largest.
Spread = dict[tuple[int, str], dict]


def read_spread(path: Path = SPREAD) -> Spread:
    """What the machines have shown; nothing where no matrix is published."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text())["rows"]
    return {(int(row["rung"].split()[0]), row["what"]): row for row in rows}


def guard(rows: list[Row], spread: Spread | None = None) -> list[str]:
    """A line for each row whose tolerance does not fit what was seen."""
    lines = []
    for row in rows:
        check, tolerance = row.check, row.tolerance
        if row.failed or tolerance == 0 or check.unguarded:
            continue
        here = share(row.worst, check)
        known = (spread or {}).get((check.rung, check.what))
        seen = here if known is None else largest(row, known)
        where = f"rung {check.rung}, {check.what}: "
        wide = WIDE_ALONE if known is None else WIDE
        if max(seen, here) * wide < 1:
            lines.append(
                f"{where}the tolerance {tolerance:.1e} is more than "
                f"{wide:.0f} times the largest error "
                f"{max(seen, here) * tolerance:.1e}, and no reason stands "
                "beside it"
            )
        elif known is not None and seen * NARROW > 1:
            lines.append(
                f"{where}the largest error {seen * tolerance:.1e} is less than "
                f"{NARROW:.0f} times below the tolerance {tolerance:.1e}"
            )
    return lines


def largest(row: Row, known: dict) -> float:
    """The largest share of the tolerance, on all machines.

    Of the tolerance as it is now, unless each measure has its own.
    """
    if row.worst.tolerance is not None:
        return known["share"]
    return known["error"] / row.check.tolerance
