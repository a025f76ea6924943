"""Processes that live and end together, each started by its own command."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from common import errors
from tools.launch.commands import Command

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


def first_failure(codes: Mapping[int, int]) -> End:
    """The one that failed first; the first process where it failed alike.

    codes: by rank, in the order of the ends. That one is shown, and has said
    why.
    """
    failed = {rank: code for rank, code in codes.items() if code}
    for rank, code in failed.items():
        return End(0 if 0 < code == failed.get(0) else rank, code)
    return End()


class Group:
    """Processes without a launcher of their own, each with its command.

    logs: a folder for what they write; shown: but not for the first one
    """

    def __init__(
        self, commands: Sequence[Command], logs: Path, shown: bool = True
    ):
        self.commands, self.logs, self.shown = commands, logs, shown
        self.children: list[subprocess.Popen] = []
        self.codes: dict[int, int] = {}  # by rank, in the order of their ends
        self.signals: list[int] = []  # that came and are not yet passed on
        self.signaled = 0

    def run(self) -> End:
        """Start all, wait for all, leave nothing behind."""
        before = {number: signal.getsignal(number) for number in STOPS}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:  # as by nohup
                signal.signal(number, lambda n, frame: self.signals.append(n))
        try:
            for rank, command in enumerate(self.commands):
                self.children.append(self.start(rank, command))
            self.wait()
        finally:
            self.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
        # One that came while the last process ended was passed on to none.
        signaled = self.signaled or next(iter(self.signals), 0)
        return replace(first_failure(self.codes), signaled=signaled)

    def start(self, rank: int, command: Command) -> subprocess.Popen:
        """Start a process, and let a file get what it writes.

        It gets a session of its own: a terminal's Ctrl-C then reaches it
        once, from here, and its own children can be ended with it.
        """
        with ExitStack() as stack:
            streams = {}
            if rank or not self.shown:
                path = self.logs / str(rank) / "stderr.log"
                path.parent.mkdir(parents=True)
                file = stack.enter_context(open(path, "wb"))
                streams = {"stdout": file, "stderr": file}
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
