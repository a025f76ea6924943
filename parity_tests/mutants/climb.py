"""A mutant on the ladder: the rungs one by one, up to the first red row.

Runs in a process that a worker has forked: the framework is imported, and
everything of this project is imported anew, from the mutant's own tree. A
tensor is compared as soon as it is made, with the oracle and with what the
other frameworks gave without a mutant.
"""

import errno
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

import numpy as np

from common.environments import FRAMEWORKS
from parity_tests.harness.driver import Driver
from parity_tests.judge.check_margins import margin_of
from parity_tests.judge.checks import Arrays, Check, Row, Traces, run_check
from parity_tests.judge.tolerances import CHECKS
from parity_tests.mutants.killers import NoVerdict

# By rung: what its tensors are called. The quick and sharp rungs first.
NAMES = {
    "rung4_forward": (
        *("4/float64/[!de]*", "4/float32/[!t]*", "4/float32/tiny/*"),
    ),
    "rung5_gradients": ("5/*",),
    "rung6_optimizer": ("6/*",),
    "rung2_data": ("2/*",),
    "rung4_dropout": (
        *("4/float64/dropout-*", "4/float64/evaluation/*"),
        "4/bfloat16/dropout-*",
    ),
    "rung4_tf32": ("4/float32/tf32/*",),
    "rung7_calm": ("7/float32/[!p]*",),
    "rung4_bfloat16": ("4/bfloat16/*",),
    "rung0_structure": ("0/*",),
    "rung3_init": ("3/*",),
    "rung7_trajectory": (
        *("7/float64/trajectory/*", "7/float64/repeat/*"),
        "7/float64/epochs/*",
    ),
    "rung7_program": ("7/float64/program/*",),
    "rung7_exchange": ("7/float64/exchange/*",),
    "rung8_race": ("8/*",),
    "rung1_schedule": ("1/*",),
    "rung7_wide": ("7/float64/wide/*",),
    "rung7_page": ("7/float64/page/*", "7/float32/page/*"),
    "rung7_mode": ("7/float64/other-mode/*", "7/float64/dropout/*"),
    "rung9_world": ("9/*",),
}
# Most of the time, and little that others do not see.
SLOW = (
    *("rung8_race", "rung1_schedule", "rung7_wide", "rung7_mode"),
    "rung9_world",
)
# By file: the rungs that are the first to see a change in it.
FIRST = {
    # Weights are loaded on most rungs, whatever shape they were made with.
    "model.py": ("rung4_forward", "rung0_structure", "rung3_init"),
    "data.py": ("rung2_data",),
    "step.py": ("rung6_optimizer", "rung5_gradients", "rung4_dropout"),
    "parallel.py": ("rung9_world",),
    "checkpoint.py": ("rung6_optimizer", "rung7_trajectory", "rung7_exchange"),
    "train.py": ("rung7_trajectory", "rung7_program"),
}


# What a patch raises that names something which is not there: the mistake
# that it is named for was never made.
BROKEN = (NameError, ImportError, AttributeError)


class Killed(Exception):
    """The ladder has killed the mutant."""


def first(file: str) -> list[str]:
    """The rungs that this file is likely to fail; one at least."""
    return [*FIRST.get(file.rpartition("/")[2], list(NAMES)[:1])]


def order(file: str) -> list[str]:
    """All rungs, those first that this file is likely to fail."""
    early = first(file)
    return [*early, *(name for name in NAMES if name not in early)]


def rung_of(name: str) -> str:
    """The rung that makes a tensor. Raises KeyError if none does."""
    for rung, patterns in NAMES.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return rung
    raise KeyError(name)


def number(rung: str) -> int:
    """4 of "rung4_forward"."""
    return int(rung.removeprefix("rung")[0])


def red(row: Row) -> str:
    """Why a row would end `nox -s parity`; "" if it would not."""
    check = row.check
    what = f"rung {check.rung}: {check.what}"
    if not row.failed:
        return ""
    why = row.problem or row.worst.tensor
    return f"{what} | {why}"


def beside(oracle: Arrays, names: Iterable[str]) -> Arrays:
    """The oracle's numbers of these tensors, and their margins."""
    wanted = {*names, *map(margin_of, names)}
    return {name: oracle[name] for name in wanted if name in oracle}


class Baseline:
    """The numbers without a mutant, and which check looks at which."""

    def __init__(self, arrays: dict[str, Arrays], oracle: Arrays, plan: dict):
        self.arrays, self.oracle = arrays, oracle
        self.names: dict[str, list[str]] = plan["names"]  # by rung
        self.single: dict[str, list[int]] = plan["single"]  # by tensor
        self.whole: dict[str, list[int]] = plan["whole"]  # by rung


class Climber(Driver):
    """A driver that compares what it is given at once."""

    rung = ""

    def __init__(self, framework: str, base: Baseline, alone: bool):
        """alone: common/ is changed, so the others' numbers mean nothing."""
        self.base, self.alone = base, alone
        self.oracle = {} if alone else base.oracle
        super().__init__(framework, "cpu")

    def put(self, name: str, value) -> None:
        """Keep a value. Raises Killed if a check of it is red."""
        super().put(name, value)
        for place in self.base.single.get(name, ()):
            self.judge(CHECKS[place], {name: self.arrays[name]})

    def judge(self, check: Check, mine: Arrays) -> None:
        """Raise Killed if a check of these tensors is red."""
        everyone = {self.framework: mine}
        for who, arrays in self.base.arrays.items():
            if who != self.framework and not self.alone:
                everyone[who] = {n: arrays[n] for n in mine if n in arrays}
        traces = Traces(everyone, beside(self.oracle, mine))
        row = run_check(check, traces)
        if self.alone and row.comparisons == 0 and not row.crashed:
            return  # nobody to compare with
        if why := red(row):
            raise Killed(why)

    def climb(self, rung: str) -> None:
        """One rung. Raises Killed, or whatever a broken program raises."""
        module = import_module(f"parity_tests.rungs.{rung}")
        if self.alone and hasattr(module, "expected"):
            self.oracle |= module.expected()
        known = set(self.arrays)
        module.trace(self)
        mine = {n: a for n, a in self.arrays.items() if n not in known}
        for name, array in mine.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise Killed(f"rung {number(rung)}: {name} is not finite")
        if not self.alone and mine.keys() ^ set(self.base.names[rung]):
            name = min(mine.keys() ^ set(self.base.names[rung]))
            raise Killed(f"rung {number(rung)}: {name} missing or unknown")
        for place in self.base.whole[rung]:
            self.judge(CHECKS[place], mine)
        if rung == "rung7_trajectory":
            self.compare_checkpoint()

    def compare_checkpoint(self) -> None:
        """The saved file: what the others would go on from."""
        from safetensors.numpy import load_file

        mine = load_file(self.folder / f"{self.framework}.safetensors")
        if self.alone:
            return
        clean = load_file(self.folder / "clean.safetensors")
        if mine.keys() != clean.keys():
            raise Killed("rung 7: checkpoint exchange | names")
        for name, array in mine.items():
            near = np.allclose(array, clean[name], rtol=1e-9, atol=1e-12)
            if array.dtype != clean[name].dtype or not near:
                raise Killed(f"rung 7: checkpoint exchange | {name}")


def climb(job: dict, base: Baseline) -> dict:
    """Which rung kills the mutant, and how long each rung took.

    job: framework, rungs, alone, folder (with the checkpoints), and whether
    it is named. Raises NoVerdict where the machine is at fault, or the patch.
    """
    seconds: dict[str, float] = {}
    found = {"killed": "", "rung": None, "seconds": seconds}
    begun, rung = time.perf_counter(), "import"
    try:
        driver = Climber(job["framework"], base, job["alone"])
        driver.folder = Path(job["folder"])
        for rung in job["rungs"]:
            begun = time.perf_counter()
            if rung == "rung7_exchange" and job["alone"]:
                own = driver.folder / f"{driver.framework}.safetensors"
                for name in FRAMEWORKS:
                    other = driver.folder / f"{name}.safetensors"
                    other.write_bytes(own.read_bytes())
            driver.climb(rung)
            seconds[rung] = round(time.perf_counter() - begun, 2)
    except Killed as killed:
        found["killed"] = str(killed)
    except BaseException as error:  # what ends a trace makes parity red
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise NoVerdict(f"{rung}: {error!r}") from error
        words = " ".join(str(error).split())[:120]
        words = f"{rung}: crash: {type(error).__name__}: {words}"
        if job["named"] and isinstance(error, BROKEN):
            raise NoVerdict(f"the patch is broken: {words}") from error
        found["killed"] = words
    if found["killed"]:
        found["rung"] = number(rung) if rung != "import" else 0
        seconds[rung] = round(time.perf_counter() - begun, 2)
    return found
