"""Tolerances are guarded: too wide and too narrow ones fail, too."""

from dataclasses import replace

from parity_tests.judge.checks import Row

WIDE, NARROW = 1000.0, 3.0


def guard(rows: list[Row]) -> list[str]:
    """A line for each row whose tolerance does not fit what was seen."""
    lines = []
    for row in rows:
        if row.failed or row.tolerance == 0 or row.check.unguarded:
            continue
        where = f"rung {row.check.rung}, {row.check.what}"
        error = row.worst.error
        if row.tolerance > WIDE * error:
            lines.append(
                f"{where}: the tolerance {row.tolerance:.1e} is more than "
                f"{WIDE:.0f} times the largest error {error:.1e}, and no "
                "reason stands beside it"
            )
        elif row.tolerance < NARROW * error:
            lines.append(
                f"{where}: the largest error {error:.1e} is less than "
                f"{NARROW:.0f} times below the tolerance {row.tolerance:.1e}"
            )
    return lines


def loosened(rows: list[Row], factor: float) -> list[Row]:
    """The same rows with tolerances multiplied, to test the guard."""
    return [
        replace(
            row,
            check=replace(row.check, tolerance=row.check.tolerance * factor),
            worst=replace(row.worst, tolerance=None),
        )
        for row in rows
    ]
