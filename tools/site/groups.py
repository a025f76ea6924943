"""Runs put together: groups that differ by seed, experiments by recipe."""

import json
import math
from dataclasses import asdict, dataclass

from common.recipe import PRESETS
from tools.site.contract import FRAMEWORKS
from tools.site.records import Found


@dataclass
class Group:
    """Runs that differ in their seed only, or are repetitions."""

    framework: str  # folder's name
    label: str
    runs: list[Found]

    @property
    def seeds(self) -> list[int]:
        """Without repetitions, sorted."""
        return sorted({run.about["seed"] for run in self.runs})


@dataclass
class Experiment:
    """Groups with one recipe and data set: what may be laid together."""

    key: str
    title: str
    recipe: dict
    groups: list[Group]

    @property
    def runs(self) -> list[Found]:
        """Of all its groups."""
        return [run for group in self.groups for run in group.runs]


def experiments(found: list[Found]) -> list[Experiment]:
    """The runs that have epochs, by recipe; the largest comparison first."""
    by_recipe: dict[tuple[str, str], list[Found]] = {}
    for run in found:
        if run.rows:
            recipe = {**run.about["recipe"], "precision": ""}
            key = json.dumps(recipe, sort_keys=True)
            data = run.about["run"].get("dataset", "cifar10")
            by_recipe.setdefault((key, data), []).append(run)
    made = []
    for (_, data), runs in by_recipe.items():
        recipe = runs[0].about["recipe"]
        title = recipe_title(runs[0].about["preset"], recipe)
        title += "" if data == "cifar10" else f", {data} data"
        key = "-".join(title.replace(",", "").lower().split())
        made.append(Experiment(key, title, recipe, groups(runs)))
    work = "epochs", "train_images", "width"
    made.sort(
        key=lambda e: (
            len({group.framework for group in e.groups}),
            math.prod(e.recipe[name] for name in work),
        ),
        reverse=True,
    )
    return made


def recipe_title(preset: str, recipe: dict) -> str:
    """The preset and the fields that were changed: "small, epochs 2"."""
    words = [preset]
    if preset in PRESETS:
        usual = json.loads(json.dumps(asdict(PRESETS[preset])))
        words += [
            f"{name.replace('_', ' ')} {value}"
            for name, value in recipe.items()
            if name != "precision" and usual.get(name) != value
        ]
    return ", ".join(words)


def traits(run: Found) -> tuple[str, ...]:
    """What tells two groups of a framework apart."""
    about = run.about
    device = about["machine"].get("device", "?")
    device = "CPU" if device == "cpu" else device
    start = about["run"].get("init", "native")
    return (
        about["mode"],
        about["precision"],
        f"{start} start",
        f"on {device}",
        # Kept apart, so that medians are those of whole trainings.
        "" if not run.problem else unfinished(about),
    )


def unfinished(about: dict) -> str:
    """The word for a run that is not a whole training."""
    return "incomplete" if about["status"] == "done" else about["status"]


def groups(runs: list[Found]) -> list[Group]:
    """By framework and traits, in the order of the columns."""
    varying = [
        len({traits(run)[place] for run in runs}) > 1 for place in range(5)
    ]
    varying[0] = True  # the mode is always said
    found: dict[tuple, Group] = {}
    for framework, title in FRAMEWORKS.items():
        for run in runs:
            if run.about["framework"] != framework:
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
