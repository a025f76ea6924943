"""Which folder a run owns, and who may write to it."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock

from common.checkpoint import read_step
from common.errors import DiskError, RecordError, UsageError, UserError
from common.files import TEMPORARY, disk_errors
from common.recipe import Recipe, Run
from common.run.about import ABOUT
from common.run.records import RunRecord, read_run

RUNS = Path("runs")
CHECKPOINT = "checkpoint.safetensors"
LOCK = "run.lock"


@dataclass(frozen=True)
class Taken:
    """A folder that this process may write to, until the lock is released."""

    path: Path
    lock: filelock.BaseFileLock
    before: RunRecord | None = None  # the run that is resumed


def now() -> str:
    """The time in UTC, for names and records."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def take_folder(
    framework: str, recipe: Recipe, run: Run, say: Callable[[str], None]
) -> Taken:
    """The folder for a run: --out, the run to resume, or a new one.

    say: takes a line on each choice that a person may not have expected.

    Raises UsageError if there is nothing to resume, or the folder holds
    something else; RecordError or CheckpointError if what it holds is
    damaged; DiskError if another process has it or it cannot be made.
    """
    if not run.resume:
        return _take_new(framework, run, say)
    if run.out:
        return _take_again(Path(run.out), framework, recipe, run)
    return _take_last(framework, recipe, run, say)


# --- A new run ----------------------------------------------------------


def _take_new(framework: str, run: Run, say: Callable[[str], None]) -> Taken:
    """--out, if nothing is lost there; without it, a folder of a new name."""
    if run.out:
        path = Path(run.out)
        _refuse_content(path)
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
    else:
        path = _make_folder(RUNS / framework, f"{run.preset}-seed{run.seed}-")
    lock = _lock(path)
    try:
        # Again, now that nobody else can change it.
        _refuse_content(path)
        if (path / ABOUT).exists():
            say(f"taking over {path}: its run ended before its first epoch")
        _remove_temporary(path)
    except BaseException:
        lock.release()
        raise
    return Taken(path, lock)


def _make_folder(home: Path, start: str) -> Path:
    """A new folder: who makes it has it, and others take the next name."""
    base = start + now()
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        path, number = home / base, 1
        while True:
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1
                path = home / f"{base}-{number}"


def _refuse_content(path: Path) -> None:
    """Raise UsageError if a new run in this folder would destroy something.

    What a start that died early leaves is nothing: a lock, temporary files,
    and a run without an epoch.
    """
    with disk_errors(path, doing="read"):
        if not path.is_dir():
            return
        left = {p.name for p in path.iterdir() if not _is_ours(p.name)}
    if ABOUT not in left:
        if left:
            raise UsageError(
                f"--out {path}: not empty (it holds {min(left)!r}); name a "
                "new or an empty folder"
            )
        return
    try:
        run = read_run(path)
    except RecordError as error:
        raise UsageError(
            f"--out {path}: holds a run that cannot be read ({error}); name "
            "a new folder"
        ) from error
    if run.rows or run.about.evaluation or CHECKPOINT in left:
        raise UsageError(
            f"--out {path}: holds another run; name a new folder, or go on "
            "with it by --resume"
        )


def _is_ours(name: str) -> bool:
    """Whether a file is a lock, or a temporary file of a process."""
    return name == LOCK or re.fullmatch(TEMPORARY, name) is not None


def _remove_temporary(path: Path) -> None:
    """Remove the temporary files of processes that died. Hold the lock!"""
    with disk_errors(path, doing="remove temporary files from"):
        for file in path.iterdir():
            if re.fullmatch(TEMPORARY, file.name):
                file.unlink()


def _lock(path: Path) -> filelock.BaseFileLock:
    """The lock of a folder. Raises DiskError if another process has it."""
    # A soft lock, a file, would outlive a process that is killed.
    lock = filelock.FileLock(path / LOCK, fallback_to_soft=False)
    with disk_errors(path, doing="lock"):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise DiskError(
                f"{path}: another process is writing this run; wait for "
                "it or name another folder with --out"
            ) from error
    return lock


# --- A run that is resumed ----------------------------------------------


def _take_again(path: Path, framework: str, recipe: Recipe, run: Run) -> Taken:
    """A folder with an unfinished run of this training."""
    if not (path / ABOUT).exists():
        raise UsageError(f"--resume: {path} holds no run")
    lock = _lock(path)
    try:
        before = read_run(path)
        _check_same_training(before, framework, recipe, run)
        _remove_temporary(path)
        if os.path.lexists(path / CHECKPOINT):
            read_step(path / CHECKPOINT)  # raises if it is damaged
    except BaseException:
        lock.release()
        raise
    return Taken(path, lock, before)


def _take_last(
    framework: str, recipe: Recipe, run: Run, say: Callable[[str], None]
) -> Taken:
    """The newest unfinished run of this training that has a checkpoint.

    If none has one, the newest of them. Those that cannot be resumed are
    passed over, each with a line, but for those that are done.
    """
    home, start = RUNS / framework, f"{run.preset}-seed{run.seed}-"
    paths = [p.parent for p in home.glob(f"{start}*/{ABOUT}")]
    for with_checkpoint in (True, False):
        for path in sorted(paths, key=_last_change, reverse=True):
            if with_checkpoint != (path / CHECKPOINT).exists():
                continue
            try:
                return _take_again(path, framework, recipe, run)
            except Done:
                continue
            except UserError as error:
                reason = str(error).removeprefix("--resume: ")
                say(f"not resumed: {reason}")
    raise UsageError(
        f"--resume: no unfinished run {start}... of this training in {home}; "
        "name one by --out"
    )


def _last_change(path: Path) -> tuple[float, str]:
    """When a run's record was last written; then its name."""
    with suppress(OSError):
        return (path / ABOUT).stat().st_mtime, path.name
    return 0.0, path.name


class Done(UsageError):
    """A run that is finished: nothing of it can be resumed."""


def _check_same_training(
    before: RunRecord, framework: str, recipe: Recipe, run: Run
) -> None:
    """Raise UsageError unless a run is this training, and unfinished."""
    about, folder = before.about, before.folder
    if about.status == "done":
        raise Done(f"--resume: the run in {folder} is done")
    if about.framework != framework:
        raise UsageError(
            f"--resume: {folder} is a run of {about.framework}; another "
            f"framework takes it up with --load {folder} and a new --out"
        )
    ours = asdict(recipe) | {"seed": run.seed, "dataset": run.dataset}
    theirs = asdict(about.recipe)
    theirs |= {"seed": about.seed, "dataset": about.run.dataset}
    # Both belong to the start: without these flags, they are the run's.
    for name, unsaid in (("init", "native"), ("load", None)):
        if getattr(run, name) != unsaid:
            ours[name] = getattr(run, name)
            theirs[name] = getattr(about.run, name)
    for name, value in ours.items():
        if theirs[name] != value:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume: the run in {folder} has {flag} "
                f"{theirs[name]}, this command {value}"
            )
