"""The record of a run: one folder that says what was done and what came out.

    run.json                 recipe, versions, machine, data, status
    metrics.jsonl            one line per epoch
    dawnbench.tsv            epoch, hours, accuracy, as DAWNBench took them
    tensorboard/             event files, with --tensorboard
    checkpoint.safetensors   the state after the last epoch
    run.lock                 held while a process owns the folder

Every file is replaced as a whole, so that a reader never sees half of one.
"""

import json
import math
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import filelock

from common.allocator import tune_allocator
from common.errors import (
    CheckpointError,
    DiskError,
    LossNotFinite,
    UsageError,
)
from common.files import disk_errors, write_atomic
from common.progress import Batch, Display
from common.recipe import Recipe, Run
from common.schedule import step_lr

FORMAT = "davidnet-run-1"
RUNS = Path("runs")
# What two runs must share for one to go on where the other stopped.
SAME_TRAINING = ("seed", "dataset")


def now() -> str:
    """The time in UTC, for names and records."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


class Record:
    """One run's folder, clocks and display; used as a context manager.

    facts: what only the framework can tell: "device", "libraries" (names
    of installed distributions), "threads".

    Entering it takes and locks the folder (UsageError, DiskError); leaving
    it writes how the run ended.
    """

    def __init__(self, framework: str, recipe: Recipe, run: Run, facts: dict):
        self.framework, self.recipe, self.run = framework, recipe, run
        self.facts = facts
        self.display = Display()
        self.rows: list[dict] = []
        self.train_seconds = 0.0
        self.compile_seconds = 0.0
        self.epoch_seconds = 0.0
        self.about: dict = {}

    # --- folder ---------------------------------------------------------

    def __enter__(self) -> "Record":
        run = self.run
        if run.out:
            self.folder = Path(run.out)
        elif run.resume:
            self.folder = self._last_unfinished()
        else:
            self.folder = self._new_folder()
        self._claim()
        self.about = {
            "format": FORMAT,
            "framework": self.framework,
            "preset": run.preset,
            "seed": run.seed,
            "mode": run.mode,
            "precision": self.recipe.precision,
            "recipe": asdict(self.recipe),
            "run": asdict(run),
            "status": "running",
            "reason": None,
            "started": now(),
            "machine": self._machine(),
            "versions": {
                name: version(name) for name in self.facts.pop("libraries")
            },
            "git_commit": _git_commit(),
            "data": None,
        }
        self._write_about()
        return self

    @property
    def checkpoint(self) -> Path:
        """Where this run keeps its last checkpoint."""
        return self.folder / "checkpoint.safetensors"

    @property
    def start(self) -> Path | None:
        """The checkpoint to start from, or None for a fresh start."""
        if self.run.resume and self.checkpoint.exists():
            return self.checkpoint
        return Path(self.run.load) if self.run.load else None

    def _folders(self) -> str:
        return f"{self.run.preset}-seed{self.run.seed}-"

    def _new_folder(self) -> Path:
        base = RUNS / self.framework / (self._folders() + now())
        folder, count = base, 1
        while folder.exists():
            count += 1
            folder = base.with_name(f"{base.name}-{count}")
        return folder

    def _last_unfinished(self) -> Path:
        pattern = self._folders() + "*/run.json"
        found = sorted((RUNS / self.framework).glob(pattern), reverse=True)
        for path in found:
            if read_about(path.parent)["status"] != "done":
                return path.parent
        raise UsageError(
            f"--resume: no unfinished run of preset {self.run.preset} with "
            f"seed {self.run.seed} in {RUNS / self.framework}; "
            "name one with --out"
        )

    def _claim(self) -> None:
        """Lock the folder; make it, or take up what lies in it."""
        folder = self.folder
        there = (folder / "run.json").exists()
        if self.run.resume and not there:
            raise UsageError(f"--resume: {folder} holds no run")
        if not there and folder.exists() and any(folder.iterdir()):
            raise UsageError(
                f"--out {folder}: not empty; name a new or an empty folder"
            )
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.lock = filelock.FileLock(folder / "run.lock")
            try:
                self.lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise DiskError(
                    f"{folder}: another process is writing this run; "
                    "wait for it or name another folder with --out"
                ) from error
        try:
            if there and not self.run.resume:
                raise UsageError(
                    f"--out {folder}: holds another run; name a new folder, "
                    "or go on with it by --resume"
                )
            if there:
                self._take_up()
        except BaseException:
            self.lock.release()
            raise

    def _take_up(self) -> None:
        """Check that the run in the folder is this training; read it."""
        about = read_about(self.folder)
        if about["status"] == "done":
            raise UsageError(f"--resume: the run in {self.folder} is done")
        if about["framework"] != self.framework:
            raise UsageError(
                f"--resume: {self.folder} is a run of {about['framework']}; "
                "another framework takes it up with --load "
                f"{self.checkpoint} and a new --out"
            )
        ours = asdict(self.recipe)
        ours |= {name: getattr(self.run, name) for name in SAME_TRAINING}
        theirs = about["recipe"]
        theirs |= {name: about["run"][name] for name in SAME_TRAINING}
        for name, value in json.loads(json.dumps(ours)).items():
            if theirs.get(name) != value:
                flag = "--" + name.replace("_", "-")
                raise UsageError(
                    f"--resume: the run in {self.folder} has {flag} "
                    f"{theirs.get(name)}, this command {value}"
                )
        self.rows = read_metrics(self.folder)

    def _machine(self) -> dict:
        return {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "allocator": tune_allocator(),
            **{k: v for k, v in self.facts.items() if k != "libraries"},
        }

    def _write_about(self, **changed) -> None:
        self.about |= changed
        text = json.dumps(self.about, indent=2) + "\n"
        write_atomic(self.folder / "run.json", text.encode())

    def data_loaded(self, source: str, sums: Mapping[str, str]) -> None:
        """Note where the data came from, and the sums of its arrays."""
        self._write_about(data={"source": source, "sha256": dict(sums)})

    # --- epochs ---------------------------------------------------------

    def epochs(self, step: int) -> range:
        """The epochs still to be trained, from 0, after `step` updates.

        Forgets the metrics of epochs after the checkpoint: a run may have
        been stopped between the two. Raises CheckpointError if `step` is
        not at the end of an epoch of this recipe.
        """
        done, rest = divmod(step, self.steps)
        if rest or done > self.recipe.epochs:
            raise CheckpointError(
                f"{self.start}: it has {step} updates; this recipe can go on "
                f"after whole epochs of {self.steps}, up to "
                f"{self.recipe.total_steps}"
            )
        self.rows = [row for row in self.rows if row["epoch"] <= done]
        if self.rows:
            self.train_seconds = self.rows[-1]["train_seconds"]
            self.compile_seconds += self.rows[-1]["compile_seconds"]
        return range(done, self.recipe.epochs)

    def progress(self, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
        """The same batches, counted by a bar on a terminal."""
        return self.display.epoch(
            batches,
            f"epoch {epoch + 1}/{self.recipe.epochs}",
            self.recipe.train_images,
            self.rows[-1] if self.rows else None,
        )

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Time what is compilation and not training."""
        start = time.perf_counter()
        yield
        self.compile_seconds += time.perf_counter() - start

    @contextmanager
    def training(self) -> Iterator[None]:
        """Time an epoch of training. The block must end synchronised."""
        start = time.perf_counter()
        yield
        self.epoch_seconds = time.perf_counter() - start
        self.train_seconds += self.epoch_seconds

    def end_epoch(
        self, epoch: int, train: Mapping[str, float], test: Mapping[str, float]
    ) -> None:
        """Write and show the metrics of an epoch, counted from 0.

        train, test: the sums "loss" and "correct" over all images. Raises
        LossNotFinite, with nothing written, if a loss is NaN or infinite.
        """
        recipe, last_step = self.recipe, (epoch + 1) * self.steps - 1
        for name, sums in (("training", train), ("test", test)):
            if not math.isfinite(sums["loss"]):
                raise LossNotFinite(
                    f"the {name} loss is {sums['loss']} in epoch {epoch + 1}; "
                    f"{self._kept()}; a lower --peak-lr may help"
                )
        row = {
            "epoch": epoch + 1,
            "step": last_step + 1,
            # of the last update, for the mean loss
            "lr": step_lr(last_step, recipe) * recipe.batch_size,
            "train_loss": train["loss"] / recipe.train_images,
            "train_accuracy": train["correct"] / recipe.train_images,
            "test_loss": test["loss"] / recipe.test_images,
            "test_accuracy": test["correct"] / recipe.test_images,
            "train_seconds": self.train_seconds,
            "compile_seconds": self.compile_seconds,
            "images_per_second": recipe.train_images / self.epoch_seconds,
        }
        self.rows.append(row)
        self._write_metrics()
        if self.run.tensorboard:
            self._write_events(row)
        self.display.epoch_line(row, recipe.epochs)

    @property
    def steps(self) -> int:
        """Updates per epoch."""
        return self.recipe.steps_per_epoch

    def _kept(self) -> str:
        if not self.checkpoint.exists():
            return "no epoch was finished, so no checkpoint is kept"
        return f"the last good checkpoint is {self.checkpoint}"

    def _write_metrics(self) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        write_atomic(self.folder / "metrics.jsonl", lines.encode())
        tsv = "epoch\thours\ttop1Accuracy\n"
        for row in self.rows:
            hours = row["train_seconds"] / 3600
            accuracy = 100 * row["test_accuracy"]
            tsv += f"{row['epoch']}\t{hours:.8f}\t{accuracy:.2f}\n"
        write_atomic(self.folder / "dawnbench.tsv", tsv.encode())

    def evaluated(self, test: Mapping[str, float]) -> None:
        """Write and show the accuracy of a training that was complete."""
        images = self.recipe.test_images
        found = {name: value / images for name, value in test.items()}
        self._write_about(evaluation=found)
        self.display.say(
            f"{self.framework}: test accuracy {found['correct']:.2%}, "
            f"test loss {found['loss']:.4f}, of {self.start}"
        )

    def _write_events(self, row: dict) -> None:
        """One epoch's metrics as TensorBoard's scalars, by step."""
        # Here: who does not ask for it need not wait for protobuf.
        from tensorboardX import SummaryWriter

        folder = self.folder / "tensorboard"
        writer = SummaryWriter(
            str(folder),
            # What a run wrote past the checkpoint that it was resumed from
            # is to be forgotten.
            purge_step=row["step"],
            # Names go by the second, and epochs can be quicker.
            filename_suffix=f".{row['step']}",
        )
        with disk_errors(folder), writer:
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    writer.add_scalar(name, value, row["step"])

    # --- end ------------------------------------------------------------

    def __exit__(self, kind, error, traceback) -> None:
        # A second Ctrl-C must not stop the writing of how the first ended.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if kind is None:
                self._write_about(status="done", finished=now())
                self._show_end()
            elif issubclass(kind, KeyboardInterrupt):
                self._write_about(
                    status="interrupted",
                    reason=f"stopped after {len(self.rows)} epochs",
                    finished=now(),
                )
                self.display.say(
                    f"interrupted after {len(self.rows)} whole epochs; go on "
                    f"with --resume --out {self.folder}"
                )
            else:
                reason = f"{kind.__name__}: {error}"
                self._write_about(
                    status="failed", reason=reason, finished=now()
                )
        except DiskError:
            # On a full disk the first error is the one to be told.
            if kind is None:
                raise
        finally:
            self.lock.release()
            signal.signal(signal.SIGINT, handler)

    def _show_end(self) -> None:
        if self.rows:
            self.display.epoch_table(self.rows)
            last = self.rows[-1]
            self.display.say(
                f"{self.framework}: test accuracy {last['test_accuracy']:.2%} "
                f"after {last['epoch']} epochs, "
                f"{last['train_seconds']:.1f} s of training, "
                f"{last['compile_seconds']:.1f} s of compilation"
            )
        self.display.say(f"record: {self.folder}")


def read_about(folder: Path) -> dict:
    """The content of a folder's run.json. Raises DiskError."""
    path = folder / "run.json"
    try:
        about = json.loads(path.read_text())
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']!r}")
        return about
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DiskError(
            f"{path}: not a readable run record ({error})"
        ) from error


def read_metrics(folder: Path) -> list[dict]:
    """The rows of a folder's metrics.jsonl, one per epoch; [] if none."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise DiskError(f"{path}: not readable ({error})") from error


def _processor() -> str:
    """The processor's name, as Linux gives it."""
    with disk_errors("/proc/cpuinfo", doing="read"):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _git_commit() -> str | None:
    """The commit of the source, with "+" where it was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *words],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return commit + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
