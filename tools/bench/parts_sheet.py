"""The tables of a network's parts: milliseconds, and what they come to."""

import statistics

from common.recipe import Recipe
from tools.bench.count import gflop_per_image
from tools.bench.plan import FRAMEWORKS
from tools.bench.report import best_limit
from tools.bench.sheet import NOTHING, Sheet

PASSES = ("forward", "backward")
WHOLE = "whole step"
# Measured beside the step, which runs without dropout on a ready batch.
BESIDE = ("dropout", "augmentation")
BATCH = Recipe().batch_size
KINDS = ("conv", "batch norm", "ReLU", "max pool", "optimizer")


def times(rows: list[dict]) -> dict[tuple[str, str], dict]:
    """The rows by part and pass."""
    return {(row["part"], row["pass"]): row for row in rows}


def total(rows: list[dict]) -> float:
    """Milliseconds of all parts of a step, each as often as it occurs."""
    return sum(
        row["count"] * statistics.median(row["milliseconds"])
        for row in rows
        if row["part"] != WHOLE and not row["part"].startswith(BESIDE)
    )


def by_kind(rows: list[dict]) -> dict[str, float]:
    """Milliseconds of a step by kind of part, and of all that is left."""
    found = {
        kind: total([row for row in rows if row["part"].startswith(kind)])
        for kind in KINDS
    }
    return found | {"the rest": total(rows) - sum(found.values())}


def kinds_sheet(report: dict) -> Sheet:
    """Where a step's milliseconds go; what its convolutions alone allow.

    Were all else free, a step would take as long as its convolutions: that
    is the share of the limit in the last column.
    """
    heads = ["framework", "width", "precision", *KINDS, "the rest"]
    heads += ["whole step", "of limit", "convolutions alone, of limit"]
    sheet = Sheet("Milliseconds of a step, by kind of part", heads)
    cases = dict.fromkeys(
        (r["framework"], r["width"], r["precision"]) for r in report["parts"]
    )
    for framework, width, precision in cases:
        rows = [
            row
            for row in report["parts"]
            if (row["framework"], row["width"]) == (framework, width)
            and row["precision"] == precision
        ]
        kinds = by_kind(rows)
        # What is left once the queue is full; the first still get memory.
        step = min(times(rows)[WHOLE, "forward"]["milliseconds"])
        gflop = gflop_per_image(Recipe(width=width)) * BATCH
        best = best_limit(report["limits"], precision, "convolution")
        least = 1000 * gflop / statistics.median(best["gflops"])
        cells = [FRAMEWORKS[framework], f"{width}", precision]
        cells += [f"{value:,.0f}" for value in (*kinds.values(), step)]
        cells += [f"{least / value:.0%}" for value in (step, kinds["conv"])]
        sheet.rows.append(cells)
    return sheet


def cell(row: dict | None) -> str:
    """Milliseconds, and GFLOP/s where there is arithmetic."""
    if row is None:
        return NOTHING
    found = f"{statistics.median(row['milliseconds']):.1f}"
    return f"{found} ({row['gflops']:.0f})" if row["gflops"] else found


def parts_sheets(report: dict) -> list[Sheet]:
    """One table for each width and precision, a column for each pass."""
    cases = dict.fromkeys((r["width"], r["precision"]) for r in report["parts"])
    return [parts_sheet(report, *case) for case in cases]


def parts_sheet(report: dict, width: int, precision: str) -> Sheet:
    """Milliseconds (GFLOP/s) of each part; the sum beside the whole step."""
    found = [
        row
        for row in report["parts"]
        if (row["width"], row["precision"]) == (width, precision)
    ]
    columns = {
        framework: [row for row in found if row["framework"] == framework]
        for framework in FRAMEWORKS
        if any(row["framework"] == framework for row in found)
    }
    heads = ["part", "times"]
    for framework in columns:
        heads += [f"{FRAMEWORKS[framework]} {name}" for name in PASSES]
    sheet = Sheet(
        f"Width {width}, {precision}: milliseconds (GFLOP/s) of one", heads
    )
    by_name = {f: times(rows) for f, rows in columns.items()}
    for part, count in dict.fromkeys((r["part"], r["count"]) for r in found):
        if part == WHOLE:
            continue
        cells = [part, str(count)]
        for rows in by_name.values():
            cells += [cell(rows.get((part, name))) for name in PASSES]
        sheet.rows.append(cells)
    sums, wholes = ["**sum of a step's parts**", ""], [f"**{WHOLE}**", ""]
    for framework, rows in columns.items():
        sums += [f"**{total(rows):,.0f}**", ""]
        wholes += [f"**{cell(by_name[framework][WHOLE, 'forward'])}**", ""]
    sheet.rows += [sums, wholes]
    return sheet


def kernels_sheet(report: dict) -> Sheet:
    """PyTorch's own profile: the kernels that took longest."""
    sheet = Sheet(
        "Kernels of one step, by torch.profiler",
        ["width", "precision", "kernel", "calls", "ms", "share"],
    )
    for row in report["kernels"]:
        sheet.rows.append(
            [
                f"{row['width']}",
                row["precision"],
                f"`{row['kernel']}`",
                f"{row['calls']}",
                f"{row['milliseconds']:,.1f}",
                f"{row['share']:.0%}",
            ]
        )
    return sheet
