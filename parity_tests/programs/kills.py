"""One training that is killed again and again, beside one that is not."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from parity_tests.programs.program import Program, about, arrays, rows

EPOCHS = 60
# Epochs of two steps, the second one partial: a good part of the time is spent
# in writing. Dropout and cutout are on.
RECIPE = (
    *("--preset", "smoke", "--dataset", "synthetic", "--epochs", EPOCHS),
    *("--train-images", 80, "--test-images", 40, "--batch-size", 64),
    *("--peak-lr", 0.02, "--precision", "float32"),
)
COLUMNS = (
    *("epoch", "step", "lr", "train_loss", "train_accuracy"),
    *("test_loss", "test_accuracy"),
)
# By name: what is sent, and the exit codes that may follow.
SIGNALS = {
    "KILL": ((signal.SIGKILL,), ()),
    "TERM": ((signal.SIGTERM,), (143,)),
    "INT": ((signal.SIGINT,), (130,)),
    "HUP": ((signal.SIGHUP,), (143,)),
    "TERM twice": ((signal.SIGTERM, signal.SIGTERM), (143,)),
}
# How often which part of a training is hit.
PARTS = {"start": 4, "epochs": 4, "write": 4, "end": 1}
TWICE = 0.02  # seconds within which the second signal is sent
PATIENCE = 900  # seconds until something must have happened
WRITE = 0.001  # seconds: a file has its temporary name about that long


class Difference(Exception):
    """A training that was killed is not the one that was not."""


@dataclass
class Life:
    """How long the parts of an undisturbed training take, seconds."""

    start_up: float  # until the first epoch is written
    epoch: float
    end: float  # after the last epoch was written


@dataclass
class Tally:
    """What one framework survived in one mode."""

    framework: str
    mode: str
    kills: Counter = field(default_factory=Counter)  # by signal
    moments: Counter = field(default_factory=Counter)  # by what was hit
    trainings: int = 0  # compared, each killed at least once


class Torture:
    """One framework in one mode, killed until there were enough."""

    def __init__(self, program: Program, mode: str, home: Path, seed: int):
        self.program, self.mode, self.home = program, mode, home
        self.rng = random.Random(f"{seed}-{program.framework}-{mode}")
        self.tally = Tally(program.framework, mode)
        self.names: list[str] = []
        self.right = home / "undisturbed"

    # --- Undisturbed ----------------------------------------------------

    def undisturbed(self) -> None:
        """Train twice without a kill: to compile, then to take the times."""
        self.train_whole(self.right)
        again = self.home / "again"
        self.life = self.train_whole(again)
        compare(self.right, again)

    def train_whole(self, out: Path) -> Life:
        """Train once; how long the parts took."""
        times = [time.monotonic()]
        with self.started(out) as child:
            for count in (1, EPOCHS):
                wait(child, lambda count=count: epochs_of(out) >= count)
                times.append(time.monotonic())
            code = child.wait(PATIENCE)
        require(code == 0, f"an undisturbed training ends with {code}", out)
        begin, first, last, end = *times, time.monotonic()
        return Life(first - begin, (last - first) / (EPOCHS - 1), end - last)

    def started(self, out: Path):
        """A start of the program, with --resume where there is a record."""
        flags = (*RECIPE, "--mode", self.mode, "--out", out)
        if (out / "run.json").exists():
            flags = (*flags, "--resume")
        return self.program.started(out.with_suffix(".log"), *flags)

    # --- Killed ---------------------------------------------------------

    def train_killed(self, enough: Callable[[], bool]) -> None:
        """One training, killed and resumed until it is done; compared."""
        out = self.home / f"killed-{self.tally.trainings + 1}"
        while not enough():
            if self.ended_by_itself(out):
                break
        else:
            with self.started(out) as child:
                code = child.wait(PATIENCE)
            require(code == 0, f"the last start ends with {code}", out)
        compare(self.right, out)
        self.tally.trainings += 1

    def ended_by_itself(self, out: Path) -> bool:
        """Start, kill at some moment; whether the training was done before."""
        before, first = stamp(out), epochs_of(out)
        name = self.next_signal()
        numbers, codes = SIGNALS[name]
        with self.started(out) as child:
            self.wait_for_a_moment(child, out, first)
            for number in numbers:
                child.send_signal(number)
                if number != numbers[-1]:
                    time.sleep(self.rng.uniform(0, TWICE))
            code = child.wait(PATIENCE)
        own = stamp(out) != before
        done = own and about(out)["status"] == "done"
        # Before the program's own code runs and after it has run, a signal
        # ends it Python's way.
        allowed = [0, *codes]
        if name == "KILL" or not own or done:
            allowed.append(-numbers[0])
        require(code in allowed, f"{name}: ends with {code}", out)
        if code == 0:
            return True
        self.tally.kills[name] += 1
        self.tally.moments[moment(out, own, first)] += 1
        check(out, must_say_so=own and not done and name != "KILL")
        compare_rows(self.right, out)
        return done

    def next_signal(self) -> str:
        """Each signal as often as the others, in a random order."""
        if not self.names:
            self.names = self.rng.sample([*SIGNALS], len(SIGNALS))
        return self.names.pop()

    def wait_for_a_moment(self, child, out: Path, first: int) -> None:
        """Wait in the start, into an epoch, into a write, into the end."""
        rng, life = self.rng, self.life
        part = rng.choices([*PARTS], PARTS.values())[0]
        if part == "start":
            # Not longer than to its first epoch: starts are not alike.
            seconds = rng.uniform(0, 1.1 * life.start_up)
            return wait(child, lambda: epochs_of(out) > first, seconds)
        if part == "end":
            wait(child, lambda: epochs_of(out) >= EPOCHS)
            return wait(child, never, rng.uniform(0, 1.1 * life.end))
        target = first + rng.randint(1, max(1, (EPOCHS - first) // 4))
        wait(child, lambda: epochs_of(out) >= min(target, EPOCHS))
        wait(child, never, rng.uniform(0, 2 * life.epoch))
        if part == "write":
            wait(child, lambda: is_writing(out), poll=0)
            wait(child, never, rng.uniform(0, WRITE), poll=0)


# --- Looking at a folder ------------------------------------------------


def never() -> bool:
    """For a wait that only time, or the child's end, shall end."""
    return False


def is_writing(out: Path) -> bool:
    """Whether a file has its temporary name."""
    return out.exists() and any(
        name.endswith(".tmp") for name in os.listdir(out)
    )


def wait(
    child: subprocess.Popen,
    seen: Callable[[], bool],
    seconds: float | None = None,
    poll: float = 0.002,
) -> None:
    """Wait until `seen()`, the child's end, or so many seconds."""
    end = time.monotonic() + (PATIENCE if seconds is None else seconds)
    while not seen() and child.poll() is None:
        if time.monotonic() >= end:
            if seconds is None:
                raise Difference(f"nothing happens: {child.args}")
            return
        time.sleep(poll)


def epochs_of(out: Path) -> int:
    """How many epochs the metrics have."""
    try:
        return (out / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def stamp(out: Path) -> int | None:
    """When run.json was written, nanoseconds."""
    try:
        return (out / "run.json").stat().st_mtime_ns
    except FileNotFoundError:
        return None


def moment(out: Path, own: bool, first: int) -> str:
    """What a kill has hit, as far as the folder tells.

    own: whether the killed start had written to the record
    first: the epochs before it
    """
    if is_writing(out):
        return "inside a write"
    if not own:
        return "import"
    if epochs_of(out) == EPOCHS:
        return "end"
    return "epochs" if epochs_of(out) > first else "data and warm-up"


def require(fact: bool, what: str, out: Path) -> None:
    """Raise Difference, with the end of the log, unless a fact is one."""
    if not fact:
        log = out.with_suffix(".log")
        said = log.read_text()[-2000:] if log.exists() else ""
        raise Difference(f"{out}: {what}\n{said}")


def check(out: Path, must_say_so: bool) -> None:
    """What holds at any moment: whole files, and a status that is true."""
    if not (out / "run.json").exists():
        return
    status = about(out)["status"]
    if must_say_so:
        log = out.with_suffix(".log").read_text()
        # PyTorch warns of what it was doing by "Traceback of forward call".
        require("Traceback (most recent" not in log, "a traceback", out)
        require(status in ("interrupted", "done"), f"status {status}", out)
    if (out / "metrics.jsonl").exists():
        rows(out)
    if (out / "checkpoint.safetensors").exists():
        arrays(out)


def compare(right: Path, out: Path) -> None:
    """Raise Difference unless two finished trainings are the same one."""
    status = about(out)["status"]
    require(status == "done", f"status {status}, expected done", out)
    found, wanted = epochs_of(out), epochs_of(right)
    require(found == wanted, f"{found} epochs, not {wanted}", out)
    compare_rows(right, out)
    first, second = arrays(right), arrays(out)
    require(first.keys() == second.keys(), "other tensors", out)
    for name, array in first.items():
        same = array.tobytes() == second[name].tobytes()
        require(same, f"{name} has other bits", out)
    left = [path.name for path in out.glob(".*.tmp")]
    require(not left, f"left behind: {left}", out)


def compare_rows(right: Path, out: Path) -> None:
    """Raise Difference unless the epochs so far are the same, to the bit."""
    if not epochs_of(out):
        return
    for before, after in zip(rows(right), rows(out), strict=False):
        for name in COLUMNS:
            what = f"epoch {before['epoch']}: {name} is {after[name]!r}"
            wanted = before[name]
            require(after[name] == wanted, f"{what}, not {wanted!r}", out)
