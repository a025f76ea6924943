"""Pictures for the README and the page, drawn by matplotlib as SVG.

The same numbers give the same file: no date, no random names.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from common.recipe import PRESETS, Recipe
from common.run.records import find_runs
from common.schedule import lr_at
from tools.draw_network import draw
from tools.site.contract import BuildError
from tools.site.groups import Experiment, experiments
from tools.site.report import curve

COLORS = {
    "tensorflow_eager": "#d9730d",
    "pytorch": "#c0267e",
    "jax_flax": "#2563eb",
}
MARKERS = {"tensorflow_eager": "o", "pytorch": "s", "jax_flax": "^"}
DASHES = ("-", "--", ":", "-.")
GOAL = 94  # percent of the test images; DAWNBench took the time to it
INK, GRID = "#24292f", "#d0d7de"
STYLE = {
    "svg.hashsalt": "davidnet",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "figure.facecolor": "white",
    "legend.frameon": False,
}


def save(figure, path: Path) -> Path:
    """Write a figure as SVG, the same bytes each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return path


def draw_all(results: Path, folder: Path) -> list[Path]:
    """The README's pictures, from what is published; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    network = folder / "network.svg"
    network.write_text(draw(Recipe()), encoding="utf-8")
    made = experiments(find_runs(results)[0])
    if not made:
        raise BuildError(f"{results}: no record with a finished epoch to draw")
    drawn = [
        network,
        draw_accuracy(made[0], folder / "accuracy.svg"),
        draw_loss(made[0], folder / "loss.svg"),
    ]
    for experiment in made:
        if experiment.title == "dawnbench":
            path = folder / "dawnbench.svg"
            drawn.append(draw_accuracy(experiment, path, GOAL))
    return drawn


def lines(axes, experiment: Experiment, field: str, x: str, factor=1) -> None:
    """A line for each group and, of several runs, the band of their range."""
    seen: dict[str, int] = {}
    for group in experiment.groups:
        name, runs = group.framework, len(group.runs)
        variant = seen[name] = seen.get(name, -1) + 1
        data = curve(group, field, factor)
        axes.plot(
            data[x],
            data["mid"],
            DASHES[variant % len(DASHES)],
            color=COLORS[name],
            marker=MARKERS[name],
            markersize=4.5,
            label=group.label + (f" ({runs} runs)" if runs > 1 else ""),
        )
        if runs > 1:
            band = data[x], data["low"], data["high"]
            axes.fill_between(*band, color=COLORS[name], alpha=0.16, lw=0)


def two(titles: tuple[str, str], label: str):
    """A figure of two charts with one scale, its legend below."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 4), sharey=True, layout="constrained"
    )
    for axes, title in zip((left, right), titles, strict=True):
        axes.set_title(title, loc="left", color=INK, fontsize=11)
    left.set_ylabel(label)
    return figure, left, right


def close(figure, axes, path: Path) -> Path:
    """The legend, and the file."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return save(figure, path)


def draw_accuracy(
    experiment: Experiment, path: Path, goal: int | None = None
) -> Path:
    """Test accuracy against epochs, and against training seconds.

    goal: in percent, a line; only the points around it are shown.
    """
    with plt.rc_context(STYLE):
        titles = "over epochs", "over training seconds"
        figure, left, right = two(titles, "test accuracy, %")
        lines(left, experiment, "test_accuracy", "epoch", 100)
        lines(right, experiment, "test_accuracy", "seconds", 100)
        left.set_xlabel(f"epoch, preset {experiment.title}")
        right.set_xlabel("seconds, without evaluation and compilation")
        right.set_xlim(left=0)
        if goal is not None:
            left.set_ylim(goal - 24, goal + 2)
            mark_goal((left, right), goal)
        return close(figure, left, path)


def mark_goal(charts: tuple, goal: int) -> None:
    """A dashed line with its name, in each of the charts."""
    for axes in charts:
        axes.axhline(goal, color=INK, linestyle="--", linewidth=1)
        axes.annotate(
            f"{goal} %",
            (0, goal),
            (4, 4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=INK,
        )


def draw_loss(experiment: Experiment, path: Path) -> Path:
    """Training loss and test loss against epochs."""
    with plt.rc_context(STYLE):
        titles = "training, averaged over the epoch", "test, after the epoch"
        figure, left, right = two(titles, "mean loss of an image")
        lines(left, experiment, "train_loss", "epoch")
        lines(right, experiment, "test_loss", "epoch")
        for axes in (left, right):
            axes.set_xlabel(f"epoch, preset {experiment.title}")
        return close(figure, left, path)


def knots(recipe: Recipe) -> list[tuple[float, float]]:
    """The corners of the learning rate, in epochs."""
    places = [0, recipe.peak_epoch, recipe.epochs]
    return [(x, lr_at(x, recipe)) for x in dict.fromkeys(places)]


def draw_schedule(path: Path, recipe: Recipe = PRESETS["dawnbench"]) -> Path:
    """The learning rate with its knots."""
    points = knots(recipe)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8, 3.4))
        axes.plot(*zip(*points, strict=True), color="#2d7d46", lw=2)
        axes.plot(*zip(*points, strict=True), "o", color=INK, zorder=3)
        aligns = ("left", 10, 6), ("center", 0, 9), ("right", 4, 26)
        for (x, y), (side, dx, dy) in zip(points, aligns, strict=False):
            axes.annotate(
                f"({x:g}, {y:g})",
                (x, y),
                (dx, dy),
                textcoords="offset points",
                ha=side,
                color=INK,
            )
        axes.set_xlabel(f"epochs, of {recipe.steps_per_epoch} updates each")
        axes.set_ylabel("learning rate, mean loss")
        axes.set_xlim(-0.4, recipe.epochs + 0.4)
        axes.set_ylim(-0.012, recipe.peak_lr * 1.15)
        return save(figure, path)
