"""The ladder without a mutant: traces, the oracle, and what checks what."""

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from common.environments import FRAMEWORKS, find_python
from parity_tests.compare import climb
from parity_tests.harness.processes import ONE_THREAD
from parity_tests.harness.tracefile import is_fresh
from parity_tests.judge import collect
from parity_tests.judge.checks import Arrays, Traces, equal_tensors, run_check
from parity_tests.judge.diagnosis import diagnose
from parity_tests.judge.tolerances import CHECKS
from parity_tests.mutants.climb import NAMES, beside, number, red, rung_of
from parity_tests.mutants.source import ROOT, tree_hash
from parity_tests.trace import caches, command


def environment(home: Path) -> dict[str, str]:
    """Of every process; compiled programs are kept beside the traces.

    Of one thread: with two, the threads of one mutant wait for each other
    while another has the core.
    """
    return os.environ | ONE_THREAD | caches(home)


def trace(home: Path, environments: Path, tree: str, out: Path) -> None:
    """One framework's trace, or what it makes of the others' checkpoints."""
    framework, _, exchange = out.stem.partition(".")
    python = find_python(environments, framework)
    words = ["--exchange", str(home)] if exchange else []
    done = subprocess.run(
        [*command(python, framework, out, tree), *words],
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{out.stem}: no trace:\n{done.stderr[-3000:]}")


def make(
    home: Path, environments: Path, jobs: int, say: Callable[[str], None]
) -> None:
    """Make what is missing or stale, `jobs` traces at a time.

    Raises SystemExit if the ladder is not green.
    """
    tree = tree_hash()
    plan = home / "plan.json"
    if plan.exists() and json.loads(plan.read_text())["tree"] == tree:
        return
    files = []
    for exchange in (False, True):  # which reads what the first ones wrote
        names = [f"{f}.exchange" if exchange else f for f in FRAMEWORKS]
        files += [home / f"{name}.npz" for name in names]
        todo = [f for f in files[-len(names) :] if not is_fresh(f, tree)]
        for file in todo:
            say(f"baseline: {file.stem}")
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(partial(trace, home, environments, tree), todo))
    say("baseline: oracle")
    traces = collect.collect(files, [], tree)
    problems = diagnose(climb(traces))
    if problems:
        raise SystemExit("\n".join(["without a mutant:", *problems]))
    np.savez(home / "oracle.npz", **traces.oracle)
    plan.write_text(json.dumps({"tree": tree, **planned(traces)}))


def planned(traces: Traces) -> dict:
    """By rung its tensors; which checks see one alone, which a whole rung.

    A check that finds something missing in a rung is one of another rung:
    without a mutant nothing is.
    """
    names: dict[str, list[str]] = {rung: [] for rung in NAMES}
    for name in sorted(set().union(*traces.arrays.values())):
        names[rung_of(name)].append(name)
    single: dict[str, list[int]] = {}
    whole: dict[str, list[int]] = {rung: [] for rung in NAMES}
    for rung, inside in names.items():
        few = restricted(traces, inside)
        for place, check in enumerate(CHECKS):
            if check.rung != number(rung):
                continue
            row = run_check(check, few)
            if row.problem or not row.comparisons:
                continue
            assert not red(row), red(row)
            if check.measure.__qualname__.startswith(equal_tensors.__name__):
                for measure in check.measure(few):
                    seen = single.setdefault(measure.tensor, [])
                    if place not in seen:
                        seen.append(place)
            else:
                whole[rung].append(place)
    return {"names": names, "single": single, "whole": whole}


def restricted(traces: Traces, names: list[str]) -> Traces:
    """Only these tensors."""

    def chosen(arrays: Arrays) -> Arrays:
        return {name: arrays[name] for name in names if name in arrays}

    arrays = {who: chosen(found) for who, found in traces.arrays.items()}
    return Traces(arrays, beside(traces.oracle, names))
