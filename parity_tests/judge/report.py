"""The ladder for people: a table, the four claims, JSON and a page."""

from common.run.records import RunRecord
from common.run.terminal import align, narrow
from parity_tests.judge.check_race import LEVELS, epochs_to
from parity_tests.judge.checks import Arrays, Row, Traces
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

    def verdict(rung: int, *words: str) -> str:
        chosen = [
            row
            for row in rows
            if row.check.rung == rung
            and (not words or any(w in row.check.what for w in words))
        ]
        bad = not chosen or any(row.failed for row in chosen)
        return "FAIL" if bad else "pass"

    held = traces.arrays
    counts = []
    for who, arrays in held.items():
        found = arrays.get("0/float32/full/counts")
        text = "missing"
        if found is not None:
            text = f"{int(found[0]):,} trained, {int(found[1]):,} statistics"
        counts.append(f"{who} {text}")
    accuracy = accuracy_verdict(runs)
    return [
        ("equal parameter counts", verdict(0, "counts"), "; ".join(counts)),
        (
            "matching initial-weight statistics",
            verdict(3),
            "mean, deviation, bound and distribution of 9 kernels, 8 seeds",
        ),
        (
            "identical learning-rate curves",
            verdict(1),
            "table and rates read back from the weights, 2,352 steps",
        ),
        (
            "comparable accuracy times",
            accuracy[0],
            f"{accuracy[1]}; {short_race(held)}: {verdict(8)}; seconds are "
            "not judged",
        ),
    ]


def short_race(held: dict[str, Arrays]) -> str:
    """The epochs to each level in the race of rung 8, by framework."""
    found = []
    for who, arrays in held.items():
        reached = arrays.get("8/float64/race/test_accuracy")
        epochs = "missing"
        if reached is not None:
            epochs = ", ".join(str(epochs_to(reached, x)) for x in LEVELS)
        found.append(f"{who} {epochs}")
    levels = ", ".join(f"{level:.0%}" for level in LEVELS)
    return (
        f"epochs to {levels} on synthetic data, width 8, float64: "
        + "; ".join(found)
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
