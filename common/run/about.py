"""What a run record holds: the fields of run.json and of metrics.jsonl.

`record.py` writes them, `records.py` reads them.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from common.recipe import Recipe
from common.typed import (
    Commit,
    Count,
    PathText,
    Positive,
    Seconds,
    Sha256,
    Share,
    Text,
)

FORMAT = "davidnet-run-1"
ABOUT = "run.json"
METRICS = "metrics.jsonl"
PREDICTIONS = "predictions.npy"
LONGEST_REASON = 10_000  # characters

Framework = Literal["tensorflow_eager", "pytorch", "jax_flax"]
Mode = Literal["eager", "compiled"]
Moment = Annotated[str, Meta(pattern=r"^\d{8}T\d{6}Z\Z")]


class Options(Struct, frozen=True):
    """Of the flags in common.recipe.Run, those that readers need."""

    dataset: Literal["cifar10", "synthetic"]
    init: Literal["native", "shared"] = "native"
    load: PathText | None = None
    data_dir: PathText | None = None
    out: PathText | None = None


class Machine(Struct, frozen=True):
    """Where a run was made."""

    device: Text  # "cpu", or the name of a GPU
    system: Text = ""
    processor: Text = ""
    cores: Count = 0
    threads: Count = 0
    tf32: bool = False
    processes: Positive = 1  # that trained together
    devices: Positive = 1  # of all of them
    backend: Text = ""  # what summed their numbers; "" for one process
    allocator: dict[Text, int] = {}  # settings of glibc's malloc

    @property
    def name(self) -> str:
        """The GPU, or how many cores of which processor."""
        if self.device != "cpu":
            return self.device
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return f"{cores} of {self.processor}"


class Data(Struct, frozen=True):
    """The data that were read."""

    source: PathText  # where they came from
    sha256: dict[Text, Sha256]  # of each array


class Evaluation(Struct, frozen=True):
    """Of a checkpoint whose training was complete: means over the images."""

    loss: float
    correct: Share


class Start(Struct, frozen=True):
    """One of the processes that a run was trained by."""

    started: Moment
    epoch: Count  # whole epochs that lay behind it
    mode: Mode
    machine: Machine
    versions: dict[Text, Text]
    git_commit: Commit | None

    @property
    def ran_on(self) -> tuple:
        """What must be the same in all starts of one measurement."""
        m = self.machine
        return (
            *(self.git_commit, self.mode, sorted(self.versions.items())),
            *(m.device, m.processor, m.cores, m.threads),
            *(m.processes, m.devices, m.backend),
        )


class About(Struct, frozen=True):
    """The content of run.json."""

    format: Literal["davidnet-run-1"]
    framework: Framework
    preset: Text
    seed: Annotated[int, Meta(ge=0, lt=2**31)]
    mode: Mode
    precision: Text
    recipe: Recipe
    run: Options
    status: Literal["running", "done", "interrupted", "failed"]
    started: Moment
    machine: Machine
    versions: dict[Text, Text]
    git_commit: Commit | None = None
    data: Data | None = None
    # why it ended, if it is not done; libraries write what they like
    reason: Annotated[str, Meta(max_length=LONGEST_REASON)] | None = None
    finished: Moment | None = None
    evaluation: Evaluation | None = None
    starts: list[Start] = []  # empty in records of earlier versions

    def __post_init__(self):
        for moment in (self.started, self.finished or self.started):
            datetime.strptime(moment, "%Y%m%dT%H%M%SZ")  # or ValueError

    @property
    def all_starts(self) -> list[Start]:
        """The processes that trained it, also of a record without a list."""
        one = Start(
            *(self.started, 0, self.mode),
            *(self.machine, self.versions, self.git_commit),
        )
        return self.starts or [one]


class Epoch(Struct, frozen=True):
    """A line of metrics.jsonl: what was known after an epoch."""

    epoch: Positive
    step: Positive  # updates made so far
    lr: Annotated[float, Meta(ge=0)]  # of the last update, for the mean loss
    train_loss: float
    train_accuracy: Share
    test_loss: float
    test_accuracy: Share
    train_seconds: Seconds  # of all epochs so far
    compile_seconds: Seconds
    images_per_second: Annotated[float, Meta(ge=0)]
    # The part of the machine's processors that other programs used while this
    # epoch trained; None if it is not known.
    other_load: Share | None = None
