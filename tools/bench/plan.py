"""What is measured: one Job for each process, in the order of its turn."""

import os
from dataclasses import asdict, dataclass, replace
from itertools import product

from common.environments import FRAMEWORKS, TITLES
from common.recipe import Recipe
from tools.bench.flags import Flags

DROPOUT_RATE = 0.05  # of the preset `dropout`
SCALE_WIDTHS = (8, 16, 32, 64, 128)
SCALE_BATCHES = (128, 256, 512, 1_024, 2_048)
SCALE_SECONDS = 4.0  # at most: there are many points
QUICK_SECONDS = 1.5
WORLDS = ((1, 1), (1, 2), (2, 1))  # processes, threads of each
KERAS = "profile of a peer"  # a kind of job
SMALL = 16  # the width at which batch, threads and the peers are measured


@dataclass(frozen=True)
class Job:
    """One measurement; the fields are what its row says of it."""

    kind: str  # "limits", "training", "peer", "usual", "profile" or KERAS
    framework: str
    width: int = 64
    mode: str = "eager"
    precision: str = "float32"
    dropout_rate: float = 0.0
    batch_size: int = 512
    threads: int = 1  # cores that each process may use
    processes: int = 1  # that share each batch
    device: str = "auto"
    seconds: float = 8.0  # how long steps, and batches, are timed

    def recipe(self) -> Recipe:
        """The recipe that is trained: `dawnbench` but for these fields."""
        return Recipe(
            width=self.width,
            precision=self.precision,
            dropout_rate=self.dropout_rate,
            batch_size=self.batch_size,
        )

    @property
    def keras(self) -> bool:
        """Whether Keras trains, in an environment of its own."""
        return self.kind in ("peer", KERAS)

    def title(self) -> str:
        """One line for who waits."""
        name = TITLES[self.framework]
        if self.kind == "limits":
            return f"limits of the machine in {self.precision}, by {name}"
        words = [name, self.mode, self.precision, f"width {self.width}"]
        if self.keras:
            words[1] = "in Keras's fit"
        if self.kind == "usual":
            words[1] = "in a usual loop"
        if self.dropout_rate:
            words.append(f"dropout {self.dropout_rate:g}")
        if self.batch_size != 512:
            words.append(f"batch {self.batch_size}")
        if self.processes > 1:
            words.append(f"{self.processes} processes")
        many = "s" * (self.threads > 1)
        return ", ".join(words) + f", {self.threads} thread{many}"


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def job(flags: Flags, kind: str, framework: str, **fields) -> Job:
    """A job in this framework's own mode, on all cores."""
    own = {
        "mode": FRAMEWORKS[framework].mode,
        "threads": cores(),
        "device": flags.device,
        "seconds": QUICK_SECONDS if flags.quick else flags.seconds,
    }
    return Job(kind, framework, **(own | fields))


def with_limits(flags: Flags, jobs: list[Job]) -> list[Job]:
    """The jobs, with the machine's limits at their start and half-way.

    Twice in each repeat: how far they move is how noisy the machine was.
    They are those of the jobs' devices and precisions: other ones use
    instructions whose speed can move without theirs.
    """
    kinds = dict.fromkeys((j.precision, j.device) for j in jobs)
    limits = [
        job(
            *(flags, "limits", "pytorch"),
            **{"width": 64, "precision": precision, "device": device},
        )
        for precision, device in kinds
    ]
    half = len(jobs) // 2
    return [*limits, *jobs[:half], *limits, *jobs[half:]]


def rows(flags: Flags) -> list[Job]:
    """The main table.

    With --quick each framework in its own mode, without dropout, and only
    the smaller network in bfloat16.
    """
    found = []
    for width, precision, framework, mode in product(
        flags.widths, flags.precisions, flags.frameworks, flags.modes
    ):
        own = mode == FRAMEWORKS[framework].mode
        large = width > SMALL and precision != "float32"
        if flags.quick and (large or not own):
            continue
        network = {"width": width, "precision": precision}
        row = job(flags, "training", framework, mode=mode, **network)
        found.append(row)
        if own and not flags.quick:
            found.append(replace(row, dropout_rate=DROPOUT_RATE))
    return found


def peers(flags: Flags) -> list[Job]:
    """The same network in Keras's `fit`, and as people have it in PyTorch."""
    found = [job(flags, "peer", f, width=SMALL) for f in flags.frameworks]
    if "pytorch" in flags.frameworks:
        found.append(job(flags, "usual", "pytorch", width=SMALL))
    return found


def thread_counts(cores: int) -> list[int]:
    """1, 2, 4, ... and all of them."""
    powers = [2**n for n in range(cores.bit_length()) if 2**n < cores]
    return [*powers, cores]


def scale(flags: Flags) -> list[Job]:
    """Cost against width, batch and threads; each crosses the same point."""
    flags = replace(flags, seconds=min(flags.seconds, SCALE_SECONDS))
    found = []
    for framework in flags.frameworks:
        base = job(flags, "training", framework, width=SMALL)
        found += [replace(base, width=n) for n in SCALE_WIDTHS]
        found += [replace(base, batch_size=n) for n in SCALE_BATCHES]
        found += [replace(base, threads=n) for n in thread_counts(base.threads)]
    return list(dict.fromkeys(found))


def world(flags: Flags) -> list[Job]:
    """Two processes of a thread each, beside one with one, and with two."""
    sizes = product(flags.widths, flags.frameworks, WORLDS)
    return [
        job(
            *(flags, "training", framework),
            **{"width": width, "processes": processes, "threads": threads},
            device="cpu",
        )
        for width, framework, (processes, threads) in sizes
    ]


def profiles(flags: Flags) -> list[Job]:
    """One profiled step of each framework and precision, own mode.

    With the peers also Keras's, and TensorFlow's compiled one: Keras compiles
    on TensorFlow, too.
    """
    found = [
        job(flags, "profile", framework, width=width, precision=precision)
        for width, precision, framework in product(
            flags.widths, flags.precisions, flags.frameworks
        )
    ]
    for framework in flags.frameworks if flags.peer else ():
        if framework == "tensorflow_eager":
            modes = {"mode": "compiled", "width": SMALL}
            found.append(job(flags, "profile", framework, **modes))
        keras = {"mode": "keras", "width": SMALL}
        found.append(job(flags, KERAS, framework, **keras))
    return found


def row_key(job: Job) -> dict:
    """The fields of a report's row that tell it from others."""
    names = "framework width mode precision dropout_rate batch_size"
    names = [*names.split(), "threads", "processes"]
    return {name: asdict(job)[name] for name in names}
