"""The pictures of README.md and docs/, from what is published in results/."""

import json
from pathlib import Path
from statistics import median

from common.environments import TITLES
from common.recipe import Recipe
from common.run.records import find_runs
from parity_tests.judge.page import as_svg
from tools.bench.count import gflop_per_image
from tools.bench.report import best_limit, find, share_of_limit
from tools.site import still
from tools.site.contract import BuildError
from tools.site.groups import experiments
from tools.site.still import COLORS, INK, MARKERS, bar, close, panels, tip

# What a cost is drawn against: name of the field, and of the axis.
SCALE = {
    "width": "width, channels after prep",
    "batch_size": "batch size",
    "threads": "threads",
}


def draw_all(results: Path, folder: Path) -> list[Path]:
    """Draw what can be drawn of the published records; the files."""
    made = experiments(find_runs(results)[0])
    if not made:
        raise BuildError(f"{results}: no record with a finished epoch to draw")
    drawn = {
        "accuracy": still.draw_accuracy(made[0], "accuracy"),
        "loss": still.draw_loss(made[0], "loss"),
    }
    for experiment in made:
        if experiment.goal:
            text = still.draw_accuracy(experiment, "dawnbench", closer=True)
            drawn["dawnbench"] = text
    ladder = results / "parity.json"
    if ladder.exists():
        drawn["margins"] = as_svg(json.loads(ladder.read_text()))
    for name, picture, draw in (
        ("bench", "speed", draw_speed),
        ("scale", "scale", draw_scale),
    ):
        if (report := results / f"{name}.json").exists():
            drawn[picture] = draw(json.loads(report.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in drawn.items():
        (folder / f"{name}.svg").write_text(text, encoding="utf-8")
    return [folder / f"{name}.svg" for name in drawn]


def draw_speed(report: dict) -> str:
    """Steps, epochs and Keras's fit, a chart for each width and precision."""
    rows = report["rows"]
    cases = dict.fromkeys((row["width"], row["precision"]) for row in rows)
    titles = [f"width {w}, {precision}: images/s" for w, precision in cases]
    figure, charts = panels(titles, rows=-(-len(cases) // 2), height=9)
    for axes, (width, precision) in zip(charts, cases, strict=True):
        steps = [
            row
            for row in rows
            if (row["what"], row["width"]) == ("step", width)
            and row["precision"] == precision
            and not row["dropout_rate"]
        ]
        best = best_limit(report["limits"], precision, "convolution")
        limit = median(best["gflops"]) / gflop_per_image(Recipe(width=width))
        axes.axvline(limit, color=INK, linestyle="--", linewidth=1)
        axes.annotate(
            *(f"limit {limit:,.0f}", (limit, 1), (-3, 3)),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
        names = [f"{TITLES[r['framework']]}, {r['mode']}" for r in steps]
        for place, (row, name) in enumerate(zip(steps, names, strict=True)):
            share = share_of_limit(row, report["limits"])
            kinds = {
                "step": (row, {"alpha": 0.95}),
                "epoch": (find(rows, row, what="epoch"), {"alpha": 0.55}),
                "Keras fit": (
                    find(rows, row, what="keras fit", mode="fit"),
                    {"color": "#8c959f"},
                ),
            }
            for number, (kind, (found, look)) in enumerate(kinds.items()):
                if found is None:
                    continue
                words = f"{name}, {kind}"
                words += f", {share:.0%} of limit" if kind == "step" else ""
                bar(
                    *(axes, place + 0.27 * (number - 1)),
                    *(found["images_per_second"], row["framework"], words),
                    size=0.25,
                    **look,
                )
        axes.set_yticks(range(len(steps)), names)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    figure.supxlabel(
        "Of three bars: step, epoch (pale), Keras's fit (gray)", fontsize=11
    )
    return close(figure, "speed")


def draw_scale(report: dict) -> str:
    """Milliseconds for an image against width, batch and threads."""
    rows = [row for row in report["scale"] if row["what"] == "step"]
    base = {"width": 16, "batch_size": 512}
    base["threads"] = max(row["threads"] for row in rows)
    figure, charts = panels(SCALE.values(), sharey=True)
    for axes, field in zip(charts, SCALE, strict=True):
        fixed = {n: value for n, value in base.items() if n != field}
        for framework, title in TITLES.items():
            points = sorted(
                (row[field], 1000 / median(row["images_per_second"]))
                for row in rows
                if row["framework"] == framework
                and all(row[n] == value for n, value in fixed.items())
            )
            look = {"color": COLORS[framework], "marker": MARKERS[framework]}
            axes.plot(*zip(*points, strict=True), **look, label=title)
            for x, y in points:
                (point,) = axes.plot([x], [y], **look)
                tip(point, f"{title}, {field} {x}: {y:.3g} ms an image")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(field.replace("_", " "))
    charts[0].set_ylabel("milliseconds for an image")
    return close(figure, "scale", charts[0])
