"""The record of a run: one folder that says what was done and what came out.

    run.json                 recipe, versions, machine, data, status
    metrics.jsonl            one line per epoch
    dawnbench.tsv            epoch, hours, accuracy, as DAWNBench took them
    tensorboard/             event files, with --tensorboard
    checkpoint.safetensors   the state after the last epoch
    predictions.npy          the class of each test image, at the end
    run.lock                 held while a process owns the folder

Every file is replaced as a whole, so that a reader never sees half of one.
"""

import io
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec import structs

from common import checkpoint
from common.checkpoint import Checkpoint
from common.cifar10.load import Cifar10, load_data
from common.environments import TITLES
from common.errors import CheckpointError, DiskError, LossNotFinite
from common.files import write_atomic
from common.recipe import Recipe, Run
from common.run.about import ABOUT, LONGEST_REASON, PREDICTIONS
from common.run.compare import print_alike
from common.run.events import Events
from common.run.folder import CHECKPOINT, now, take_folder
from common.run.machine import other_seconds
from common.run.metrics import epoch_row, write_metrics
from common.run.progress import Batch, Display
from common.run.records import RunRecord
from common.run.signals import behind, holding_signals, raise_swallowed
from common.run.start import describe_start, describe_starts, describe_training
from common.run.together import spread_start
from common.world import ALONE, World


class Record:
    """One run's folder, clocks and display; used as a context manager.

    facts: what only the framework can tell: its describe_device().

    Entering it takes and locks the folder (UsageError, DiskError); leaving
    it writes how the run ended.
    """

    def __init__(
        self,
        framework: str,
        recipe: Recipe,
        run: Run,
        facts: dict,
        world: World = ALONE,
    ):
        self.framework, self.recipe, self.run = framework, recipe, run
        self.world = world
        self.facts = facts | {
            "processes": world.size,
            "devices": world.size * world.devices,
            "backend": world.backend,
        }
        self.display = Display()
        self.rows: list[dict] = []
        self.train_seconds = 0.0
        self.compile_seconds = 0.0
        self.epoch_seconds = 0.0
        self.other_load: float | None = None
        self.about: dict = {}
        self.events: Events | None = None  # from the first epoch on

    # --- folder ---------------------------------------------------------

    def __enter__(self) -> "Record":
        taken = take_folder(
            self.framework, self.recipe, self.run, self.display.say
        )
        self.folder, self.lock = taken.path, taken.lock
        try:
            self._begin(taken.before)
            return self
        except BaseException:
            # No `with` block was entered that would end in __exit__.
            self.__exit__(*sys.exc_info())
            raise

    def _begin(self, before: RunRecord | None) -> None:
        """Write run.json anew; of a run that is resumed, keep its start."""
        if before is not None:
            self.rows = [structs.asdict(row) for row in before.rows]
            given = before.about.run
            self.run = replace(self.run, init=given.init, load=given.load)
        done = 0
        if self.start is not None:
            # One that is damaged is told by `initial`, and then recorded.
            with suppress(CheckpointError):
                step = checkpoint.read_step(self.start)
                done = step // self.recipe.steps_per_epoch
        if before is not None:
            self.display.say(
                f"resuming {self.folder} after epoch {done} of "
                f"{self.recipe.epochs}"
            )
        start = describe_start(self.framework, self.run.mode, self.facts, done)
        self._write_about(
            framework=self.framework,
            **describe_training(self.recipe, self.run),
            **describe_starts(start, before),
        )

    @property
    def checkpoint(self) -> Path:
        """Where this run keeps its last checkpoint."""
        return self.folder / CHECKPOINT

    @property
    def start(self) -> Path | None:
        """The checkpoint to start from, or None for a fresh start."""
        if self.run.resume and self.checkpoint.exists():
            return self.checkpoint
        return Path(self.run.load) if self.run.load else None

    def initial(self) -> Checkpoint | None:
        """What the training starts from; None: the framework's own weights.

        The checkpoint of a run that is resumed, that of --load, or the
        shared initial weights. Raises CheckpointError.
        """
        return spread_start(self._initial(), self.recipe, self.world)

    def _initial(self) -> Checkpoint | None:
        if self.start is not None:
            found = checkpoint.read(self.start, self.recipe)
            changed = checkpoint.differences(found.recipe, self.recipe)
            for name, (theirs, ours) in changed.items():
                self.display.say(
                    f"{self.start} was trained with {name} {theirs}; "
                    f"this run goes on with {ours}"
                )
            return found
        if self.run.init == "shared":
            arrays = checkpoint.shared_start(self.recipe, self.run.seed)
            return Checkpoint(arrays, 0, self.recipe, "shared")
        return None

    def _write_about(self, **changed) -> None:
        if not (self.about or "framework" in changed):
            return  # the run has not begun: what lies there is not of it
        self.about |= changed
        text = json.dumps(self.about, indent=2, ensure_ascii=False) + "\n"
        # "replace": a path may have bytes that are no text.
        write_atomic(self.folder / ABOUT, text.encode(errors="replace"))

    def load_data(self) -> Cifar10:
        """The data of this run; notes their source and checksums."""
        data = load_data(self.recipe, self.run, self.display.say)
        self.data_loaded(data.source, data.sha256)
        return data

    def data_loaded(self, source: str, sums: Mapping[str, str]) -> None:
        """Note where the data came from, and the checksums of its arrays."""
        self._write_about(data={"source": source, "sha256": dict(sums)})

    # --- epochs ---------------------------------------------------------

    def epochs(self, step: int) -> range:
        """The epochs still to be trained, from 0, after `step` updates.

        Forgets the metrics of epochs after the checkpoint: a run may have
        been stopped between the two. Raises CheckpointError if `step` is
        not at the end of an epoch of this recipe.
        """
        todo = epochs_after(step, self.recipe, self.start)
        self.rows = [row for row in self.rows if row["epoch"] <= todo.start]
        if self.rows:
            self.train_seconds = self.rows[-1]["train_seconds"]
            self.compile_seconds += self.rows[-1]["compile_seconds"]
        return todo

    def progress(self, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
        """The same batches, counted by a bar on a terminal."""
        shown = self.display.epoch(
            batches,
            f"epoch {epoch + 1}/{self.recipe.epochs}",
            self.recipe.train_images,
            self.recipe.batch_size,
            self.rows[-1] if self.rows else None,
        )
        for batch in shown:
            raise_swallowed()
            yield batch

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        """Time the warm-up, which compiles what is to be compiled."""
        self.display.say(
            "warm-up: each step runs once"
            + (" and is compiled" if self.run.mode == "compiled" else "")
        )
        start = time.perf_counter()
        yield
        self.compile_seconds += time.perf_counter() - start
        self.world.settle()

    @contextmanager
    def training(self) -> Iterator[None]:
        """Time an epoch of training. The block must end synchronized."""
        before, start = other_seconds(), time.perf_counter()
        yield
        self.epoch_seconds = time.perf_counter() - start
        # What the other processes of this training take is not told apart.
        before = before if self.world.alone else None
        if before is not None and (after := other_seconds()) is not None:
            cores = os.cpu_count() or 1
            load = (after - before) / (self.epoch_seconds * cores)
            self.other_load = min(1.0, max(0.0, load))
        self.train_seconds += self.epoch_seconds

    def end_epoch(
        self, epoch: int, train: Mapping[str, float], test: Mapping[str, float]
    ) -> None:
        """Write and show the metrics of an epoch, counted from 0.

        train, test: the sums "loss" and "correct" over all images. Raises
        LossNotFinite, with nothing written, if a loss is NaN or infinite.
        """
        raise_swallowed()
        check_finite(epoch, train, test, self._kept())
        seconds = {
            "train": self.train_seconds,
            "compile": self.compile_seconds,
            "epoch": self.epoch_seconds,
        }
        row = epoch_row(epoch, self.recipe, train, test, seconds)
        if self.other_load is not None:
            row["other_load"] = self.other_load
        self.rows.append(row)
        write_metrics(self.folder, self.rows)
        if self.run.tensorboard:
            self._write_events(row)
        self.display.epoch_row(row, self.recipe.epochs, self.epoch_seconds)

    def _kept(self) -> str:
        if not self.checkpoint.exists():
            return "no epoch was finished, so no checkpoint is kept"
        return f"the last good checkpoint is {self.checkpoint}"

    def evaluated(self, test: Mapping[str, float]) -> None:
        """Write and show the accuracy of a training that was complete."""
        if self.rows:
            return  # the record of that training has it
        check_finite(self.recipe.epochs - 1, None, test, f"of {self.start}")
        images = self.recipe.test_images
        found = {name: value / images for name, value in test.items()}
        self._write_about(evaluation=found)
        self.display.say(
            f"{TITLES[self.framework]}: test accuracy {found['correct']:.2%}, "
            f"test loss {found['loss']:.4f}, of {self.start}"
        )

    def predicted(self, probabilities: np.ndarray) -> None:
        """Keep the likeliest class of each test image, in predictions.npy.

        probabilities: (n, 10) float, of the images in order. The file has
        (n,) uint8. Raises DiskError.
        """
        content = io.BytesIO()
        np.save(content, probabilities.argmax(axis=1).astype(np.uint8))
        write_atomic(self.folder / PREDICTIONS, content.getvalue())

    def _write_events(self, row: dict) -> None:
        """One epoch's metrics as TensorBoard's scalars, by step."""
        if self.events is None:
            self.events = Events(self.folder / "tensorboard", row["step"])
        scalars = {
            name: value
            for name, value in row.items()
            if name not in ("epoch", "step", "other_load")
        }
        self.events.add(row["step"], scalars)

    # --- end ------------------------------------------------------------

    @holding_signals
    def __exit__(self, kind, error, traceback) -> None:
        self.display.close()
        if kind is not None:
            error = behind(error)
            kind = type(error)
        done = f"{len(self.rows)} epochs"
        if len(self.rows) == 1:
            done = "1 epoch"
        try:
            if kind is None:
                self._write_about(
                    status="done",
                    reason=self.display.lost or None,
                    finished=now(),
                )
                self._show_end()
            elif issubclass(kind, KeyboardInterrupt):
                cause = str(error) or "an interrupt"
                reason = f"stopped by {cause} after {done}"
                self._write_about(
                    status="interrupted", reason=reason, finished=now()
                )
                self.display.say(
                    f"{reason}; go on with --resume --out {self.folder}"
                )
            else:
                reason = f"{kind.__name__}: {error}"[:LONGEST_REASON]
                self._write_about(
                    status="failed", reason=reason, finished=now()
                )
        except DiskError:
            # On a full disk the first error is the one to be told.
            if kind is None:
                raise
        finally:
            if self.events is not None:
                self.events.close()
            self.lock.release()

    def _show_end(self) -> None:
        if self.rows:
            last = self.rows[-1]
            count = last["epoch"]
            self.display.say(
                f"{TITLES[self.framework]}: test accuracy "
                f"{last['test_accuracy']:.2%} after {count} "
                f"epoch{'s' * (count > 1)}, {last['train_seconds']:.1f} s; "
                f"warm-up {last['compile_seconds']:.1f} s"
            )
        self.display.say(f"record: {self.folder}")
        if self.rows:
            print_alike(self.folder)


def epochs_after(step: int, recipe: Recipe, start: object) -> range:
    """The epochs that are left after `step` updates, from 0.

    start: what has the updates. Raises CheckpointError unless they are whole
    epochs of the recipe.
    """
    done, rest = divmod(step, recipe.steps_per_epoch)
    if rest or done > recipe.epochs:
        raise CheckpointError(
            f"{start}: it has {step} updates; this recipe can go on after "
            f"whole epochs of {recipe.steps_per_epoch}, up to "
            f"{recipe.total_steps}"
        )
    return range(done, recipe.epochs)


def check_finite(
    epoch: int,
    train: Mapping[str, float] | None,
    test: Mapping[str, float],
    kept: str,
) -> None:
    """Raise LossNotFinite if a loss is NaN or infinite.

    epoch: counted from 0; train: None if nothing was trained; kept: what is
    left of the run.
    """
    for name, sums in (("training", train), ("test", test)):
        if sums and not math.isfinite(sums["loss"]):
            advice = "; a lower --peak-lr may help" if train else ""
            raise LossNotFinite(
                f"the {name} loss is {sums['loss']} in epoch {epoch + 1}; "
                f"{kept}{advice}"
            )
