"""What a person would type to start several processes of a training here."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import DeviceError
from common.run.gpu import HIDING
from parity_tests.harness.processes import LOOPBACK, free_ports, join


@dataclass(frozen=True)
class Command:
    """A command, and the variables that it needs."""

    words: list[str]
    variables: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The line to type in a shell."""
        given = [f"{k}={shlex.quote(v)}" for k, v in self.variables.items()]
        return " ".join([*given, shlex.join(self.words)])


def native_commands(
    framework: str, count: int, flags: Sequence[str]
) -> list[Command]:
    """The commands for `count` processes of a training on this machine.

    One for all of PyTorch's, else one for each. All of them stay on the
    loopback interface; each process has its share of the cores, or a GPU.
    Raises DeviceError if there are fewer GPUs than processes.
    """
    cores, gpus = sorted(os.sched_getaffinity(0)), visible_gpus(flags)
    if gpus and len(gpus) < count:
        raise DeviceError(
            f"{count} processes: expected a GPU for each, found {len(gpus)}; "
            "ask for fewer, or add --device cpu"
        )
    if framework == "pytorch":
        return [torchrun(count, max(1, len(cores) // count), flags)]
    ports = free_ports(count)
    found = []
    for rank in range(count):
        variables = join(framework, rank, ports)
        if gpus:
            variables["CUDA_VISIBLE_DEVICES"] = gpus[rank]
        # Both libraries take as many threads as they may use cores.
        own = cores[rank::count] or [cores[rank % len(cores)]]
        words = ["taskset", "-c", ",".join(map(str, own)), program("python")]
        words += ["-m", f"frameworks.{framework}.train", *flags]
        found.append(Command(words, variables))
    return found


def torchrun(count: int, threads: int, flags: Sequence[str]) -> Command:
    """The command that starts all of PyTorch's processes.

    threads: of each process
    """
    words = [program("torchrun"), "--standalone"]
    words += ["--nproc-per-node", str(count)]
    words += ["-m", "frameworks.pytorch.train", *flags]
    return Command(words, {"OMP_NUM_THREADS": str(threads)} | LOOPBACK)


def program(name: str) -> str:
    """The path of a program of this environment, as short as it can be."""
    path = Path(sys.executable).with_name(name)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def visible_gpus(flags: Sequence[str]) -> list[str]:
    """The GPUs that flags and environment leave, by number or by name."""
    if "--device cpu" in " ".join(flags).replace("=", " "):
        return []
    with suppress(OSError):
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True
        )
        # "GPU 0: NVIDIA RTX 4060 Laptop GPU (UUID: ...)"
        cards = re.findall(r"^GPU ", done.stdout, re.MULTILINE)
        there = [str(n) for n in range(len(cards))]
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
        if chosen in HIDING["CUDA_VISIBLE_DEVICES"]:
            return []
        return there if chosen is None else chosen.split(",")
    return []
