"""A program of one framework, run in its environment as a user runs it."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import safetensors.numpy

from common.environments import FRAMEWORKS, find_python
from common.recipe import PRESETS
from parity_tests.harness.cases import TRAJECTORY

ROOT = Path(__file__).parents[2]
# Small enough for seconds, long enough to be stopped in the middle; dropout
# and cutout are on. A batch of 100 leaves a partial one of 12, and 24 in
# evaluation. The precision is named because a GPU has another default.
TINY = (
    *("--preset", "smoke", "--dataset", "synthetic", "--epochs", 8),
    *("--train-images", 512, "--test-images", 224, "--batch-size", 100),
    *("--peak-lr", 0.1, "--precision", "float32"),
)
# Equal bits, and four programs side by side, cannot be had from a GPU.
NO_GPU = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}


@dataclass(frozen=True)
class Program:
    """One framework's `python -m frameworks.<name>.train`, on the CPU.

    A GPU is hidden, and a command that names no device gets `--device cpu`.
    """

    framework: str
    python: Path

    @property
    def default_mode(self) -> str:
        """What --mode is on a CPU where no flag names it."""
        return FRAMEWORKS[self.framework].mode

    def command(self, *flags) -> list[str]:
        """The words of a training."""
        module = f"frameworks.{self.framework}.train"
        return [str(self.python), "-m", module, *on_cpu(flags)]

    def run(self, *flags, **environment) -> subprocess.CompletedProcess:
        """Train to the end; output as text."""
        return self.run_words(*self.command(*flags)[1:], **environment)

    def run_words(self, *words, **environment) -> subprocess.CompletedProcess:
        """Run this interpreter with other words; output as text."""
        return subprocess.run(
            [str(self.python), *map(str, words)],
            cwd=ROOT,
            env=os.environ | NO_GPU | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def module(self, name: str, *words, **environment) -> str:
        """What another module of this package prints; it must succeed.

        name: `retrace`, say; it runs in the framework's environment
        """
        module = f"parity_tests.programs.{name}"
        result = self.run_words("-m", module, *words, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def mains(self, commands: dict[Path, tuple], **environment) -> list:
        """How several trainings end, one after another in one process.

        commands: by --out, the other flags
        """
        words = [on_cpu((*f, "--out", out)) for out, f in commands.items()]
        given = (self.framework, json.dumps(words))
        output = self.module("mains", *given, **environment)
        ends = json.loads(output.splitlines()[-1])
        return [
            Ended(**end, folder=out)
            for end, out in zip(ends, commands, strict=True)
        ]

    @contextmanager
    def started(
        self, output: Path, *flags, **environment
    ) -> Iterator[subprocess.Popen]:
        """A training that runs beside the test; ended with the block.

        output: the file that gets both streams
        """
        with open(output, "w") as file:
            child = subprocess.Popen(
                self.command(*flags),
                cwd=ROOT,
                env=os.environ | NO_GPU | environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            yield child
        finally:
            child.kill()
            child.wait()

    def run_until(
        self,
        seen: Callable[[int], bool],
        number: int,
        output: Path,
        *flags,
        **environment,
    ) -> int:
        """Train; send signal `number` once `seen(pid)`; the exit code."""
        with self.started(output, *flags, **environment) as child:
            end = time.monotonic() + 300
            while not seen(child.pid):
                assert child.poll() is None, output.read_text()
                assert time.monotonic() < end, "it was waited for in vain"
                time.sleep(0.01)
            child.send_signal(number)
            return child.wait(timeout=120)


def wait_until(seen: Callable[[], bool], seconds: float = 60) -> None:
    """Go on once `seen()`; fail where that takes longer."""
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it was waited for in vain"
        time.sleep(0.02)


def on_cpu(flags: tuple) -> list[str]:
    """The flags as words, with `--device cpu` unless they name a device."""
    words = [str(flag) for flag in flags]
    return words if "--device" in words else [*words, "--device", "cpu"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str
    folder: Path | None = None  # its record


def errors(end: Ended | subprocess.CompletedProcess) -> list[str]:
    """Our own lines on standard error; frameworks have theirs."""
    lines = end.stderr.splitlines()
    return [line for line in lines if line.startswith("error: ")]


def find_programs(environments: Path) -> dict[str, Program]:
    """All three, by framework. Raises UsageError if one is not installed."""
    return {f: Program(f, find_python(environments, f)) for f in FRAMEWORKS}


def arrays(folder: Path) -> dict:
    """Weights, statistics and velocity of a run's checkpoint."""
    return safetensors.numpy.load_file(folder / "checkpoint.safetensors")


def rows(folder: Path) -> list[dict]:
    """The metrics of a run's epochs."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def about(folder: Path) -> dict:
    """The run.json of a run."""
    return json.loads((folder / "run.json").read_text())


def flags_of(recipe, base) -> tuple:
    """The flags of every field in which a recipe is not the base."""
    words = []
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if value != getattr(base, field.name):
            words += ["--" + field.name.replace("_", "-"), value]
    return tuple(words)


# Rung 7's programs, which caches then know. One epoch at so low a learning rate
# that what rounding does to a step hardly reaches the next one.
SMALL = (
    *("--preset", "small", "--dataset", "synthetic", "--init", "shared"),
    *flags_of(TRAJECTORY, PRESETS["small"]),
    *("--epochs", 1, "--peak-lr", 1e-6),
)


def small_run(program, once, precision: str, mode: str = "") -> Ended:
    """One epoch of SMALL, in the default mode if none is named."""
    mode = mode or program.default_mode
    flags = (*SMALL, "--precision", precision, "--mode", mode)
    return once.run(program, f"{precision}-{mode}", *flags)
