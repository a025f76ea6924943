"""Start the processes of a training on this machine, by native commands.

    nox -s train-torch -- --processes 2 --preset small

prints the commands (docs/scale.md tells more of them) and runs them. Only the
first process is shown. The others end with it, and it ends with any of them.
The exit code is that of the process that failed first, 75 if a signal from
elsewhere ended it.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from common import errors
from common.environments import FRAMEWORKS
from common.errors import UsageError, UserError
from tools.launch.commands import Command, native_commands

FLAG = "--processes"
LOST = 75  # the exit code of a training that lost a process
# Seconds that the others have to end by themselves: after a failure, which
# most of them notice, and after a signal or a good end. Then they are sent
# SIGTERM, and SIGKILL after as many as after a failure.
PATIENCE = {"failed": 10, "done": 60}
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class End:
    """How processes ended: the first one that failed, if any."""

    rank: int = 0
    code: int = errors.DONE  # negative: minus the number of a signal
    signaled: int = 0  # the signal that came from outside, and was passed on


def run_torchrun(command: Command, count: int, logs: Path) -> End:
    """Run torchrun, which ends all processes with any of them.

    In this process: so it tells which one failed first, and how, where the
    program `torchrun` ends with 1 for everything.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import (
        ChildFailedError,
    )

    # It reports a failure on a page; here that is a line.
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    os.environ |= command.variables
    hidden = ",".join(f"{rank}:3" for rank in range(1, count))
    words = ["--log-dir", str(logs), *(("-r", hidden) if hidden else ())]
    try:
        run.run(run.parse_args([*words, *command.words[1:]]))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        return End(rank, failure.exitcode)
    except SignalException as stop:
        return End(signaled=stop.sigval)
    except KeyboardInterrupt:  # before it started anything
        return End(signaled=signal.SIGINT)
    return End()


class Group:
    """Processes without a launcher of their own, each with its command."""

    def __init__(self, commands: Sequence[Command], logs: Path):
        self.commands, self.logs = commands, logs
        self.children: list[subprocess.Popen] = []
        self.codes: dict[int, int] = {}  # by rank, in the order of their ends
        self.signals: list[int] = []  # that came and are not yet passed on
        self.signaled = 0

    def run(self) -> End:
        """Start all, wait for all, leave nothing behind."""
        for number in STOPS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as by nohup
                signal.signal(number, lambda n, frame: self.signals.append(n))
        try:
            for rank, command in enumerate(self.commands):
                self.children.append(self.start(rank, command))
            self.wait()
        finally:
            self.kill()
        failed = [(rank, code) for rank, code in self.codes.items() if code]
        return End(*(failed[0] if failed else (0, 0)), self.signaled)

    def start(self, rank: int, command: Command) -> subprocess.Popen:
        """Start a process; what any but the first one writes goes to a file.

        It gets a session of its own: a terminal's Ctrl-C then reaches it
        once, from here, and its own children can be ended with it.
        """
        with ExitStack() as stack:
            streams = {}
            if rank:
                path = self.logs / str(rank) / "stderr.log"
                path.parent.mkdir(parents=True)
                file = stack.enter_context(open(path, "wb"))
                streams = {"stdout": subprocess.DEVNULL, "stderr": file}
            return subprocess.Popen(
                command.words,
                env=os.environ | command.variables,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                **streams,
            )

    def wait(self) -> None:
        """Wait until all have ended; once one has, not for ever."""
        deadline, last = float("inf"), signal.SIGTERM
        while alive := [r for r in self.ranks() if r not in self.codes]:
            now = time.monotonic()
            if self.signals:
                number = self.signals.pop(0)
                self.signaled = self.signaled or number
                self.send(number, alive)
                deadline = min(deadline, now + PATIENCE["done"])
            elif now > deadline:
                self.send(last, alive)
                deadline, last = now + PATIENCE["failed"], signal.SIGKILL
            for rank in alive:
                code = self.children[rank].poll()
                if code is not None:
                    self.codes[rank] = code
                    left = PATIENCE["failed" if code else "done"]
                    deadline = min(deadline, now + left)
            time.sleep(0.05)

    def ranks(self) -> range:
        """Of the processes that were started."""
        return range(len(self.children))

    def send(self, number: int, ranks: Sequence[int]) -> None:
        """Send a signal to processes."""
        for rank in ranks:
            self.children[rank].send_signal(number)

    def kill(self) -> None:
        """Kill what is left, and what these processes have started."""
        for child in self.children:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def explain(end: End, count: int, logs: Path) -> tuple[int, str]:
    """The exit code, and a line on what the first process did not say."""
    who = f"process {end.rank} of {count} (the first is 0)"
    if end.signaled:
        return 128 + end.signaled, ""
    if end.code < 0:
        name = signal.Signals(-end.code).name
        return LOST, (
            f"{who} was ended by {name}; the training goes on with --resume "
            "and its --out, with any number of processes"
        )
    if end.rank == 0:
        return end.code, ""
    (file,) = logs.rglob(f"{end.rank}/stderr.log")
    lines = file.read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("error: ")]
    last = told[-1].removeprefix("error: ") if told else "\n".join(lines[-20:])
    return end.code, f"{who} ended with exit code {end.code}: {last}"


def take_count(argv: Sequence[str]) -> tuple[int, list[str]]:
    """The value of --processes, and the other words. Raises UsageError."""
    words, count = [], ""
    given = iter(argv)
    for word in given:
        if word == FLAG:
            count = next(given, "")
        elif word.startswith(f"{FLAG}="):
            count = word.partition("=")[2]
        else:
            words.append(word)
    if not count.isdecimal() or int(count) < 1:
        raise UsageError(f"{FLAG} {count}: expected a number, 1 or more")
    return int(count), words


def main(argv: Sequence[str]) -> int:
    """Start a framework's training as the flags say; its exit code.

    argv: the framework's folder, --processes N, the flags of the training
    """
    framework = argv[0]
    try:
        count, flags = take_count(argv[1:])
        commands = native_commands(framework, count, flags)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for command in commands:
        print(f"> {command}", flush=True)
    with tempfile.TemporaryDirectory(prefix="davidnet-") as folder:
        logs = Path(folder)
        if framework == "pytorch":
            end = run_torchrun(commands[0], count, logs)
        else:
            end = Group(commands, logs).run()
        code, line = explain(end, count, logs)
    if line:
        print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in FRAMEWORKS:
        sys.exit(f"usage: python -m tools.launch {{{','.join(FRAMEWORKS)}}}")
    sys.exit(main(sys.argv[1:]))
