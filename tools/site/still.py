"""The charts of the site, the README and docs/, by matplotlib as SVG.

The same numbers give the same file: no date, no random names. Where a point
or a bar is pointed at, a browser shows its numbers.
"""

import io
import re
from collections.abc import Iterable
from statistics import median

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from common.recipe import PRESETS, Recipe
from common.run.records import timed
from common.schedule import lr_at
from tools.site.groups import Experiment, Group
from tools.site.report import curve

COLORS = {
    "tensorflow_eager": "#d9730d",
    "pytorch": "#c0267e",
    "jax_flax": "#2563eb",
}
MARKERS = {"tensorflow_eager": "o", "pytorch": "s", "jax_flax": "^"}
DASHES = ("-", "--", ":", "-.")
INK, GRID, PAPER = "#24292f", "#d0d7de", "#ffffff"
# In a page the charts have the colors of its theme.
THEMED = {INK: "ink", GRID: "line", PAPER: "paper"}
STYLE = {
    "svg.hashsalt": "davidnet",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "legend.frameon": False,
}


def panels(titles: Iterable[str], rows: int = 1, height=4.0, **options):
    """A figure of some charts beside each other, and the charts."""
    titles = list(titles)
    columns = -(-len(titles) // rows)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            *(rows, columns),
            figsize=(10, height),
            layout="constrained",
            squeeze=False,
            **options,
        )
    charts = list(grid.flat)
    for axes in charts[len(titles) :]:
        axes.remove()
    for axes, title in zip(charts, titles, strict=False):
        axes.set_title(title, loc="left", color=INK, fontsize=11)
    return figure, charts[: len(titles)]


def tip(artist, words: str) -> None:
    """Show words where the artist is pointed at."""
    artist.set_gid(f"tip:{words}")


def close(figure, name: str, legend=None) -> str:
    """The figure's SVG; its ids begin with name, for pages with several.

    legend: the chart whose lines are named below the figure.
    """
    data = io.StringIO()
    with plt.rc_context(STYLE):
        if legend is not None:
            named = legend.get_legend_handles_labels()
            figure.legend(*named, loc="outside lower center", ncols=2)
        figure.savefig(
            data, format="svg", metadata={"Date": None}, bbox_inches="tight"
        )
    plt.close(figure)
    text = data.getvalue()
    for color, variable in THEMED.items():
        text = text.replace(color, f"var(--{variable}, {color})")
    text = re.sub(r'<g id="tip:([^"]*)">', r"<g><title>\1</title>", text)
    text = re.sub(r"\n +", "\n", text)  # a tenth of its size
    return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", text)


# --- Runs ---------------------------------------------------------------


def lines(axes, groups: list[Group], field: str, x: str, factor=1) -> None:
    """A line for each group and, of several runs, the band of their range."""
    seen: dict[str, int] = {}
    for group in groups:
        name, runs = group.framework, len(group.runs)
        variant = seen[name] = seen.get(name, -1) + 1
        data = curve(group, field, factor)
        look = {"color": COLORS[name], "marker": MARKERS[name]}
        axes.plot(
            *(data[x], data["mid"], DASHES[variant % len(DASHES)]),
            **look,
            markersize=4.5,
            label=group.label + (f" ({runs} runs)" if runs > 1 else ""),
        )
        if runs > 1:
            band = data[x], data["low"], data["high"]
            axes.fill_between(*band, color=COLORS[name], alpha=0.16, lw=0)
        for place, epoch in enumerate(data["epoch"]):
            at = data[x][place], data["mid"][place]
            dot = look | {"markersize": 4.5, "linestyle": "none"}
            (point,) = axes.plot(*([v] for v in at), **dot)
            words = f"{group.label}, epoch {epoch}: {at[1]:.4g}"
            if data["runs"][place] > 1:
                low, high = data["low"][place], data["high"][place]
                words += f" ({low:.4g} to {high:.4g})"
            tip(point, f"{words}, {data['seconds'][place]:.4g} s")


def draw_accuracy(
    experiment: Experiment, name: str, closer: bool = False
) -> str:
    """Test accuracy against epochs, and against training seconds.

    Seconds are those of runs alike in machine, precision and mode.
    closer: only the points around the accuracy that the recipe aims at.
    """
    conditions, alike = next(iter(experiment.alike.items()))
    titles = "over epochs", f"over training seconds: {conditions}"
    figure, (left, right) = panels(titles, sharey=True)
    lines(left, experiment.groups, "test_accuracy", "epoch", 100)
    lines(right, alike, "test_accuracy", "seconds", 100)
    left.set_ylabel("test accuracy, %")
    left.set_xlabel(f"epoch, preset {experiment.title}")
    right.set_xlabel("seconds, without evaluation and compilation")
    right.set_xlim(left=0)
    if goal := experiment.goal:
        for axes in (left, right):
            axes.axhline(goal, color=INK, linestyle="--", linewidth=1)
            axes.annotate(
                *(f"{goal} %", (0, goal), (4, 4)),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                color=INK,
            )
        if closer:
            left.set_ylim(goal - 24, goal + 2)
    return close(figure, name, left)


def draw_loss(experiment: Experiment, name: str) -> str:
    """Training loss and test loss against epochs."""
    titles = "training, averaged over the epoch", "test, after the epoch"
    figure, charts = panels(titles, sharey=True)
    fields = "train_loss", "test_loss"
    for axes, field in zip(charts, fields, strict=True):
        lines(axes, experiment.groups, field, "epoch")
        axes.set_xlabel(f"epoch, preset {experiment.title}")
    charts[0].set_ylabel("mean loss of an image")
    return close(figure, name, charts[0])


def draw_times(groups: list[Group], name: str, seconds: bool = True) -> str:
    """Accuracy against training seconds, images/s, seconds of compilation.

    seconds: whether the first of them is drawn.
    """
    titles = ["test accuracy, %"] * seconds + ["images/s", "compilation, s"]
    figure, charts = panels(titles, height=2.2 + 0.35 * len(groups))
    *accuracy, speed, compiling = charts
    for axes in accuracy:
        lines(axes, groups, "test_accuracy", "seconds", 100)
        axes.set_xlabel("training seconds")
        axes.set_xlim(left=0)
    images = [
        [row.images_per_second for run in timed(g.runs) for row in run.rows]
        for g in groups
    ]
    bars(speed, groups, images)
    last = [
        [run.rows[-1].compile_seconds for run in timed(g.runs)] for g in groups
    ]
    bars(compiling, groups, last)
    compiling.tick_params(labelleft=False)
    return close(figure, name)


def bars(axes, groups, values: list[list[float]]) -> None:
    """A bar of the median for each group, and a line of the range."""
    for place, (group, found) in enumerate(zip(groups, values, strict=True)):
        bar(axes, place, found, group.framework, group.label)
    axes.set_yticks(range(len(groups)), [group.label for group in groups])
    axes.set_ylim(max(len(groups), 2) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def bar(
    axes, place, values, framework: str, words: str, size=0.66, **look
) -> None:
    """One bar that lies: the median, with a line from least to most."""
    middle, low, high = median(values), min(values), max(values)
    look = {"color": COLORS[framework]} | look
    (patch,) = axes.barh(place, middle, size, **look)
    axes.plot([low, high], [place, place], color=INK, linewidth=1.2)
    spread = f" ({low:,.4g} to {high:,.4g})" if high > low else ""
    tip(patch, f"{words}: {middle:,.4g}{spread}")


# --- The learning rate --------------------------------------------------


def knots(recipe: Recipe) -> list[tuple[float, float]]:
    """The corners of the learning rate, in epochs."""
    places = [0, recipe.peak_epoch, recipe.epochs]
    return [(x, lr_at(x, recipe)) for x in dict.fromkeys(places)]


def draw_schedule(recipe: Recipe = PRESETS["dawnbench"]) -> str:
    """The learning rate with its knots."""
    points = knots(recipe)
    figure, (axes,) = panels([""], height=3.4)
    axes.plot(*zip(*points, strict=True), color="#2d7d46", lw=2)
    axes.plot(*zip(*points, strict=True), "o", color=INK, zorder=3)
    aligns = ("left", 10, 6), ("center", 0, 9), ("right", 4, 26)
    for (x, y), (side, dx, dy) in zip(points, aligns, strict=False):
        axes.annotate(
            *(f"({x:g}, {y:g})", (x, y), (dx, dy)),
            textcoords="offset points",
            ha=side,
            color=INK,
        )
    axes.set_xlabel(f"epochs, of {recipe.steps_per_epoch} updates each")
    axes.set_ylabel("learning rate, mean loss")
    axes.set_xlim(-0.4, recipe.epochs + 0.4)
    axes.set_ylim(-0.012, recipe.peak_lr * 1.15)
    return close(figure, "schedule")
