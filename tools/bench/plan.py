"""What is measured: one Job for each process, in the order of its turn."""

from dataclasses import asdict, dataclass, replace

from common.recipe import Recipe

# By folder: the name in tables.
FRAMEWORKS = {
    "tensorflow_eager": "TensorFlow",
    "pytorch": "PyTorch",
    "jax_flax": "JAX",
}
DEFAULT_MODE = {
    "tensorflow_eager": "eager",
    "pytorch": "eager",
    "jax_flax": "compiled",
}
MODES = ("eager", "compiled")
PRECISIONS = ("float32", "bfloat16")
DROPOUT_RATE = 0.05  # of the preset `dropout`
SCALE_WIDTHS = (8, 16, 32, 64, 128)
SCALE_BATCHES = (128, 256, 512, 1_024, 2_048)
SCALE_SECONDS = 4.0  # at most: there are many points
SMALL = 16  # the width at which batch, threads and the peer are measured


@dataclass(frozen=True)
class Job:
    """One measurement; the fields are what its row says of it."""

    kind: str  # "limits", "training", "peer" or "profile"
    framework: str
    width: int = 64
    mode: str = "eager"
    precision: str = "float32"
    dropout_rate: float = 0.0
    batch_size: int = 512
    threads: int = 1  # cores that the process may use
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

    def title(self) -> str:
        """One line for who waits."""
        name = FRAMEWORKS[self.framework]
        if self.kind == "limits":
            return f"limits of the machine, by {name}"
        words = [name, self.mode, self.precision, f"width {self.width}"]
        if self.kind == "peer":
            words[1] = "in Keras's fit"
        if self.dropout_rate:
            words.append(f"dropout {self.dropout_rate:g}")
        if self.batch_size != 512:
            words.append(f"batch {self.batch_size}")
        return ", ".join(words) + f", {self.threads} threads"


@dataclass(frozen=True)
class Choice:
    """Which of the measurements to make."""

    frameworks: tuple[str, ...]
    modes: tuple[str, ...]
    precisions: tuple[str, ...]
    widths: tuple[int, ...]
    cores: int
    device: str
    seconds: float
    quick: bool = False

    def job(self, kind: str, framework: str, **fields) -> Job:
        """A job in this framework's own mode, on all cores."""
        common = {
            "mode": DEFAULT_MODE[framework],
            "threads": self.cores,
            "device": self.device,
            "seconds": self.seconds,
        }
        return Job(kind, framework, **(common | fields))


def with_limits(choice: Choice, jobs: list[Job]) -> list[Job]:
    """The jobs, with the machine's limit at their start and half-way.

    Twice in each repeat: how far it moves is how noisy the machine was.
    """
    limit = choice.job("limits", "pytorch", width=64)
    half = len(jobs) // 2
    return [limit, *jobs[:half], limit, *jobs[half:]]


def rows(choice: Choice) -> list[Job]:
    """The main table.

    With --quick each framework in its own mode, without dropout, and only
    the smaller network in bfloat16.
    """
    found = []
    for width in choice.widths:
        for precision in choice.precisions:
            if choice.quick and width > SMALL and precision != "float32":
                continue
            for framework in choice.frameworks:
                for mode in choice.modes:
                    own = mode == DEFAULT_MODE[framework]
                    if choice.quick and not own:
                        continue
                    job = choice.job(
                        "training",
                        framework,
                        width=width,
                        mode=mode,
                        precision=precision,
                    )
                    found.append(job)
                    if own and not choice.quick:
                        found.append(replace(job, dropout_rate=DROPOUT_RATE))
    return found


def peers(choice: Choice) -> list[Job]:
    """The same network in Keras's `fit`, on each back end."""
    return [choice.job("peer", f, width=SMALL) for f in choice.frameworks]


def thread_counts(cores: int) -> list[int]:
    """1, 2, 4, ... and all of them."""
    powers = [2**n for n in range(cores.bit_length()) if 2**n < cores]
    return [*powers, cores]


def scale(choice: Choice) -> list[Job]:
    """Cost against width, batch and threads; each crosses the same point."""
    choice = replace(choice, seconds=min(choice.seconds, SCALE_SECONDS))
    found = []
    for framework in choice.frameworks:
        for width in SCALE_WIDTHS:
            found.append(choice.job("training", framework, width=width))
        base = choice.job("training", framework, width=SMALL)
        found += [replace(base, batch_size=n) for n in SCALE_BATCHES]
        found += [replace(base, threads=n) for n in thread_counts(base.threads)]
    return list(dict.fromkeys(found))


def profiles(choice: Choice) -> list[Job]:
    """One profiled step of each framework and precision, own mode."""
    return [
        choice.job("profile", framework, width=width, precision=precision)
        for width in choice.widths
        for precision in choice.precisions
        for framework in choice.frameworks
    ]


def row_key(job: Job) -> dict:
    """The fields of a row of results/bench.json that tell it from others."""
    names = "framework width mode precision dropout_rate batch_size threads"
    return {name: asdict(job)[name] for name in names.split()}
