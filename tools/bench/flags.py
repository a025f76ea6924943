"""The flags of the bench, their checks, and the command that they make."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from common.environments import TITLES
from common.errors import UsageError
from common.run.usage import PathFlag

INSTEAD = ("scale", "world", "profile")
# By flag, those that decide nothing beside it.
IDLE = {
    "quick": ("repeats", "seconds"),
    "scale": ("modes", "precisions", "widths"),
    "world": ("modes", "precisions", "device"),
    "profile": ("modes", "repeats"),
}
MODES = ("eager", "compiled")
PRECISIONS = ("float32", "bfloat16")


@dataclass
class Flags:
    """What to measure, how often, and where to write it."""

    # folders of frameworks/
    frameworks: tuple[str, ...] = tuple(TITLES)
    # eagerly, or compiled
    modes: tuple[Literal["eager", "compiled"], ...] = MODES
    # of convolutions and activations
    precisions: tuple[Literal["float32", "bfloat16"], ...] = PRECISIONS
    # channels after `prep`
    widths: tuple[int, ...] = (16, 64)
    # processes for each row
    repeats: int = 3
    # how long the steps of a process are timed, and its batches
    seconds: float = 8.0
    # own modes, no dropout, 2 short repeats; width 64 once, in float32
    quick: bool = False
    # also what one would take instead: the same network in Keras 3's `fit`, on
    # each back end, and (but for --profile) as people have it in PyTorch
    peer: bool = False
    # instead: steps against width, batch and threads
    scale: bool = False
    # instead: two processes that share a batch beside one, on two cores
    world: bool = False
    # instead: the kernels of one step, by each framework's own profiler
    profile: bool = False
    # auto: a GPU where the framework sees one
    device: Literal["auto", "cpu", "gpu"] = "auto"
    # the folder of the frameworks' environments
    environments: PathFlag = Path(".nox")
    # one interpreter for all frameworks, instead of the environments
    python: PathFlag | None = None
    # the JSON file; else in traces/, by what was measured: bench.json,
    # scale.json, world.json or profile.json
    out: PathFlag | None = None
    # show tracebacks
    debug: bool = False

    @property
    def instead(self) -> str | None:
        """What is measured instead of the main table."""
        return next((name for name in INSTEAD if getattr(self, name)), None)

    @property
    def file(self) -> Path:
        """The JSON file."""
        return self.out or Path("traces", f"{self.instead or 'bench'}.json")


def check(flags: Flags) -> None:
    """Raise UsageError unless the flags make sense."""
    for name in flags.frameworks:
        if name not in TITLES:
            raise UsageError(
                f"--frameworks {name}: expected some of " + ", ".join(TITLES)
            )
    for name in ("frameworks", "modes", "precisions", "widths"):
        if not getattr(flags, name):
            raise UsageError(f"--{name}: expected at least one")
    given = [f"--{name}" for name in INSTEAD if getattr(flags, name)]
    if flags.peer and given not in ([], ["--profile"]):
        given.append("--peer")
    if len(given) > 1:
        raise UsageError(f"{' '.join(given)}: expected one of them at a time")
    for name, idle in IDLE.items():
        for field in fields(flags):
            given = getattr(flags, field.name) != field.default
            if getattr(flags, name) and field.name in idle and given:
                raise UsageError(
                    f"--{name} --{field.name}: it has {field.name} of its own"
                )
    if flags.world and len(os.sched_getaffinity(0)) < 2:
        raise UsageError("--world: expected two cores, found one")
    if flags.repeats < 1:
        raise UsageError(f"--repeats {flags.repeats}: expected 1 or more")
    if flags.seconds <= 0:
        raise UsageError(f"--seconds {flags.seconds}: expected more than 0")
    if min(flags.widths) < 1:
        raise UsageError(f"--widths {min(flags.widths)}: expected 1 or more")


def command(flags: Flags) -> str:
    """The command for these flags, without where things lie here."""
    words = []
    for field in fields(flags):
        value = getattr(flags, field.name)
        if isinstance(value, Path) or value in (None, field.default):
            continue
        if field.name == "debug":
            continue
        words.append(f"--{field.name}")
        if isinstance(value, tuple):
            words += map(str, value)
        elif value is not True:
            words.append(str(value))
    return " ".join(["nox -s bench", *(["--"] if words else []), *words])
