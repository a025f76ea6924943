"""Runs put together: groups that differ by seed, experiments by recipe."""

import math
from dataclasses import dataclass, replace

from common.recipe import Recipe
from common.run.records import RunRecord
from tools.site.contract import FRAMEWORKS


@dataclass
class Group:
    """Runs that differ in their seed only, or are repetitions."""

    framework: str  # folder's name
    label: str
    runs: list[RunRecord]

    @property
    def seeds(self) -> list[int]:
        """Without repetitions, sorted."""
        return sorted({run.about.seed for run in self.runs})


@dataclass
class Experiment:
    """Groups with one recipe and data set: what may be laid together."""

    key: str
    title: str
    recipe: Recipe
    groups: list[Group]

    @property
    def runs(self) -> list[RunRecord]:
        """Of all its groups."""
        return [run for group in self.groups for run in group.runs]


def experiments(found: list[RunRecord]) -> list[Experiment]:
    """The runs that have epochs, by recipe; the largest comparison first."""
    by_recipe: dict[tuple[Recipe, str], list[RunRecord]] = {}
    for run in found:
        if run.rows:
            recipe = replace(run.about.recipe, precision="float32")
            key = recipe, run.about.run.dataset
            by_recipe.setdefault(key, []).append(run)
    made = []
    for (_, data), runs in by_recipe.items():
        recipe, title = runs[0].about.recipe, runs[0].title
        title += "" if data == "cifar10" else f", {data} data"
        key = "-".join(title.replace(",", "").lower().split())
        made.append(Experiment(key, title, recipe, groups(runs)))
    work = "epochs", "train_images", "width"
    made.sort(
        key=lambda e: (
            len({group.framework for group in e.groups}),
            math.prod(getattr(e.recipe, name) for name in work),
        ),
        reverse=True,
    )
    return made


def traits(run: RunRecord) -> tuple[str, ...]:
    """What tells two groups of a framework apart."""
    about = run.about
    device = about.machine.device
    device = "CPU" if device == "cpu" else device
    return (
        about.mode,
        about.precision,
        f"{about.run.init} start",
        f"on {device}",
        # Kept apart, so that medians are those of whole trainings.
        "" if not run.problem else unfinished(run),
    )


def unfinished(run: RunRecord) -> str:
    """The word for a run that is not a whole training."""
    status = run.about.status
    return "incomplete" if status == "done" else status


def groups(runs: list[RunRecord]) -> list[Group]:
    """By framework and traits, in the order of the columns."""
    varying = [
        len({traits(run)[place] for run in runs}) > 1 for place in range(5)
    ]
    varying[0] = True  # the mode is always said
    found: dict[tuple, Group] = {}
    for framework, title in FRAMEWORKS.items():
        for run in runs:
            if run.about.framework != framework:
                continue
            all_traits = traits(run)
            named = [
                t for t, v in zip(all_traits, varying, strict=True) if v and t
            ]
            label = ", ".join([title, *named])
            group = found.setdefault(
                (framework, all_traits), Group(framework, label, [])
            )
            group.runs.append(run)
    return list(found.values())
