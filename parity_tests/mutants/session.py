"""Try mutants, two at a time, and keep what came out as it comes."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from common.environments import find_python
from common.run.terminal import open_console
from parity_tests.mutants.baseline import environment
from parity_tests.mutants.climb import SLOW, first, order
from parity_tests.mutants.killers import NoVerdict, TimeLimit
from parity_tests.mutants.source import ROOT, Mutant, copied, tree_hash
from parity_tests.mutants.suite import Suite

RUNG_LIMIT = 900  # seconds for the whole ladder of one mutant
# How much a mutant meets: the rungs and unit tests that are about its file;
# all but the slow rungs and contract tests; everything.
OWN, QUICK, ALL = "own", "quick", "all"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant; of a survivor `killed_by` is empty."""

    key: str
    framework: str
    killed_by: str
    rung: int | None
    seconds: float
    deep: bool = True  # tried on everything


class Worker:
    """A framework's process that forks a child for each mutant."""

    def __init__(self, framework: str, home: Path, environments: Path):
        self.framework, self.home = framework, home
        self.child = subprocess.Popen(
            [
                *(str(find_python(environments, framework)), "-m"),
                *("parity_tests.mutants.worker", framework, str(home)),
            ],
            cwd=ROOT,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def climb(
        self, tree: Path, rungs: list[str], alone: bool, named: bool
    ) -> dict:
        """Let one mutant climb. Raises NoVerdict."""
        folder = tree / "traces"
        folder.mkdir(exist_ok=True)
        for path in self.home.glob("*.safetensors"):
            if path.stem == self.framework:
                (folder / "clean.safetensors").write_bytes(path.read_bytes())
            else:
                (folder / path.name).write_bytes(path.read_bytes())
        job = {
            "framework": self.framework,
            "rungs": rungs,
            "alone": alone,
            "named": named,
            "folder": str(folder),
            "tree": str(tree),
            "log": str(tree / "log.txt"),
            "out": str(tree / "out.json"),
            "limit": RUNG_LIMIT,
        }
        self.child.stdin.write(json.dumps(job) + "\n")
        self.child.stdin.flush()
        for line in self.child.stdout:
            if line.startswith("RESULT "):
                found = json.loads(line.removeprefix("RESULT "))
                for kind in (TimeLimit, NoVerdict):
                    if kind.__name__ in found:
                        raise kind(found[kind.__name__])
                return found
        raise RuntimeError(f"the worker of {self.framework} has ended")

    def close(self) -> None:
        """Let it end."""
        self.child.stdin.close()
        self.child.wait()


class Bench:
    """One of the places where mutants are tried, one after the other."""

    def __init__(self, home: Path, environments: Path):
        self.home, self.environments = home, environments
        self.suite = Suite(sys.executable, home, environments)
        self.worker: Worker | None = None

    def worker_of(self, framework: str) -> Worker:
        """The running one, if it is this framework's; else a new one."""
        if self.worker is None or self.worker.framework != framework:
            self.close()
            self.worker = Worker(framework, self.home, self.environments)
        return self.worker

    def close(self) -> None:
        """Let the worker end."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def climb(
        self,
        mutant: Mutant | None,
        tree: Path,
        framework: str,
        reach: str = ALL,
    ) -> dict:
        """The ladder of one framework; the others' traces are clean."""
        alone = mutant is not None and mutant.framework == "common"
        file = mutant.file if mutant else ""
        rungs = first(file) if reach == OWN else order(file)
        if reach == QUICK:
            rungs = [rung for rung in rungs if rung not in SLOW]
        named = mutant is not None and bool(mutant.name)
        return self.worker_of(framework).climb(tree, rungs, alone, named)

    def outcome(self, mutant: Mutant, reach: str) -> Outcome:
        """Try a mutant; reach: OWN, QUICK or ALL.

        One that takes too long has survived: no test says so. Raises
        NoVerdict if something from outside has ended a test.
        """
        begun = time.perf_counter()
        try:
            killed, rung = self.tried(mutant, reach)
        except TimeLimit:
            killed, rung = "", None
        seconds = round(time.perf_counter() - begun, 1)
        deep = reach == ALL
        return Outcome(
            mutant.key, mutant.framework, killed, rung, seconds, deep
        )

    def tried(self, mutant: Mutant, reach: str) -> tuple[str, int | None]:
        """What killed a mutant, and on which rung. Raises NoVerdict."""
        common = mutant.framework == "common"
        # A mistake that all share is seen in any; PyTorch is the quickest.
        framework = "pytorch" if common else mutant.framework
        killed, rung = "", None
        with copied(mutant) as tree:
            if common:
                others = reach != OWN
                found = self.suite.unit(tree, mutant.file, others)
                killed = found and f"unit tests: {found}"
            if not killed:
                with suppress(TimeLimit):  # the tests may still say so
                    climbed = self.climb(mutant, tree, framework, reach)
                    killed, rung = climbed["killed"], climbed["rung"]
            if not killed and not common:
                found = self.suite.mirror(tree)
                killed = found and f"unit tests: {found}"
            if not killed and reach == ALL:
                found = self.suite.contract(tree, framework, mutant.file)
                self.passes_without(found)
                killed = found and f"contract tests: {found}"
        return killed, rung

    def passes_without(self, test: str) -> None:
        """Raise NoVerdict if a test fails on the unchanged source, too."""
        if test:
            with copied(None) as tree:
                try:
                    found = self.suite.run(tree, test)
                except TimeLimit as slow:
                    raise NoVerdict(str(slow)) from slow
                if found:
                    raise NoVerdict(f"{test} fails without a mutant, too")


class Log:
    """Outcomes as lines of a file, so that an interrupted run goes on."""

    def __init__(self, path: Path, again: bool, reach: Mapping[str, str]):
        """again: what survived on this state of the source is tried anew.

        reach: by key; so is what survived some tests and shall meet all.
        """
        self.path, self.tree = path, tree_hash()
        self.known: dict[str, Outcome] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                if row.pop("tree") == self.tree:
                    outcome = Outcome(**row)
                    self.known[outcome.key] = outcome
        self.known = {
            key: outcome
            for key, outcome in self.known.items()
            if outcome.killed_by
            or not (again or (reach.get(key) == ALL and not outcome.deep))
        }

    def add(self, outcome: Outcome) -> None:
        """Keep one, at once."""
        self.known[outcome.key] = outcome
        row = {"tree": self.tree, **outcome.__dict__}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def control(
    log: Log,
    home: Path,
    environments: Path,
    frameworks: Iterable[str],
    jobs: int,
) -> None:
    """No mutant must survive. Raises SystemExit where it does not."""
    with copied(None) as tree:
        suite = Suite(sys.executable, home, environments)
        if found := suite.unit(tree, ""):
            raise SystemExit(f"unchanged: {found}")

    def climb(framework: str) -> dict:
        bench = Bench(home, environments)
        try:
            with copied(None) as tree:
                return bench.climb(None, tree, framework)
        finally:
            bench.close()

    new = [f for f in frameworks if f"unchanged {f}" not in log.known]
    with ThreadPoolExecutor(jobs) as pool:
        for framework, found in zip(new, pool.map(climb, new), strict=True):
            if found["killed"]:
                raise SystemExit(f"{framework}, unchanged: {found['killed']}")
            seconds = sum(found["seconds"].values())
            key = f"unchanged {framework}"
            log.add(Outcome(key, framework, "unchanged", None, seconds))


def try_all(
    mutants: list[Mutant],
    log: Log,
    home: Path,
    environments: Path,
    jobs: int,
    reach: Mapping[str, str],
) -> None:
    """Try those that the log does not know, sorted by framework.

    reach: how much each meets, by its key.
    """
    todo: queue.SimpleQueue = queue.SimpleQueue()
    new = [m for m in mutants if m.key not in log.known]
    for mutant in sorted(new, key=lambda m: m.framework):
        todo.put(mutant)
    lock, failures = threading.Lock(), []
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn())
    columns = (*columns, TimeElapsedColumn())
    with Progress(*columns, console=open_console()) as progress:
        task = progress.add_task("mutants", total=len(new))

        def serve() -> None:
            bench = Bench(home, environments)
            try:
                while not failures:
                    mutant = todo.get_nowait()
                    try:
                        outcome = bench.outcome(mutant, reach[mutant.key])
                    except NoVerdict as reason:
                        progress.print(f"NO VERDICT {mutant.key}: {reason}")
                        continue
                    with lock:
                        log.add(outcome)
                        if not outcome.killed_by:
                            progress.print(
                                f"SURVIVED {mutant.line}: {mutant.key}"
                            )
                        progress.advance(task)
            except queue.Empty:
                pass
            except BaseException as error:
                failures.append(error)
            finally:
                bench.close()

        threads = [threading.Thread(target=serve) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt as stop:  # each ends the one it is at
            failures.append(stop)
            for thread in threads:
                thread.join()
    if failures:
        raise failures[0]
