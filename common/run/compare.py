"""The comparison of the frameworks: a table of the runs in runs/.

Runs are compared like with like: one recipe (its precision is a part of
it), one data set, one kind of initial weights, one machine. Printed at the
end of each training, and for all recipes by

    python -m common.run.compare [FOLDER ...]
"""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from common.environments import TITLES
from common.files import user_path
from common.run.folder import RUNS
from common.run.records import RunRecord, find_runs, timed
from common.run.terminal import align, columns, say, tolerant_output

SITE = "`nox -s site` draws these runs, beside the source of the three"


def comparable(run: RunRecord) -> bool:
    """Whether a run is one whole training, from its first epoch on."""
    return not why_not(run)


def why_not(run: RunRecord) -> str:
    """Why a run is not to be compared; "" if it is."""
    first, *later = [start.ran_on for start in run.about.all_starts]
    if run.problem:
        return run.problem
    if run.about.run.load is not None:
        return "it started by --load"
    if run.rows[0].epoch != 1:
        return "its first epochs are not recorded"
    if any(other != first for other in later):
        return "it was resumed by other source, libraries, mode or machine"
    return ""


def likeness(run: RunRecord) -> str:
    """Equal for two runs that are to be compared."""
    about, machine = run.about, run.about.machine
    return json.dumps(
        [
            asdict(about.recipe),
            [about.run.dataset, about.run.init],
            [machine.device, machine.processor, machine.cores],
            [machine.processes, machine.devices],
        ]
    )


def title(run: RunRecord) -> str:
    """What the runs of a table have in common."""
    about = run.about
    parts = [run.title, about.precision]
    if about.run.dataset != "cifar10":
        parts.append(f"{about.run.dataset} data")
    if about.run.init != "native":
        parts.append(f"{about.run.init} initial weights")
    if about.machine.processes > 1:
        parts.append(f"{about.machine.processes} processes")
    if about.machine.devices > 1:
        parts.append(f"{about.machine.devices} devices")
    return f"{', '.join(parts)}; {about.machine.name}"


def numbers(values: Iterable[int]) -> str:
    """Integers in few letters: "0 to 4, 7"."""
    spans: list[list[int]] = []
    for value in sorted(values):
        if spans and value == spans[-1][1] + 1:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    return ", ".join(
        " to ".join(map(str, sorted({first, last}))) for first, last in spans
    )


def column(runs: list[RunRecord]) -> dict[str, str]:
    """The cells of one framework in one mode: medians over its seeds.

    runs: one for each seed.
    """
    about = runs[0].about
    images = about.recipe.train_images * about.recipe.epochs

    def median(form: str, of) -> str:
        return form.format(statistics.median(map(of, runs)))

    seconds = [run.rows[-1].train_seconds for run in timed(runs)]
    rates = [images / (took or 1e-9) for took in seconds]
    cells = {
        "": TITLES[about.framework],
        "test accuracy": median("{:.2%}", lambda r: r.rows[-1].test_accuracy),
    }
    if len(runs) > 1:
        found = [run.rows[-1].test_accuracy for run in runs]
        cells["  lowest"] = f"{min(found):.2%}"
        cells["  highest"] = f"{max(found):.2%}"
    cells |= {
        "test loss": median("{:.4f}", lambda r: r.rows[-1].test_loss),
        "train loss": median("{:.4f}", lambda r: r.rows[-1].train_loss),
        "seconds": f"{statistics.median(seconds):,.1f}",
        "images/s": f"{statistics.median(rates):,.0f}",
        "mode": about.mode,
        "seed": numbers(run.about.seed for run in runs),
    }
    return cells


def table(runs: list[RunRecord], width: int | None) -> list[str]:
    """The lines of one table. runs: all alike; of a seed the newest counts."""
    newest = {}
    for run in sorted(runs, key=lambda r: r.started):
        about = run.about
        newest[about.framework, about.mode, about.seed] = run
    of_column = defaultdict(list)
    for (framework, mode, _), run in sorted(newest.items(), key=_order):
        of_column[framework, mode].append(run)
    cells = [column(found) for found in of_column.values()]
    longest = max(cells, key=len)
    head = title(runs[0]) + (" (medians)" if "  lowest" in longest else "")
    rows = [[name, *(c.get(name, "") for c in cells)] for name in longest]
    return [head, *align(rows, width)]


def _order(item: tuple) -> tuple:
    (framework, mode, seed), _ = item
    return list(TITLES).index(framework), mode, seed


def groups(found: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """The runs that are alike, those that were trained last at the end."""
    alike = defaultdict(list)
    for run in sorted(found, key=lambda r: r.started, reverse=True):
        if comparable(run):
            alike[likeness(run)].append(run)
    return list(reversed(alike.values()))


def print_alike(folder: Path) -> None:
    """Print the table of the runs in runs/ that are like the one in `folder`.

    Nothing, if that one is no whole training.
    """
    found, _ = find_runs(folder, RUNS)
    runs = [run for run in found if comparable(run)]
    ours = [likeness(run) for run in runs if run.folder == folder]
    if not ours:
        return
    alike = [run for run in runs if likeness(run) == ours[0]]
    _print(table(alike, columns(sys.stdout)))
    print()
    missing = TITLES.keys() - {run.about.framework for run in alike}
    if missing:
        names = " and ".join(TITLES[name] for name in TITLES if name in missing)
        say(f"not trained like this yet: {names}")
    else:
        say(SITE)


def print_all(*roots: Path) -> int:
    """Print a table for each recipe, the newest last; the number of tables.

    What could not be compared is named below, with the reason.
    """
    found, problems = find_runs(*roots)
    made = groups(found)
    for runs in made:
        _print(table(runs, columns(sys.stdout)))
    print()
    reasons = [(problem.name, problem.reason) for problem in problems]
    for run in found:
        if not comparable(run):
            reasons.append((run.name, why_not(run)))
    if reasons:
        say("not compared:")
    for name, reason in sorted(reasons):
        say(f"  {name}: {reason}")
    if made:
        say(SITE)
    return len(made)


def _print(lines: Iterable[str]) -> None:
    print()
    head, *rest = lines
    say(head)
    for line in rest:
        print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the runs below the folders in argv, by default runs/."""
    parser = argparse.ArgumentParser(
        prog="python -m common.run.compare", description=__doc__
    )
    words = "folders with records (default: runs)"
    parser.add_argument("folders", type=user_path, nargs="*", help=words)
    with tolerant_output():
        folders = parser.parse_args(argv).folders or [RUNS]
        if print_all(*folders):
            return 0
        places = ", ".join(map(str, folders))
        say(
            f"error: no finished training in {places}; "
            "`nox -s train-tf train-torch train-jax` makes three",
            sys.stderr,
        )
        return 65


if __name__ == "__main__":
    sys.exit(main())
