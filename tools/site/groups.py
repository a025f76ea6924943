"""Runs put together: groups that differ by seed, experiments by recipe."""

import math
import re
from dataclasses import dataclass, replace

from common import environments
from common.recipe import Recipe
from common.run.compare import comparable
from common.run.records import RunRecord
from tools.site.contract import FRAMEWORKS

GOAL = 94  # percent of the test images; DAWNBench took the time to it


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

    @property
    def goal(self) -> int | None:
        """The test accuracy that the recipe aims at, in percent."""
        return GOAL if self.title == "dawnbench" else None

    @property
    def alike(self) -> dict[str, list[Group]]:
        """Groups whose times can be compared, by their common conditions.

        Those of most frameworks first; labels tell apart within each.
        """
        found: dict[str, list[RunRecord]] = {}
        for run in self.runs:
            found.setdefault(conditions(run), []).append(run)

        def size(runs: list[RunRecord]) -> tuple[int, int]:
            return len({run.about.framework for run in runs}), len(runs)

        order = sorted(found, key=lambda words: size(found[words]))
        return {words: groups(found[words]) for words in reversed(order)}


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
    return (
        about.mode,
        about.precision,
        f"{about.run.init} start",
        processor(run),
        # Kept apart, so that medians are those of whole trainings.
        "" if comparable(run) else unfinished(run),
    )


def conditions(run: RunRecord) -> str:
    """Machine, precision and mode: times are compared where these agree.

    Modes agree where each framework has its usual one: on a CPU its own
    default; on a GPU all compile, and so does tools/gpu_check.
    """
    about = run.about
    cpu = about.machine.device == "cpu"
    usual = environments.FRAMEWORKS[about.framework].mode if cpu else "compiled"
    words = [processor(run), about.precision]
    words += [] if about.mode == usual else [about.mode]
    return ", ".join(words)


def processor(run: RunRecord) -> str:
    """What a run was trained on, in short: "AMD EPYC, 2 cores"."""
    found = run.about.machine
    name = found.device
    if name == "cpu":
        name = re.sub(r"\((R|TM)\)| Processor", "", found.processor) or "CPU"
        many = "s" * (found.cores > 1)
        name += f", {found.cores} core{many}" * (found.cores > 0)
    name += f", {found.devices} devices" * (found.devices > 1)
    return name + f", {found.processes} processes" * (found.processes > 1)


def unfinished(run: RunRecord) -> str:
    """The word for a run that is not one whole training."""
    status = run.about.status
    if status != "done":
        return status
    return "incomplete" if run.problem else "resumed elsewhere, or loaded"


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
