"""Pictures for the README and the page, drawn by matplotlib as SVG.

The same numbers give the same file: no date, no random names.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from common.recipe import PRESETS, Recipe
from common.schedule import lr_at
from tools.site.groups import Experiment
from tools.site.report import curve

COLOURS = {
    "tensorflow_eager": "#d9730d",
    "pytorch": "#c0267e",
    "jax_flax": "#2563eb",
}
MARKERS = {"tensorflow_eager": "o", "pytorch": "s", "jax_flax": "^"}
DASHES = ("-", "--", ":", "-.")
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


def draw_accuracy(experiment: Experiment, path: Path) -> Path:
    """Test accuracy against training seconds."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8, 4.2))
        seen: dict[str, int] = {}
        for group in experiment.groups:
            name = group.framework
            variant = seen[name] = seen.get(name, -1) + 1
            data = curve(group, "test_accuracy", 100)
            runs = len(group.runs)
            label = group.label + (f" ({runs} runs)" if runs > 1 else "")
            axes.plot(
                data["seconds"],
                data["mid"],
                DASHES[variant % len(DASHES)],
                color=COLOURS[name],
                marker=MARKERS[name],
                markersize=5,
                label=label,
            )
            if runs > 1:
                band = data["seconds"], data["low"], data["high"]
                axes.fill_between(*band, color=COLOURS[name], alpha=0.16, lw=0)
        axes.set_xlabel("training seconds, without evaluation and compilation")
        axes.set_ylabel("test accuracy, %")
        axes.set_xlim(left=0)
        axes.set_title(experiment.title, loc="left", color=INK)
        axes.legend(loc="lower right")
        return save(figure, path)


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
