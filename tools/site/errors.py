"""Where the three err: churn between runs, and the images taken wrongly.

Churn is the share of the test images on which two runs predict another class.
All of it comes from the predictions that a run keeps in its record.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations, product
from statistics import median

import numpy as np

from common.cifar10.classes import CLASS_NAMES
from common.cifar10.load import Split
from common.errors import RecordError
from common.run.compare import comparable
from common.run.records import RunRecord, read_predictions
from tools.site.contract import FRAMEWORKS
from tools.site.lessons import picture

SHOWN = 40  # images that all three get wrong
SHOWN_ALONE = 12  # of each framework
ALL = "all three"


@dataclass
class Trainings:
    """Whole trainings of one recipe, precision and kind of initial weights."""

    title: str
    # By framework and seed: the class of each test image, (n,) uint8.
    found: dict[str, dict[int, np.ndarray]] = field(
        default_factory=lambda: {framework: {} for framework in FRAMEWORKS}
    )
    without: int = 0  # trainings whose record has no predictions

    @property
    def runs(self) -> int:
        """How many have predictions."""
        return sum(map(len, self.found.values()))

    @property
    def missing(self) -> list[str]:
        """The frameworks that have no predictions, by title."""
        return [FRAMEWORKS[f] for f, seeds in self.found.items() if not seeds]

    @property
    def seeds(self) -> list[int]:
        """The seeds that all three have predictions of."""
        return sorted(set.intersection(*map(set, self.found.values())))


def collect(
    runs: Iterable[RunRecord],
) -> tuple[list[Trainings], list[tuple[str, str]]]:
    """The whole trainings on CIFAR-10, and the records that are damaged.

    Of a seed that was trained twice the first record counts. A damaged record
    is its name and the reason. Those of most predictions come first.
    """
    made: dict[tuple, Trainings] = {}
    damaged = []
    for run in runs:
        about = run.about
        # A synthetic test set is another one for each seed.
        if not comparable(run) or about.run.dataset != "cifar10":
            continue
        words = [run.title, about.precision]
        words += ["shared start"] if about.run.init == "shared" else []
        key = (about.recipe, about.run.init)
        one = made.setdefault(key, Trainings(", ".join(words)))
        try:
            predictions = read_predictions(run)
        except RecordError as error:
            reason = str(error).removeprefix(f"{run.folder}").lstrip("/: ")
            damaged.append((run.name, reason))
            continue
        if predictions is None:
            one.without += 1
        else:
            one.found[about.framework].setdefault(about.seed, predictions)
    return sorted(made.values(), key=lambda one: -one.runs), damaged


# --- Churn --------------------------------------------------------------


def pairs(one: Trainings) -> dict[tuple[str, str], dict[str, list[float]]]:
    """The churn of all pairs, percent, by frameworks and kind of seeds.

    The kinds are "same" and "other"; of one framework there is "other" only.
    """
    rows = {}
    alone = [(framework, framework) for framework in FRAMEWORKS]
    for two in [*alone, *combinations(FRAMEWORKS, 2)]:
        row: dict[str, list[float]] = {"same": [], "other": []}
        left, right = (one.found[framework] for framework in two)
        for a, b in product(left, right):
            if two[0] == two[1] and a >= b:
                continue
            kind = "same" if a == b else "other"
            row[kind].append(100 * float(np.mean(left[a] != right[b])))
        rows[two] = row
    return rows


def summary(rows: dict[tuple[str, str], dict[str, list[float]]]) -> str:
    """The median between seeds beside that between frameworks; "" of none."""
    seeds = [x for (a, b), r in rows.items() if a == b for x in r["other"]]
    both = [x for (a, b), r in rows.items() if a != b for x in r["other"]]
    if not seeds or not both:
        return ""
    return (
        f"Two seeds of one framework differ on {median(seeds):.2f} % of the "
        f"images, two seeds of two frameworks on {median(both):.2f} %: "
        f"medians of {len(seeds)} and {len(both)} pairs."
    )


# --- Errors -------------------------------------------------------------


def columns(one: Trainings, labels: np.ndarray) -> dict[str, np.ndarray]:
    """By column of the table, how much each test image counts in it, (n,).

    Counted are the seeds that all three have. An image is wrong in a framework
    by the share of its runs, float; the others are masks, and in them wrong
    and right mean: in each of these runs. labels: (n,) or more, uint8.
    """
    rates = {}
    for framework, seeds in one.found.items():
        some = np.stack([seeds[seed] for seed in one.seeds])
        wrong = some != labels[: some.shape[1]]
        rates[FRAMEWORKS[framework]] = wrong.mean(axis=0)
    sums = np.sum(list(rates.values()), axis=0)
    return (
        {f"wrong, {title}": rate for title, rate in rates.items()}
        | {ALL: sums == len(rates)}
        | {f"only {t}": (r == 1) & (sums == 1) for t, r in rates.items()}
    )


def by_class(
    found: dict[str, np.ndarray], labels: np.ndarray
) -> dict[str, list[str]]:
    """By class, and for all: the number of images, and of each column."""
    labels = labels[: len(found[ALL])]
    masks = {name: labels == k for k, name in enumerate(CLASS_NAMES)}
    return {
        name: [
            f"{mask.sum():,}",
            *(
                f"{column[mask].sum():,{'' if column.dtype == bool else '.1f'}}"
                for column in found.values()
            ),
        ]
        for name, mask in (masks | {"all": labels < len(masks)}).items()
    }


def shown(
    one: Trainings, mask: np.ndarray, test: Split, most: int, *who: str
) -> list[dict]:
    """The first images of a mask, with the class that most runs take them for.

    who: the frameworks whose runs are asked. The images on which most of
    these runs agree come first.
    """
    runs = np.stack([one.found[f][seed] for f in who for seed in one.seeds])
    rows = []
    for place in np.flatnonzero(mask):
        votes = np.bincount(runs[:, place], minlength=len(CLASS_NAMES))
        rows.append((-int(votes.max()), int(place), int(votes.argmax())))
    return [
        {
            "place": place,
            "label": CLASS_NAMES[int(test.labels[place])],
            "taken": CLASS_NAMES[taken],
            "votes": f"{-votes} of {len(runs)} run{'s'[: len(runs) > 1]}",
            "picture": picture(test.images[place]),
        }
        for votes, place, taken in sorted(rows)[:most]
    ]


def galleries(
    one: Trainings, found: dict[str, np.ndarray], test: Split
) -> dict[str, tuple[int, list[dict]]]:
    """By column of masks: how many images, and some of them."""
    made = {ALL: shown(one, found[ALL], test, SHOWN, *FRAMEWORKS)}
    for framework, title in FRAMEWORKS.items():
        mask = found[f"only {title}"]
        made[f"only {title}"] = shown(one, mask, test, SHOWN_ALONE, framework)
    return {name: (int(found[name].sum()), made[name]) for name in made}


def compare(one: Trainings, test: Split | None) -> dict:
    """What the page shows of some trainings.

    test: the labels and images of the test set; None if they are not here.
    """
    rows = pairs(one)
    words = {"one": one, "rows": rows, "summary": summary(rows)}
    if one.seeds and test:
        found = columns(one, test.labels)
        words |= {
            "columns": list(found),
            "classes": by_class(found, test.labels),
            "galleries": galleries(one, found, test),
        }
    return words
