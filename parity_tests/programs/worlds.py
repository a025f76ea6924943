"""Trainings of several processes on this machine, seen from outside."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from parity_tests.harness.processes import environments
from parity_tests.programs.program import NO_GPU, ROOT, TINY, Program

ONE_CACHE = str(Path(__file__).with_name("one_cache"))
# For a whole training where everything is slow; how fast a fault ends one, the
# tests measure.
PATIENCE = 600  # seconds
# Two full batches and a partial one in an epoch. Without dropout, whose masks
# depend on the number of processes, and take XLA as long to compile as all
# else.
FEW = (*TINY, "--train-images", 240, "--dropout-rate", 0)


@dataclass
class Processes:
    """The processes of one training, by rank, and where their output goes."""

    children: list[subprocess.Popen]
    outputs: list[Path]
    began: float = field(default_factory=time.monotonic)

    def codes(self) -> list[int]:
        """The exit codes, once all have ended."""
        end = time.monotonic() + PATIENCE
        for child in self.children:
            child.wait(max(0.1, end - time.monotonic()))
        return [child.returncode for child in self.children]

    def text(self, rank: int) -> str:
        """What a process has printed to both streams."""
        return self.outputs[rank].read_text()

    def errors(self, rank: int) -> list[str]:
        """Our own lines among those of the framework."""
        lines = self.text(rank).splitlines()
        return [line for line in lines if line.startswith("error: ")]

    def send(self, number: int, *ranks: int) -> None:
        """Send a signal to some of them."""
        for rank in ranks:
            self.children[rank].send_signal(number)

    def wait_for(self, seen: Callable[[], bool]) -> None:
        """Wait until something is seen, while all of them run."""
        end = time.monotonic() + 300
        while not seen():
            texts = [path.read_text() for path in self.outputs]
            assert all(c.poll() is None for c in self.children), texts
            assert time.monotonic() < end, texts
            time.sleep(0.02)


@contextmanager
def started_all(
    commands: Iterable[tuple[list[str], dict[str, str]]], folder: Path
) -> Iterator[Processes]:
    """Start processes at once, without a GPU; ended with the block.

    commands: of each its words, and what is else in its environment
    """
    children, outputs = [], []
    try:
        for place, (words, own) in enumerate(commands):
            outputs.append(folder / f"{place}.txt")
            with outputs[-1].open("w") as output:
                child = subprocess.Popen(
                    words,
                    cwd=ROOT,
                    env=os.environ | NO_GPU | own,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            children.append(child)
        yield Processes(children, outputs)
    finally:
        for child in children:
            child.send_signal(signal.SIGCONT)
            child.kill()
            child.wait()


def started(
    program: Program,
    folder: Path,
    size: int,
    *flags,
    changed: dict[int, dict] | None = None,
    more: dict[int, tuple] | None = None,
    only: int | None = None,
    port: int | None = None,
) -> AbstractContextManager[Processes]:
    """Start a training of several processes; ended with the block.

    changed: by rank, what is else in its environment; more: by rank, flags
    that only this process gets; only: the rank that is started alone; port:
    where the first one listens.
    """
    commands = []
    for rank, own in enumerate(environments(program.framework, size, port)):
        words = program.command(*flags, *(more or {}).get(rank, ()))
        own = {"PYTHONPATH": ONE_CACHE} | own | (changed or {}).get(rank, {})
        if only in (None, rank):
            commands.append((words, own))
    return started_all(commands, folder)


def started_code(
    program: Program, folder: Path, text: str
) -> AbstractContextManager[Processes]:
    """Start two processes that join each other, each with this Python code."""
    words = [str(program.python), "-c", text]
    every = environments(program.framework, 2)
    return started_all([(words, own) for own in every], folder)
