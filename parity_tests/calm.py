"""Choose the float32 cases: no decision so near a tie that rounding turns it.

    python -m parity_tests.calm                         look at all of them
    python -m parity_tests.calm --write --variants 3    choose them anew

Rung 5 compares gradients in float32, rung 7 twenty steps. In a case that is
taken, the nearest tie (`oracle/margins.py`) is GOAL times as far away as
float32's rounding reaches, which the oracle measures by computing in float32
itself, with the images in several orders. A test demands LEAST times on any
machine. The seeds are in harness/calm_seeds.json: no machine chooses its own.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np

from common.schedule import step_lr
from parity_tests.harness.cases import (
    CALM,
    CALM_FILE,
    SMALL,
    VARIANT,
    calm_params,
    calm_seeds,
)
from parity_tests.oracle import network as oracle
from parity_tests.oracle.margins import ORDERS, calmness, order
from parity_tests.rungs import rung5_gradients as rung5
from parity_tests.rungs import rung7_calm as rung7
from parity_tests.rungs.rung4_forward import Case

GOAL = 120  # times the rounding noise
LEAST = 50  # times, elsewhere: the noise is measured anew, and differs
MOST = 600  # seeds to try for one batch


def calm_of(case: Case) -> dict[str, float]:
    """The calmness of one training step, by place."""
    rounded = [case.params] * ORDERS
    return calmness(case.params, rounded, case.images, SMALL)


class Walk:
    """The trajectory of rung 7 in float64, and in float32 beside it.

    In float32 once for each order of the images.
    """

    def __init__(self, weights: int):
        """weights: their seed."""
        start = calm_params(CALM, weights)
        velocity = oracle.init_velocity(start, CALM)
        self.step = 0
        self.exact = start, velocity
        self.rounded = [(start, velocity)] * ORDERS

    def batch(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels that a seed would give the next step."""
        return rung7.batch(self.step % CALM.steps_per_epoch, seed)

    def calm(self, seed: int) -> dict[str, float]:
        """The calmness of the next step with this batch."""
        rounded = [params for params, _ in self.rounded]
        return calmness(self.exact[0], rounded, self.batch(seed)[0], CALM)

    def go(self, seed: int) -> None:
        """Take the step."""
        images, labels = self.batch(seed)

        def moved(state, shown, dtype):
            params, velocity, *_ = oracle.train_step(
                *(oracle.as_type(arrays, dtype) for arrays in state),
                *(images[shown], labels[shown], step_lr(self.step, CALM), CALM),
                dtype=dtype,
            )
            return tuple(oracle.as_type(a, dtype) for a in (params, velocity))

        self.exact = moved(self.exact, np.arange(len(images)), np.float64)
        self.rounded = [
            moved(state, order(k, images), np.float32)
            for k, state in enumerate(self.rounded)
        ]
        self.step += 1


def look(seeds: dict) -> Iterator[tuple[str, dict[str, float]]]:
    """The calmness of each float32 case, and of each step."""
    for name in rung5.CASES:
        yield f"5/{name}", calm_of(rung5.calm_case(name, seeds[f"5/{name}"]))
    walk = Walk(seeds["7/weights"])
    for seed in seeds["7/batches"]:
        yield f"7/{walk.step:02}", walk.calm(seed)
        walk.go(seed)


def refusals(seeds: dict) -> list[str]:
    """A line for each case that is not calm."""
    return [line for name, calm in look(seeds) if (line := refusal(name, calm))]


def refusal(name: str, calm: dict[str, float]) -> str:
    """Why a case is not taken; "" if it is."""
    place = min(calm, key=calm.get)
    if calm[place] >= LEAST:
        return ""
    return (
        f"{name}: not calm: in {place} the nearest tie is {calm[place]:.1f} "
        f"times as far away as rounding reaches, expected {LEAST} times: "
        "choose other seeds by `python -m parity_tests.calm --write`"
    )


def choose() -> dict:
    """Seeds of all cases of this variant."""
    seeds: dict = {}
    for name in rung5.CASES:

        def calm(seed: int, name: str = name) -> dict[str, float]:
            return calm_of(rung5.calm_case(name, seed))

        seeds[f"5/{name}"] = first(calm)
    for weights in range(MOST):
        batches = walked(Walk(weights))
        if len(batches) == CALM.total_steps:
            return seeds | {"7/weights": weights, "7/batches": batches}
    raise Agitated


def walked(walk: Walk) -> list[int]:
    """The seeds of the batches, as far as calm ones are found."""
    seeds = []
    try:
        for step in range(CALM.total_steps):
            seeds.append(first(walk.calm, step * MOST))
            walk.go(seeds[-1])
    except Agitated:
        print(f"no calm batch for step {len(seeds)}", file=sys.stderr)
    return seeds


class Agitated(Exception):
    """None of the seeds that were tried gives a calm case."""


def first(calm: Callable[[int], dict], start: int = 0) -> int:
    """The first seed whose case is calm. Raises Agitated."""
    for seed in range(start, start + MOST):
        if min(calm(seed).values()) >= GOAL:
            return seed
    raise Agitated


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m parity_tests.calm", description=__doc__
    )
    parser.add_argument("--write", action="store_true", help="choose anew")
    parser.add_argument("--choose", action="store_true", help="this variant's")
    parser.add_argument("--variants", type=int, default=3, help="how many")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Look at the cases of this variant, or choose those of all."""
    flags = parse(argv)
    if flags.choose:
        print(json.dumps(choose()))
        return 0
    if flags.write:
        found = {}
        for variant in range(flags.variants):
            environment = {"DAVIDNET_PARITY_VARIANT": str(variant)}
            done = subprocess.run(
                [sys.executable, "-m", "parity_tests.calm", "--choose"],
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                check=True,
            )
            found[str(variant)] = json.loads(done.stdout)
        CALM_FILE.write_text(json.dumps(found, indent=1) + "\n")
        return 0
    for name, calm in look(calm_seeds()):
        place = min(calm, key=calm.get)
        print(f"{VARIANT} {name:14} {calm[place]:8.0f} times, in {place}")
    lines = refusals(calm_seeds())
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
