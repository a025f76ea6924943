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
from common.run.records import RunRecord, read_predictions
from tools.site.contract import FRAMEWORKS
from tools.site.lessons import picture

SHOWN = 40  # images that all three get wrong
SHOWN_ALONE = 12  # of each framework


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
    def missing(self) -> list[str]:
        """The frameworks that have no predictions, by title."""
        return [FRAMEWORKS[f] for f, seeds in self.found.items() if not seeds]

    @property
    def seeds(self) -> list[int]:
        """The seeds that all three have predictions of."""
        return sorted(set.intersection(*map(set, self.found.values())))


@dataclass
class Wrong:
    """Masks of the test images, (n,) bool, over the seeds that all three have.

    Right and wrong mean: in each of these runs.
    """

    rates: dict[str, np.ndarray]  # by framework: share of its runs, (n,)
    everywhere: np.ndarray  # wrong in all three
    alone: dict[str, np.ndarray]  # wrong in one, right in the two others


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
        if run.problem or about.run.dataset != "cifar10":
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
    order = sorted(
        made.values(), key=lambda one: -sum(map(len, one.found.values()))
    )
    return order, damaged


# --- Churn --------------------------------------------------------------


def churn(first: np.ndarray, second: np.ndarray) -> float:
    """The percentage of images on which two predictions differ."""
    return 100 * float(np.mean(first != second))


def pairs(one: Trainings) -> dict[tuple[str, str], dict[str, list[float]]]:
    """The churn of all pairs, by their frameworks and kind of seeds.

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
            row[kind].append(churn(left[a], right[b]))
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


def wrong(one: Trainings, labels: np.ndarray) -> Wrong:
    """What the three get wrong; all three need a common seed.

    labels: (n,) or more, of the test images in order.
    """
    rates = {}
    for framework, seeds in one.found.items():
        some = np.stack([seeds[seed] for seed in one.seeds])
        rates[framework] = (some != labels[: some.shape[1]]).mean(axis=0)
    sums = sum(rates.values())
    return Wrong(
        rates=rates,
        everywhere=sums == len(rates),
        alone={f: (r == 1) & (sums == 1) for f, r in rates.items()},
    )


def by_class(found: Wrong, labels: np.ndarray) -> list[list]:
    """A row for each class, and one for all: counts of the test images.

    Class, images, the mean number that each framework's runs get wrong, those
    that all three get wrong, those that one alone does.
    """
    labels = labels[: len(found.everywhere)]
    masks = {name: labels == k for k, name in enumerate(CLASS_NAMES)}
    masks["all"] = np.ones(len(labels), bool)
    return [
        [
            *(name, mask.sum()),
            *(rate[mask].sum() for rate in found.rates.values()),
            found.everywhere[mask].sum(),
            *(alone[mask].sum() for alone in found.alone.values()),
        ]
        for name, mask in masks.items()
    ]


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
        taken = int(votes.argmax())
        rows.append((-int(votes[taken]), int(place), taken))
    return [
        {
            "place": place,
            "label": CLASS_NAMES[int(test.labels[place])],
            "taken": CLASS_NAMES[taken],
            "votes": -votes,
            "runs": len(runs),
            "picture": picture(test.images[place]),
        }
        for votes, place, taken in sorted(rows)[:most]
    ]


def compare(one: Trainings, test: Split | None) -> dict:
    """What the page shows of some trainings.

    test: the labels and images of the test set; None if they are not here.
    """
    rows = pairs(one)
    words = {
        "one": one,
        "key": "-".join(one.title.replace(",", "").lower().split()),
        "total": sum(map(len, one.found.values())),
        "rows": rows,
        "summary": summary(rows),
    }
    if one.seeds and test:
        found = wrong(one, test.labels)
        words |= {
            "classes": by_class(found, test.labels),
            "everywhere": shown(
                one, found.everywhere, test, SHOWN, *found.alone
            ),
            "alone": {
                framework: shown(one, mask, test, SHOWN_ALONE, framework)
                for framework, mask in found.alone.items()
            },
        }
    return words
