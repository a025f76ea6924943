"""What the page of the benchmark shows: bars, lines, tables."""

from statistics import median

from common.recipe import Recipe
from tools.bench.count import gflop_per_image
from tools.site.bench import OPTIONAL, OWN_MODE, WHOLE, Bench
from tools.site.contract import FRAMEWORKS

# What the cost is drawn against: name of the field, and of the axis.
AXES = {
    "width": "width, channels after prep",
    "batch_size": "batch size",
    "threads": "threads",
}
FORMS = {
    "width": "width {}",
    "batch_size": "batch {}",
    "threads": "{} threads",
    "precision": "{}",
}


def span(values: list[float]) -> dict:
    """Median and range."""
    return {"mid": median(values), "low": min(values), "high": max(values)}


def name_of(row: dict) -> str:
    """ "PyTorch, compiled, dropout 0.05"."""
    words = [FRAMEWORKS[row["framework"]], row["mode"]]
    if row["dropout_rate"]:
        words.append(f"dropout {row['dropout_rate']:g}")
    return ", ".join(words)


def scenes(bench: Bench) -> list[dict]:
    """Bars for each width and precision: step, epoch, Keras, the limit."""
    keys = dict.fromkeys((r["width"], r["precision"]) for r in bench.rows)
    made = []
    for width, precision in keys:
        rows = [
            row
            for row in bench.rows
            if (row["width"], row["precision"]) == (width, precision)
        ]
        limit = bench.limit(precision)
        made.append(
            {
                "key": f"width-{width}-{precision}",
                "title": f"width {width}, {precision}",
                "limit": limit and limit / gflop_per_image(Recipe(width=width)),
                "step": [bar(bench, row) for row in rows if is_step(row)],
                "pairs": list(pairs(rows)),
                "keras": list(keras(rows)),
            }
        )
    return made


def is_step(row: dict) -> bool:
    """A bare training step, on images that are there already."""
    return row["what"] == "step"


def bar(bench: Bench, row: dict, label: str | None = None) -> dict:
    """One bar, with the ratio to the limit."""
    ratio = bench.ratio(row)
    return span(row["images_per_second"]) | {
        "label": label or name_of(row),
        "framework": row["framework"],
        "strong": row["mode"] == OWN_MODE[row["framework"]]
        and not row["dropout_rate"],
        "ratio": ratio and round(100 * ratio, 1),
    }


def same(row: dict, other: dict) -> bool:
    """Whether two rows differ in `what` only."""
    names = "framework", "mode", "dropout_rate", "batch_size", "threads"
    return all(row[name] == other[name] for name in names)


def pairs(rows: list[dict]):
    """Each step with the epoch of the same kind."""
    for step in filter(is_step, rows):
        for epoch in rows:
            if epoch["what"] == "epoch" and same(step, epoch):
                fast, slow = (
                    median(row["images_per_second"]) for row in (step, epoch)
                )
                yield {
                    "label": name_of(step),
                    "framework": step["framework"],
                    "step": span(step["images_per_second"]),
                    "epoch": span(epoch["images_per_second"]),
                    "cost": round(100 * (fast / slow - 1), 1),
                }


def keras(rows: list[dict]):
    """Keras's fit on each back end, beside our own mode's step and epoch."""
    for peer in rows:
        if peer["what"] != "keras fit":
            continue
        ours = {
            row["what"]: span(row["images_per_second"])
            for row in rows
            if row["framework"] == peer["framework"]
            and row["mode"] == OWN_MODE[row["framework"]]
            and row["batch_size"] == peer["batch_size"]
            and not row["dropout_rate"]
        }
        fit = span(peer["images_per_second"])
        yield {
            "framework": peer["framework"],
            "label": FRAMEWORKS[peer["framework"]],
            "step": ours.get("step"),
            "epoch": ours.get("epoch"),
            "Keras fit": fit,
            "factor": "epoch" in ours
            and round(ours["epoch"]["mid"] / fit["mid"], 2),
        }


def scale(bench: Bench) -> dict[str, list[dict]]:
    """Milliseconds an image against width, batch and threads.

    The rows of a line differ in that field only.
    """
    rows = [r for r in bench.scale if is_step(r) and not r["dropout_rate"]]
    made = {}
    for axis in AXES:
        lines: dict[tuple, dict] = {}
        for row in rows:
            fixed = tuple(row[n] for n in FORMS if n != axis)
            key = row["framework"], row["mode"], fixed
            lines.setdefault(key, {})[row[axis]] = row
        several = {k: v for k, v in lines.items() if len(v) > 1}
        made[axis] = [
            line(key, points, axis) for key, points in several.items()
        ]
    return made


def line(key: tuple, points: dict, axis: str) -> dict:
    """One line of a chart of costs."""
    framework, mode, fixed = key
    names = [n for n in FORMS if n != axis]
    words = [
        FORMS[name].format(value)
        for name, value in zip(names, fixed, strict=True)
    ]
    at = sorted(points)
    costs = [
        span([1000 / v for v in points[x]["images_per_second"]]) for x in at
    ]
    return {
        "framework": framework,
        "label": f"{FRAMEWORKS[framework]}, {mode}",
        "fixed": ", ".join(words),
        "x": at,
        **{n: [cost[n] for cost in costs] for n in ("mid", "low", "high")},
        "speed": [median(points[x]["images_per_second"]) for x in at],
    }


def parts(bench: Bench) -> list[dict]:
    """The table of parts of each width and precision, by framework."""
    made = []
    keys = dict.fromkeys((r["width"], r["precision"]) for r in bench.parts)
    for width, precision in keys:
        rows = [
            row
            for row in bench.parts
            if (row["width"], row["precision"]) == (width, precision)
        ]
        step = {
            row["framework"]: median(row["milliseconds"])
            for row in rows
            if row["part"] == WHOLE
        }
        lines: dict[tuple, dict] = {}
        for row in rows:
            name = row["part"], row["pass"], row.get("count", 1)
            cell = part(row, step.get(row["framework"]))
            lines.setdefault(name, {})[row["framework"]] = cell
        made.append(
            {
                "title": f"width {width}, {precision}",
                "lines": lines,
                "limit": bench.limit(precision),
            }
        )
    return made


def part(row: dict, step: float | None) -> dict:
    """One cell of the table of parts.

    share: of the whole step, in percent, all occurrences of the part.
    """
    found = span(row["milliseconds"]) | {"gflops": row.get("gflops")}
    all_of_it = row.get("count", 1) * found["mid"]
    return found | {"share": step and round(100 * all_of_it / step, 1)}


def table(bench: Bench) -> list[dict]:
    """All rows with all figures."""
    return [
        {
            "row": row,
            "label": name_of(row),
            "speed": span(row["images_per_second"]),
            "ratio": bench.ratio(row),
            **{n: row.get(n) and span(row[n]) for n in OPTIONAL},
        }
        for row in bench.rows
    ]
