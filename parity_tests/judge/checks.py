"""What a comparison is made of: measures, checks and their rows.

A check looks at all traces and yields measures: an error, and what it was
measured on. Its row is the worst of them beside its tolerance.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import combinations

import numpy as np

from parity_tests.harness.error import relative_error

Arrays = dict[str, np.ndarray]
ORACLE = "oracle"


@dataclass
class Traces:
    """All that is compared: the frameworks' arrays, and the oracle's."""

    arrays: dict[str, Arrays]  # by framework
    oracle: Arrays
    facts: dict[str, dict] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # names that were compared

    def names(self, pattern: str) -> list[str]:
        """Names of tensors in any trace that fit, `*` for anything."""
        match = re.compile(translate(pattern)).match
        every = set().union(*self.arrays.values())
        return sorted(name for name in every if match(name))

    def mark(self, pattern: str) -> None:
        """Note that a check reads the tensors of these names by itself."""
        self.used.update(self.names(pattern))

    def holders(self, name: str) -> dict[str, np.ndarray]:
        """The tensor by framework. Raises Missing if one lacks it."""
        self.used.add(name)
        for framework, arrays in self.arrays.items():
            if name not in arrays:
                raise Missing(f"{name} is missing in the trace of {framework}")
        return {f: arrays[name] for f, arrays in self.arrays.items()}


class Missing(Exception):
    """A trace lacks a tensor that another has."""


@dataclass(frozen=True)
class Measure:
    """One error, and what it was measured on."""

    error: float
    tensor: str
    left: str  # who, and its value at the worst place
    left_value: object
    right: str
    right_value: object
    tolerance: float | None = None  # instead of the check's own
    floor: float | None = None  # the framework's own rounding noise


@dataclass(frozen=True)
class Check:
    """One row of the ladder."""

    rung: int
    what: str
    tolerance: float  # 0: exactly equal
    why: str  # the reason for the tolerance
    measure: Callable[[Traces], Iterator[Measure]]
    # why the tolerance may be far above, or near, what is seen
    unguarded: str = ""
    # whether tensors are compared by their names alone, so that digests can be
    by_name: bool = False


def compare(
    name: str,
    left: tuple[str, np.ndarray],
    right: tuple[str, np.ndarray],
    **more,
) -> Measure:
    """The error of one tensor of two holders."""
    (who, a), (whose, b) = left, right
    error, place = relative_error(a, b)
    if np.shape(a) != np.shape(b):
        left_value, right_value = f"shape {np.shape(a)}", f"shape {np.shape(b)}"
    else:
        left_value, right_value = _value(a, place), _value(b, place)
    return Measure(error, name, who, left_value, whose, right_value, **more)


def _value(array: np.ndarray, place: int):
    return np.asarray(array).flat[place].item()


def equal_tensors(
    rung: int,
    what: str,
    pattern: str,
    tolerance: float,
    why: str,
    unguarded: str = "",
    but: str = "",
    instead: Callable[[Traces, str, str], float | None] = lambda *_: None,
) -> Check:
    """Tensors by name: frameworks with each other and with the oracle.

    but: a second pattern, of names that this check leaves to another.
    instead: of a name and who holds it, a tolerance in place of this one;
        None where there is no reason for another.
    """

    def measure(traces: Traces) -> Iterator[Measure]:
        skip = re.compile(translate(but)).match if but else lambda name: None
        for name in traces.names(pattern):
            if skip(name):
                continue
            held = traces.holders(name)
            limits = {who: instead(traces, name, who) for who in held}
            if name in traces.oracle:
                judge = ORACLE, traces.oracle[name]
                for one in held.items():
                    yield compare(name, one, judge, tolerance=limits[one[0]])
            for one, other in combinations(held.items(), 2):
                limit = limits[one[0]] or limits[other[0]]
                yield compare(name, one, other, tolerance=limit)

    return Check(rung, what, tolerance, why, measure, unguarded, True)


@dataclass
class Row:
    """A check's outcome."""

    check: Check
    tensors: int = 0
    comparisons: int = 0
    worst: Measure | None = None
    problem: str = ""  # why it failed, if not by its error
    failed: bool = False
    crashed: bool = False  # the check could not compute

    @property
    def tolerance(self) -> float:
        """That of the worst measure."""
        if self.worst is not None and self.worst.tolerance is not None:
            return self.worst.tolerance
        return self.check.tolerance

    @property
    def verdict(self) -> str:
        """`equal`, `pass` or `FAIL`."""
        if self.failed:
            return "FAIL"
        if self.tolerance == 0:
            return "equal"
        return "pass"


def share(measure: Measure, check: Check) -> float:
    """How much of its tolerance a measure takes; above 1 it fails."""
    limit = check.tolerance if measure.tolerance is None else measure.tolerance
    if np.isnan(measure.error):
        return float("inf")
    if measure.error <= 0:
        return 0.0
    return measure.error / limit if limit > 0 else float("inf")


def run_check(check: Check, traces: Traces) -> Row:
    """The row of one check."""
    row, seen, worst = Row(check), set(), -1.0
    try:
        for measure in check.measure(traces):
            seen.add(measure.tensor)
            row.comparisons += 1
            taken = share(measure, check)
            if taken > worst:
                worst, row.worst = taken, measure
    except Missing as error:
        row.failed, row.problem = True, str(error)
    except KeyError as error:
        row.failed = True
        row.problem = f"{error.args[0]} is missing in a trace, or the oracle"
    except (ValueError, TypeError, IndexError) as error:  # e.g. another shape
        row.failed = row.crashed = True
        row.problem = f"{type(error).__name__}: {error}"
    row.tensors = len(seen)
    if worst > 1:
        row.failed = True
    elif not row.problem and not row.comparisons:
        row.failed, row.problem = True, "nothing was compared"
    return row
