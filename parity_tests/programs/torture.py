"""Kill trainings at random moments: are they the same when they are resumed?

    python -m parity_tests.programs.torture --seed 1 --minutes 30

Real programs, each in its own environment; by KILL, TERM, INT, HUP, and TERM
twice within 20 ms; while they import, compile, train, write and end. Every
training is resumed until it is done, and is compared bit for bit (weights,
statistics, velocity, metrics) with one that nothing disturbed.

Exit codes: 0 no difference · 1 a difference, or too few kills for a verdict.
"""

import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from common.run.folder import now
from common.run.machine import git_commit, processor
from common.run.usage import PathFlag
from parity_tests.programs.kills import (
    EPOCHS,
    SIGNALS,
    Difference,
    Tally,
    Torture,
)
from parity_tests.programs.program import ROOT, find_programs

FORMAT = "davidnet-torture-1"
MODES = ("eager", "compiled")
SHARE = 0.7  # of the kills, in the default mode


@dataclass(frozen=True)
class Flags:
    """How often, how long, and where."""

    # of each framework
    kills: int = 100
    # then it ends, with or without a verdict
    minutes: float = 30
    # of signals and moments
    seed: int = 0
    # programs at the same time
    jobs: int = 2
    # only what contains this: "pytorch", "pytorch, compiled", "eager"
    only: str = ""
    # folder of the train sessions' environments
    environments: PathFlag = ROOT / ".nox"
    # the report
    json: PathFlag = ROOT / "traces" / "torture.json"


def main(argv: list[str] | None = None) -> int:
    """Torture all three in both modes; the exit code."""
    flags = tyro.cli(Flags, args=argv, description=__doc__)
    print(f"seed {flags.seed}: {flags.kills} kills of each framework")
    home = Path(tempfile.mkdtemp(prefix="torture-"))
    stop, end = threading.Event(), time.monotonic() + 60 * flags.minutes
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.set())
    # What nohup ignores stays so in programs that are started: theirs is sent.
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)
    programs = find_programs(flags.environments)

    def torture(job: tuple) -> tuple[Tally, int, str]:
        program, mode, wanted = job
        folder = home / f"{program.framework}-{mode}"
        folder.mkdir()
        one = Torture(program, mode, folder, flags.seed)

        def enough() -> bool:
            over = stop.is_set() or time.monotonic() > end
            return over or one.tally.kills.total() >= wanted

        problem = ""
        try:
            if not enough():
                one.undisturbed()
            while not enough():
                one.train_killed(enough)
                print(line(one.tally, wanted), flush=True)
        except Difference as error:
            problem = str(error)
            stop.set()
        return one.tally, wanted, problem

    jobs = []
    for name, program in programs.items():
        for mode in MODES:
            if flags.only not in f"{name}, {mode}":
                continue
            share = SHARE if mode == program.default_mode else 1 - SHARE
            jobs.append((program, mode, round(share * flags.kills)))
    began = now()
    with ThreadPoolExecutor(flags.jobs) as pool:
        found = list(pool.map(torture, jobs))
    code = conclude(flags, began, found)
    if code == 0:
        shutil.rmtree(home)
    return code


def line(tally: Tally, wanted: int) -> str:
    """How far it is."""
    return (
        f"{tally.framework}, {tally.mode}: {tally.trainings} trainings the "
        f"same after {tally.kills.total()} of {wanted} kills"
    )


def conclude(flags: Flags, began: str, found: list) -> int:
    """Print the table, write the report; the exit code."""
    table = Table(
        "mode", *SIGNALS, "in all", "compared", title="Kills survived"
    )
    for tally, _, _ in found:
        counts = [tally.kills[name] for name in SIGNALS]
        cells = (*counts, sum(counts), tally.trainings)
        name = f"{tally.framework}, {tally.mode}"
        table.add_row(name, *map(str, cells))
    Console(soft_wrap=True).print(table)
    problems = [problem for _, _, problem in found if problem]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    short = [t for t, wanted, _ in found if t.kills.total() < wanted]
    total = sum(tally.kills.total() for tally, _, _ in found)
    few = short or not total
    verdict = "fail" if problems else "too few kills" if few else "pass"
    print(f"{total} kills survived, {len(problems)} differences: {verdict}")
    report = {
        "format": FORMAT,
        "verdict": verdict,
        "differences": len(problems),
        "seed": flags.seed,
        "epochs": EPOCHS,
        "started": began,
        "finished": now(),
        "git_commit": git_commit(),
        "processor": processor(),
        "rows": [vars(tally) for tally, _, _ in found],
    }
    flags.json.parent.mkdir(exist_ok=True)
    flags.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if verdict == "pass" else 1


if __name__ == "__main__":
    sys.exit(main())
