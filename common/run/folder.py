"""Which folder a run owns, and who may write to it."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import filelock

from common.errors import DiskError, UsageError
from common.files import disk_errors
from common.recipe import Recipe, Run
from common.run.records import read_about

RUNS = Path("runs")


def now() -> str:
    """The time in UTC, for names and records."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def choose_folder(framework: str, run: Run) -> Path:
    """--out, or the last unfinished run with --resume, or a new folder.

    Raises UsageError if there is no run to resume.
    """
    if run.out:
        return Path(run.out)
    name = f"{run.preset}-seed{run.seed}-"
    if run.resume:
        return _last_unfinished(RUNS / framework, name)
    base = RUNS / framework / (name + now())
    folder, count = base, 1
    while folder.exists():
        count += 1
        folder = base.with_name(f"{base.name}-{count}")
    return folder


def _last_unfinished(home: Path, name: str) -> Path:
    for path in sorted(home.glob(name + "*/run.json"), reverse=True):
        if read_about(path.parent).status != "done":
            return path.parent
    raise UsageError(
        f"--resume: no unfinished run {name}... in {home}; name one by --out"
    )


def claim(
    folder: Path, framework: str, recipe: Recipe, run: Run
) -> filelock.BaseFileLock:
    """Make the folder, or check what lies in it; the lock that is now held.

    Raises UsageError if the folder holds something else than what `run`
    asks for, DiskError if another process has it or it cannot be made.
    """
    there = (folder / "run.json").exists()
    if run.resume and not there:
        raise UsageError(f"--resume: {folder} holds no run")
    if not there and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"--out {folder}: not empty; name a new or an empty folder"
        )
    lock = _lock(folder)
    try:
        if there and not run.resume:
            raise UsageError(
                f"--out {folder}: holds another run; name a new folder, or "
                "go on with it by --resume"
            )
        if there:
            _check_same_training(folder, framework, recipe, run)
    except BaseException:
        lock.release()
        raise
    return lock


def _lock(folder: Path) -> filelock.BaseFileLock:
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / "run.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise DiskError(
                f"{folder}: another process is writing this run; wait for "
                "it or name another folder with --out"
            ) from error
    return lock


def _check_same_training(
    folder: Path, framework: str, recipe: Recipe, run: Run
) -> None:
    """Raise UsageError unless the run in the folder is this training."""
    about = read_about(folder)
    if about.status == "done":
        raise UsageError(f"--resume: the run in {folder} is done")
    if about.framework != framework:
        raise UsageError(
            f"--resume: {folder} is a run of {about.framework}; another "
            f"framework takes it up with --load {folder}/"
            "checkpoint.safetensors and a new --out"
        )
    ours = asdict(recipe) | {"seed": run.seed, "dataset": run.dataset}
    theirs = asdict(about.recipe)
    theirs |= {"seed": about.seed, "dataset": about.run.dataset}
    for name, value in ours.items():
        if theirs[name] != value:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume: the run in {folder} has {flag} "
                f"{theirs[name]}, this command {value}"
            )
