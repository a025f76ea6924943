"""Reading run records: typed and checked, or refused with a reason.

    read_run(folder)     one record; raises RecordError
    find_runs(*roots)    all records below some folders, and what is wrong
                         with those that cannot be read

What a record holds is declared in `about.py`.
"""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from common.errors import RecordError
from common.files import one_line
from common.recipe import FORMER_PRESETS, PRESETS, Recipe
from common.run.about import ABOUT, METRICS, PREDICTIONS, About, Epoch
from common.typed import Malformed, decode, read_limited

# Of a file, in bytes; the largest of real ones are 4 kB and 350 an epoch.
LARGEST = {ABOUT: 2**20, METRICS: 2**24, PREDICTIONS: 2**20}
DEEPEST = 4  # folders between runs/ and a record
ALONE = 0.05  # of the processors; more, and other programs slow a run down


@dataclass(frozen=True)
class RunRecord:
    """A record that was read: all its fields are of the declared types."""

    folder: Path
    about: About
    rows: list[Epoch]  # epochs in order, of a loaded run not from 1

    @property
    def name(self) -> str:
        """The last two parts of its path: pytorch/small-seed0-..."""
        return short_name(self.folder)

    @property
    def started(self) -> datetime:
        """When, in UTC."""
        moment = datetime.strptime(self.about.started, "%Y%m%dT%H%M%SZ")
        return moment.replace(tzinfo=UTC)

    @property
    def title(self) -> str:
        """The preset and what was changed of it: "small, epochs 2"."""
        return recipe_title(self.about.preset, self.about.recipe)

    @property
    def problem(self) -> str:
        """Why this is not a whole training; "" if it is."""
        about, rows = self.about, self.rows
        epochs = about.recipe.epochs
        if about.status != "done":
            reason = ""
            if about.status == "failed":
                reason = f": {one_line(about.reason)}"
            done = f"{len(rows)} of {epochs} epochs"
            return f"{about.status} after {done}{reason}"
        if about.evaluation and not rows:
            return "an evaluation of a finished training, no epochs"
        if not rows:
            return "done, but no epoch is recorded"
        if rows[-1].epoch != epochs:
            return f"done, but {rows[-1].epoch} of {epochs} epochs recorded"
        return ""


@dataclass(frozen=True)
class Problem:
    """A folder whose record cannot be read, and why."""

    folder: Path
    reason: str

    @property
    def name(self) -> str:
        """The last two parts of its path."""
        return short_name(self.folder)


def short_name(folder: Path) -> str:
    """The last two parts of a path, as text that can be written."""
    last = os.fsencode("/".join(folder.parts[-2:]))
    return last.decode("utf-8", "replace")


def changed_fields(preset: str, recipe: Recipe) -> dict[str, object]:
    """The fields of a recipe that are not its preset's, but the precision.

    The precision has its own place beside the recipe wherever it is shown.
    """
    if preset not in PRESETS:  # of an earlier version
        return {}
    usual = asdict(PRESETS[preset])
    return {
        name: value
        for name, value in asdict(recipe).items()
        if name != "precision" and value != usual[name]
    }


def recipe_title(preset: str, recipe: Recipe) -> str:
    """The preset and what was changed of it: "small, epochs 2"."""
    changed = changed_fields(preset, recipe).items()
    words = [f"{name.replace('_', ' ')} {value}" for name, value in changed]
    return ", ".join([preset, *words])


def read_run(folder: Path) -> RunRecord:
    """The record in a folder, checked.

    Raises RecordError if there is none, or it is damaged.
    """
    about = read_about(folder)
    return RunRecord(folder, about, read_rows(folder, about.recipe))


def read_about(folder: Path) -> About:
    """The run.json of a folder. Raises RecordError."""
    content = _content(folder / ABOUT)
    try:
        about = decode(content, About)
    except Malformed as error:
        raise RecordError(f"{folder / ABOUT}: {error}") from error
    preset = FORMER_PRESETS.get(about.preset, about.preset)
    return replace(about, preset=preset)


def read_rows(folder: Path, recipe: Recipe) -> list[Epoch]:
    """The metrics.jsonl of a folder, a row per epoch; [] if there is none.

    Raises RecordError, also if the epochs are not those of the recipe.
    """
    path = folder / METRICS
    if not os.path.lexists(path):
        return []
    rows = []
    for number, line in enumerate(_content(path).splitlines(), 1):
        try:
            row = decode(line, Epoch)
            if row.epoch > recipe.epochs:
                raise Malformed(f"epoch {row.epoch} of {recipe.epochs}")
            if row.step != row.epoch * recipe.steps_per_epoch:
                raise Malformed(
                    f"step {row.step} after epoch {row.epoch} of "
                    f"{recipe.steps_per_epoch} steps each"
                )
        except Malformed as error:
            raise RecordError(f"{path}, line {number}: {error}") from error
        rows.append(row)
    for before, after in pairwise(rows):
        if after.epoch <= before.epoch:
            raise RecordError(
                f"{path}: epoch {after.epoch} after epoch {before.epoch}"
            )
    return rows


def read_predictions(run: RunRecord) -> np.ndarray | None:
    """The class of each test image at the end of a run, (n,) uint8.

    None if it kept none: it has not ended, is of an earlier version, or was
    of several processes. Raises RecordError if they are damaged.
    """
    path = run.folder / PREDICTIONS
    try:
        content = read_limited(path, LARGEST[PREDICTIONS])
        found = np.load(io.BytesIO(content), allow_pickle=False)
    except FileNotFoundError:
        return None
    # NumPy raises many kinds of errors on bytes of others.
    except Exception as error:
        raise RecordError(f"{path}: damaged ({one_line(error)})") from error
    wanted = (run.about.recipe.test_images,)
    if found.shape != wanted or found.dtype != np.uint8 or found.max() > 9:
        raise RecordError(f"{path}: not a class, 0 to 9, for each test image")
    return found


def find_runs(*roots: Path) -> tuple[list[RunRecord], list[Problem]]:
    """The records below these folders, and those that cannot be read.

    Of a record in two places, as a published one is, the first counts.
    """
    runs: dict[tuple[str, str], RunRecord] = {}
    problems: dict[str, Problem] = {}
    for root in roots:
        for folder in _record_folders(root):
            name = short_name(folder)
            try:
                run = read_run(folder)
                runs.setdefault((name, run.about.started), run)
            except RecordError as error:
                # The table that shows the reason shows the folder, too.
                reason = str(error).removeprefix(f"{folder}")
                problem = Problem(folder, reason.lstrip("/: "))
                problems.setdefault(name, problem)
    return list(runs.values()), list(problems.values())


def _record_folders(root: Path) -> Iterator[Path]:
    """The folders below a root that have a record, or should have one.

    Links are followed; what lies deeper than records do is not searched.
    """
    lost: list[Path] = []

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            lost.append(Path(error.filename))

    for place, folders, files in os.walk(root, True, unreadable, True):
        folder = Path(place)
        folders.sort()
        depth = len(folder.relative_to(root).parts)
        if ABOUT in files or depth == DEEPEST:
            folders.clear()  # what is in it belongs to this record
        # An empty folder in the root is a framework's, without a run yet.
        least = 1 if files else 2
        if ABOUT in files or (not folders and depth >= least):
            yield folder
    yield from lost


def _content(path: Path) -> bytes:
    """The bytes of one of a record's files. Raises RecordError."""
    folder = path.parent
    try:
        return read_limited(path, LARGEST[path.name])
    except Malformed as error:
        raise RecordError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        reason = f"no {path.name}, so nothing is known about it"
        with suppress(OSError):  # it may be unreadable, or gone by now
            if not folder.is_dir():
                reason = "there is no such folder"
            elif not any(folder.iterdir()):
                reason = "empty: the folder holds nothing"
        raise RecordError(f"{folder}: {reason}") from error
    except OSError as error:
        raise RecordError(f"{path}: {one_line(error.strerror)}") from error


def timed(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Those whose times count, beside which no other program ran; else all."""
    runs = list(runs)
    return [r for r in runs if was_alone(r.rows) is not False] or runs


def was_alone(epochs: Sequence[Epoch]) -> bool | None:
    """Whether no other program slowed a training down; None: not known."""
    loads = [epoch.other_load for epoch in epochs]
    known = [load for load in loads if load is not None]
    if any(load >= ALONE for load in known):
        return False
    return True if len(known) == len(loads) else None
