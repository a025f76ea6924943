"""The ladder for people: a table, the four claims, JSON and a page."""

from collections.abc import Callable

import numpy as np

from common.run.records import RunRecord
from common.run.terminal import align, narrow
from parity_tests.judge.check_race import LEVELS, epochs_to
from parity_tests.judge.checks import Row, Traces
from parity_tests.judge.page import in_shares
from parity_tests.judge.recorded_runs import accuracy_verdict
from parity_tests.judge.tolerances import RUNGS

HEAD = (
    "rung",
    "what",
    "tensors",
    "worst error",
    "tolerance",
    "floor",
    "verdict",
    "worst tensor",
)


FIRST_TO_GO = ("floor", "tensors", "tolerance", "worst error")


def number(value: float | None) -> str:
    """Two digits, or nothing."""
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:.1e}"


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    worst = row.worst
    tensor = row.problem
    if worst is not None and worst.error and not tensor:
        tensor = f"{worst.tensor} ({worst.left}, {worst.right})"
    return (
        f"{row.check.rung} {RUNGS[row.check.rung]}",
        row.check.what,
        str(row.tensors),
        number(worst.error if worst else None),
        "exact" if row.tolerance == 0 else number(row.tolerance),
        number(worst.floor if worst else None),
        row.verdict,
        tensor,
    )


def ladder(rows: list[Row], width: int | None) -> list[str]:
    """The lines of the table, as wide as a terminal of `width` columns.

    Where it is narrow, rungs are numbers without their names, and noise
    floors, counts, tolerances and errors are left out, in this order.
    """
    table = [HEAD[:-1]]
    for row in rows:
        rung, what, tensors, *said, floor, verdict, _ = cells(row)
        table.append((rung, what, tensors, *in_shares(*said), floor, verdict))
    lines = align(table, None, 2)
    if width is not None and max(map(len, lines)) > width:
        short = [[cell[0].split()[0], *cell[1:]] for cell in table]
        places = [HEAD.index(name) for name in FIRST_TO_GO]
        lines = align(narrow(short, width, places), None, 2)
    return lines


def the_four(
    traces: Traces, rows: list[Row], runs: list[RunRecord]
) -> list[tuple[str, str, str]]:
    """The four claims of this project: title, verdict, numbers.

    runs: recorded trainings on CIFAR-10. They decide the fourth claim; the
    short race only shows that the three take the same way.
    """

    def verdict(rung: int, word: str = "") -> str:
        chosen = [
            row
            for row in rows
            if row.check.rung == rung and word in row.check.what
        ]
        bad = not chosen or any(row.failed for row in chosen)
        return "FAIL" if bad else "pass"

    def counted(numbers: np.ndarray) -> str:
        return "{:,} trained, {:,} statistics".format(*map(int, numbers[:2]))

    def raced(accuracies: np.ndarray) -> str:
        return ", ".join(str(epochs_to(accuracies, x)) for x in LEVELS)

    counts = by_framework(traces, "0/float32/full/counts", counted)
    race = by_framework(traces, "8/float64/race/test_accuracy", raced)
    levels = ", ".join(f"{level:.0%}" for level in LEVELS)
    accuracy, numbers = accuracy_verdict(runs)
    return [
        ("equal parameter counts", verdict(0, "counts"), counts),
        (
            "matching initial-weight statistics",
            verdict(3, "native"),
            "mean, deviation, bound and distribution of 9 kernels, 8 seeds",
        ),
        (
            "identical learning-rate curves",
            verdict(1),
            "table and rates read back from the weights, 2,352 steps",
        ),
        (
            "comparable accuracy times",
            accuracy,
            f"{numbers}; epochs to {levels} on synthetic data, width 8, "
            f"float64: {race}: {verdict(8)}; seconds are not judged",
        ),
    ]


def by_framework(traces: Traces, name: str, say: Callable) -> str:
    """What is to be said of a tensor, for each framework."""
    return "; ".join(
        f"{who} {say(arrays[name]) if name in arrays else 'missing'}"
        for who, arrays in traces.arrays.items()
    )


def as_data(
    rows: list[Row],
    traces: Traces,
    problems: list[str],
    claims: list[tuple[str, str, str]],
    runs: list[str],
) -> dict:
    """Everything, for machines: what a report's JSON holds."""
    return {
        "format": "davidnet-parity-1",
        "verdict": "FAIL" if problems else "pass",
        "problems": problems,
        "traces": traces.facts,
        "mission": [
            {"what": what, "verdict": verdict, "numbers": numbers}
            for what, verdict, numbers in claims
        ],
        "rows": [
            dict(zip(HEAD, cells(row), strict=True))
            | {"why": row.check.why, "reason": row.check.unguarded}
            for row in rows
        ],
        "runs": runs,
    }
