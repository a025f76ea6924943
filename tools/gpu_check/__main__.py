"""The command: what is there, parity, speed, full trainings, a summary."""

import argparse
import sys

from common import errors
from common.files import user_path
from common.run.signals import EndBySignals
from tools.gpu_check.look import FRAMEWORKS, look
from tools.gpu_check.parity import parity
from tools.gpu_check.stages import Stages
from tools.gpu_check.summary import FILE, write
from tools.gpu_check.trainings import (
    KINDS,
    TRAININGS,
    estimates,
    seeds,
    speed,
)

STAGES = ("parity", "speed", "seeds")
# Of the time for full trainings: the rest is for those with dropout.
FIRST_SHARE = 0.7
# With fewer minutes, what says most: the network forward and backward, in
# each precision, at full width; the bfloat16 of both modes.
QUICK = 20
QUICK_RUNGS = ("rung4", "rung5", "rung7_wide")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu_check", description=__doc__
    )
    add = parser.add_argument
    add("--out", type=user_path, required=True, help="a new folder for results")
    add("--minutes", type=float, default=25, help="for all of it")
    add("--frameworks", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS)
    add("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    add(
        "--cifar",
        type=user_path,
        help="CIFAR-10 on this disk; else the cache's",
    )
    add("--stored", type=user_path, help="traces made elsewhere: FRAMEWORK.npz")
    add("--device", choices=("gpu", "cpu"), default="gpu")
    add("--seeds", type=int, default=50, help="at most, of each framework")
    add("--tiny", action="store_true", help="preset smoke on made-up data")
    add(
        "--rungs", nargs="+", help="only rungs whose names contain one of these"
    )
    flags = parser.parse_args(argv)
    quick = flags.minutes < QUICK
    flags.rungs = flags.rungs or (QUICK_RUNGS if quick else ("",))
    flags.kinds = KINDS[:2] if quick else KINDS
    return flags


def work(stages: Stages, flags: argparse.Namespace) -> None:
    """All stages that were asked for, in order."""
    pythons, rows = look(stages, flags), []
    if "parity" in flags.stages:
        parity(stages, flags, pythons)
    if "speed" in flags.stages:
        rows = speed(stages, flags, pythons)
    if "seeds" in flags.stages:
        first = estimates(rows, pythons, flags.tiny)
        end = stages.seconds_left * (1 - FIRST_SHARE)
        # What is tiny must not pass for the real thing.
        for training in ("smoke",) if flags.tiny else TRAININGS:
            seeds(stages, flags, pythons, training, end, first)
            end = 0.0


def main(argv: list[str] | None = None) -> int:
    """All stages; the exit code.

    0: all done; 1: one could not run or failed; 130, 143: by a signal.
    """
    flags = parse(argv)
    flags.out = flags.out.resolve()
    if flags.out.exists():
        print(f"error: --out {flags.out}: it exists", file=sys.stderr)
        return 2
    flags.out.mkdir(parents=True)
    stages = Stages(flags.out, flags.minutes)
    code = 0
    try:
        with EndBySignals():
            work(stages, flags)
    except KeyboardInterrupt as stop:
        ended = isinstance(stop, errors.Terminated)
        code = errors.TERMINATED if ended else errors.INTERRUPTED
    write(stages)
    print((flags.out / FILE).read_text())
    print(f"results: {flags.out}", flush=True)
    return code or int(stages.failed)


if __name__ == "__main__":
    sys.exit(main())
