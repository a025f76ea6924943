"""Traces from files: read, checked against each other, put together."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from common.environments import FRAMEWORKS
from parity_tests.harness import digest, tracefile
from parity_tests.harness.cases import recipe_hash, source_hash
from parity_tests.harness.tracefile import Trace, TraceError
from parity_tests.judge.checks import Arrays, Traces
from parity_tests.rungs import RUNGS


def collect(
    paths: Sequence[Path], against: Sequence[Path], run_id: str | None
) -> Traces:
    """All traces, one entry per framework.

    against: traces made elsewhere; then one trace from here is enough, and
        only the frameworks of those traces are compared.
    Raises TraceError.
    """
    traces = [(path, tracefile.read(path)) for path in paths]
    found = [trace for _, trace in traces]
    for path, trace in traces:
        check_one(path, trace)
    wanted = run_id or (found[0].facts["run_id"] if found else None)
    for path, trace in traces:
        if trace.facts["run_id"] != wanted:
            raise TraceError(
                f"{path}: stale: run id {trace.facts['run_id']!r}, "
                f"expected {wanted!r}; make all traces anew"
            )
    arrays, facts = merge(traces)
    if not against:
        for name in FRAMEWORKS:
            if name not in arrays:
                raise TraceError(
                    f"no trace of {name}: not compared, so nothing is proven"
                )
    else:
        arrays, facts = beside(arrays, facts, against)
    # The oracle computes whole tensors.
    return Traces(arrays, {} if is_digest(facts) else expected(), facts)


def check_one(path: Path, trace: Trace) -> None:
    """Raise TraceError unless the trace is of this recipe and tree."""
    facts = trace.facts
    if facts["framework"] not in FRAMEWORKS:
        raise TraceError(
            f"{path}: unknown framework {facts['framework']!r}, expected "
            + ", ".join(FRAMEWORKS)
        )
    if facts["recipe_hash"] != recipe_hash():
        raise TraceError(
            f"{path}: another recipe: its sum is {facts['recipe_hash']}, here "
            f"it is {recipe_hash()}; make it anew"
        )
    if facts["source_hash"] != source_hash():
        raise TraceError(
            f"{path}: stale: common/ or the cases have changed since; make it "
            "anew"
        )


def merge(traces: list[tuple[Path, Trace]]) -> tuple[dict, dict]:
    """Both parts of each framework's trace under one name."""
    arrays: dict[str, Arrays] = {}
    facts: dict[str, dict] = {}
    mains_first = sorted(traces, key=lambda t: t[1].facts["part"] != "main")
    for path, trace in mains_first:
        name, part = trace.facts["framework"], trace.facts["part"]
        if name not in arrays and part != "main":
            raise TraceError(f"{path}: the main trace of {name} is not there")
        if name in arrays and part == "main":
            raise TraceError(f"{path}: a second trace of {name}")
        mine = arrays.setdefault(name, {})
        for tensor in trace.arrays.keys() & mine.keys():
            raise TraceError(f"{path}: {tensor} is in two files of {name}")
        mine.update(trace.arrays)
        facts.setdefault(name, trace.facts)
    return arrays, facts


def beside(
    arrays: dict[str, Arrays], facts: dict, paths: Sequence[Path]
) -> tuple[dict[str, Arrays], dict]:
    """The frameworks of the other traces, here and there.

    With a digest among them all become digests, of the tensors that all have,
    as an older ladder had others.
    """
    held, known = {}, {}
    for path in paths:
        other = tracefile.read(path)
        name = other.facts["framework"]
        if other.facts["recipe_hash"] != recipe_hash():
            raise TraceError(
                f"{path}: another recipe: its sum is "
                f"{other.facts['recipe_hash']}, here it is {recipe_hash()}"
            )
        if name not in arrays:
            raise TraceError(
                f"{path} is a trace of {name}; there is none of it from here"
            )
        if other.facts["part"] == "digest":
            other = digest.unpacked(path, other)
        there = f"{name} ({path})"
        if there in held:
            raise TraceError(f"{path}: it is named twice")
        known |= {name: facts[name], there: other.facts}
        # The checkpoints that are exchanged stay on one machine.
        mine = {n: a for n, a in arrays[name].items() if "/exchange/" not in n}
        held |= {name: mine, there: other.arrays}
    if is_digest(known):
        every = set.intersection(*(set(one) for one in held.values()))
        if not every:
            raise TraceError(f"{paths[0]}: no tensor of it is on this ladder")
        held = {
            who: {name: digest.digest(one[name]) for name in every}
            for who, one in held.items()
        }
    return held, known


def is_digest(facts: dict[str, dict]) -> bool:
    """Whether what is compared are digests, by the traces' facts."""
    return any(found["part"] == "digest" for found in facts.values())


def expected() -> Arrays:
    """The oracle's numbers of all rungs."""
    found: Arrays = {}
    for name in RUNGS:
        module = import_module(f"parity_tests.rungs.{name}")
        if hasattr(module, "expected"):
            found |= module.expected()
    return found
