"""Which training comes next, and what came out: no process is started here."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MOST_FAILURES = 2  # of a framework, then it is left out


@dataclass(frozen=True)
class Attempt:
    """One training that was tried."""

    framework: str
    seed: int
    wall_seconds: float  # of the whole process
    accuracy: float | None = None  # of the last epoch; None: it failed
    train_seconds: float | None = None


def estimate(done: Sequence[Attempt], framework: str, first: float) -> float:
    """Seconds that a training takes: as the last one did, or `first`."""
    own = [a.wall_seconds for a in done if a.framework == framework]
    return own[-1] if own else first


def next_run(
    done: Sequence[Attempt],
    frameworks: Sequence[str],
    seconds_left: float,
    first: dict[str, float],
    most: int = 50,
) -> tuple[str, int] | None:
    """Framework and seed; None if nothing fits into the time that is left.

    The framework with the fewest trainings comes first, so that all have the
    same number of seeds if the time runs out. first: an estimate by framework
    for the time before its first training. most: seeds of a framework.
    """

    def tried(framework: str) -> list[Attempt]:
        return [a for a in done if a.framework == framework]

    def failures(framework: str) -> int:
        return sum(a.accuracy is None for a in tried(framework))

    for framework in sorted(frameworks, key=lambda f: len(tried(f))):
        if failures(framework) >= MOST_FAILURES:
            continue
        if len(tried(framework)) >= most:
            continue
        if estimate(done, framework, first[framework]) <= seconds_left:
            return framework, len(tried(framework))
    return None


HEAD = (
    "training",
    "framework",
    "n",
    "test accuracy: mean",
    "deviation",
    "seconds: median",
    "range",
    "failed",
)


def summary(training: str, done: Sequence[Attempt]) -> list[tuple[str, ...]]:
    """A row for each framework: accuracy in points, seconds of training."""
    rows = []
    for framework in dict.fromkeys(a.framework for a in done):
        own = [a for a in done if a.framework == framework]
        good = [a for a in own if a.accuracy is not None]
        accuracy = [100 * a.accuracy for a in good]
        seconds = [a.train_seconds for a in good]
        rows.append(
            (
                training,
                framework,
                str(len(good)),
                f"{statistics.mean(accuracy):.2f} %" if good else "",
                # One training has no deviation.
                f"{statistics.stdev(accuracy):.2f}" if len(good) > 1 else "",
                f"{statistics.median(seconds):.1f}" if good else "",
                f"{min(seconds):.1f} to {max(seconds):.1f}" if good else "",
                str(len(own) - len(good)),
            )
        )
    return rows
