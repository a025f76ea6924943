"""What the measurements came to: the JSON of results/bench.json and others.

    {"format": "davidnet-bench-1", "date", "git_commit", "command", "quick",
     "repeats", "machine", "versions", "limits", "rows", "scale", "world",
     "profiles"}

Every figure is a list: one number for each repeat, of limits two. Of profiles
there is one.
"""

import statistics
from datetime import UTC, datetime

from common.recipe import Recipe
from common.run.machine import describe_machine, git_commit
from tools.bench.count import gflop_per_image
from tools.bench.plan import Job, row_key
from tools.bench.stats import noise

FORMAT = "davidnet-bench-1"
PRODUCT = "matrix product"
# Of a measurement, what goes into its rows as it is.
SHARED = ("compile_seconds", "startup_seconds", "peak_memory_bytes", "batches")
PROFILED = ("step_milliseconds", "milliseconds", "kernels")
PEERS = {"keras fit": "Keras `fit`", "usual loop": "a usual loop"}
SPEEDS = ("step", "epoch", *PEERS)  # a row for each that was measured


class Table:
    """Rows by key; each adds a number to its lists at each repeat."""

    def __init__(self):
        self.rows: dict[tuple, dict] = {}

    def add(self, key: dict, numbers: dict) -> None:
        """One repeat of a row."""
        row = self.rows.setdefault(tuple(key.values()), dict(key))
        for name, value in numbers.items():
            row.setdefault(name, []).append(value)

    def listed(self) -> list[dict]:
        """All rows, in the order in which they came first."""
        return list(self.rows.values())


class Report:
    """Collects what the children found."""

    def __init__(self, command: str, quick: bool, repeats: int):
        self.head = {
            "format": FORMAT,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "git_commit": git_commit(),
            "command": command,
            "quick": quick,
            "repeats": repeats,
        }
        self.machine = describe_machine()
        self.versions: dict[str, dict] = {}
        self.limits = Table()
        self.tables = {name: Table() for name in ("rows", "scale", "world")}
        self.profiles: list[dict] = []

    def take(self, section: str, job: Job, found: dict) -> None:
        """Put what one child found where it belongs."""
        name = "keras " if job.keras else ""
        self.versions[name + job.framework] = found["versions"]
        if job.kind == "limits":
            self.machine["device"] = found["device"]
            for limit in found["limits"]:
                key = {n: limit[n] for n in ("precision", "what")}
                key["framework"] = job.framework
                self.limits.add(key, {"gflops": limit["gflops"]})
        elif section == "profiles":
            kernels = {n: found[n] for n in PROFILED}
            self.profiles.append(row_key(job) | kernels)
        else:
            self.take_row(section, job, found)

    def take_row(self, section: str, job: Job, found: dict) -> None:
        """One repeat of each kind of speed that was measured."""
        shared = {name: found[name] for name in SHARED if name in found}
        for what in SPEEDS:
            if what in found:
                key = row_key(job) | {"what": what}
                if what in PEERS:
                    key["mode"] = what.split()[1]
                self.tables[section].add(
                    key, {"images_per_second": found[what]} | shared
                )

    def whole(self) -> dict:
        """The JSON."""
        limits = self.limits.listed()
        return self.head | {
            "machine": self.machine | {"noise": machine_noise(limits)},
            "versions": self.versions,
            "limits": limits,
            **{name: table.listed() for name, table in self.tables.items()},
            "profiles": self.profiles,
        }


def best_limit(limits: list[dict], precision: str, kind: str) -> dict:
    """The limit of highest median; kind: how its name starts."""
    return max(
        (
            row
            for row in limits
            if row["precision"] == precision and row["what"].startswith(kind)
        ),
        key=lambda row: statistics.median(row["gflops"]),
    )


def limits_shown(limits: list[dict]) -> list[dict]:
    """Best convolution and matrix product of each precision."""
    precisions = dict.fromkeys(row["precision"] for row in limits)
    return [
        best_limit(limits, precision, kind)
        for precision in precisions
        for kind in ("convolution", PRODUCT)
    ]


def machine_noise(limits: list[dict]) -> float:
    """The largest range over median of the limits that count.

    They do the same each time and depend on no framework's training:
    if they moved, it was the machine.
    """
    return max(noise(row["gflops"]) for row in limits_shown(limits))


def share_of_limit(row: dict, limits: list[dict]) -> float:
    """GFLOP/s of a row, its median, over those of the best convolution."""
    gflop = gflop_per_image(Recipe(width=row["width"]))
    best = best_limit(limits, row["precision"], "convolution")
    speed = statistics.median(row["images_per_second"])
    return speed * gflop / statistics.median(best["gflops"])


def find(rows: list[dict], row: dict, **changed) -> dict | None:
    """The row that differs from this one in these fields only."""
    names = [n for n, value in row.items() if not isinstance(value, list)]
    wanted = {name: row[name] for name in names} | changed
    for other in rows:
        if all(other[name] == value for name, value in wanted.items()):
            return other
    return None


def epoch_cost(rows: list[dict], step: dict) -> float | None:
    """Time of an epoch's batch over that of a bare step, less 1."""
    epoch = find(rows, step, what="epoch")
    if epoch is None:
        return None
    ratios = [
        bare / whole
        for bare, whole in zip(
            step["images_per_second"], epoch["images_per_second"], strict=True
        )
    ]
    return statistics.median(ratios) - 1
