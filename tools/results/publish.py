"""What is published: where it lies in results/, and how it gets there."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
from msgspec import structs

from common.cifar10 import checksums
from common.environments import FRAMEWORKS
from common.errors import RecordError
from common.files import write_atomic
from common.recipe import PRESETS
from common.run.about import ABOUT, PREDICTIONS
from common.run.compare import why_not
from common.run.machine import ROOT
from common.run.metrics import write_metrics
from common.run.records import RunRecord, read_predictions, read_run
from parity_tests.harness import digest, tracefile
from parity_tests.harness.tracefile import TraceError
from parity_tests.judge.tolerances import CHECKS
from tools.bench.stats import NOISE_LIMIT
from tools.launch import first_epoch
from tools.machines import matrix, report
from tools.results.reports import (
    Bench,
    FirstEpoch,
    Gpu,
    Ladder,
    Machines,
    Newest,
    Torture,
    read_report,
    read_whole,
)

RESULTS = ROOT / "results"
LADDER = RESULTS / "parity.json"
GPU_LADDER = RESULTS / "parity-gpu.json"
BENCH = RESULTS / "bench.json"
SCALE = RESULTS / "scale.json"
WORLD = RESULTS / "world.json"
PROFILE = RESULTS / "profile.json"
MUTANTS = RESULTS / "mutants.json"
MACHINES = RESULTS / "machines.json"
NEWEST = RESULTS / "newest.json"
GPU = RESULTS / "gpu.json"
# In a folder of tools/gpu_check: its trainings, those of two epochs by name.
CHECKED, SPEED = "runs", "speed-"
TORTURE = RESULTS / "torture.json"
FIRST_EPOCH = RESULTS / "first-epoch.json"


def take_all(folder: Path) -> list[Path]:
    """Publish a run, or every full training of `python -m tools.gpu_check`.

    Raises SystemExit, with the reason, if there is no evidence.
    """
    if (folder / ABOUT).exists() or not (folder / CHECKED).is_dir():
        return [take(folder)]
    taken = []
    for run in sorted((folder / CHECKED).iterdir()):
        if run.name.startswith(SPEED):
            continue
        try:
            taken.append(take(run))
        except SystemExit as reason:  # the others are evidence all the same
            print(reason)
    require(bool(taken), folder, "no full training that could be published")
    return taken


def take(folder: Path) -> Path:
    """Publish a run: its record, without checkpoint and paths, in results/.

    Raises SystemExit, with the reason, if it is no evidence.
    """
    try:
        run = read_run(folder)
        predictions = read_predictions(run)
    except RecordError as error:
        raise SystemExit(str(error)) from error
    if reason := no_evidence(run):
        raise SystemExit(f"{folder}: not published: {reason}")
    # By its own name, by which a run and its copy are one; but a folder of
    # --out, or of a check of a GPU, has that of another.
    seed, name = (
        f"{run.about.preset}-seed{run.about.seed}",
        folder.resolve().name,
    )
    if not re.fullmatch(rf"{seed}-\d{{8}}T\d{{6}}Z(-\d+)?", name):
        name = f"{seed}-{run.about.started}"
    target = RESULTS / run.about.framework / name
    if target.exists():
        raise SystemExit(f"{target}: is published already")
    about = without_paths(json.loads((folder / ABOUT).read_bytes()))
    target.mkdir(parents=True)
    try:
        write_metrics(target, [structs.asdict(row) for row in run.rows])
        text = json.dumps(about, indent=2) + "\n"
        write_atomic(target / ABOUT, text.encode())
        if predictions is not None:
            np.save(target / PREDICTIONS, predictions)
    except BaseException:
        shutil.rmtree(target)
        raise
    return target


def no_evidence(run: RunRecord) -> str:
    """Why a run does not show what a recipe reaches; "" if it does."""
    about = run.about
    if reason := why_not(run):
        return reason
    if about.run.dataset != "cifar10" or about.data is None:
        return f"its data are {about.run.dataset}, not known to be CIFAR-10"
    if about.data.sha256 != checksums.EXPECTED.sha256:
        return "the checksums of its data are not those of CIFAR-10"
    if [row.epoch for row in run.rows] != [*range(1, about.recipe.epochs + 1)]:
        return "its epochs are not recorded without a gap"
    for start in about.all_starts:
        if start.git_commit is None or start.git_commit.endswith("+"):
            return (
                f"its commit is {start.git_commit}: the source was changed, "
                "or is not known"
            )
    if about.preset not in PRESETS:
        return f"{about.preset} is no preset of this version"
    return ""


def without_paths(about: dict) -> dict:
    """The content of a run.json without paths of the machine it was made on."""
    options = dict.fromkeys(("data_dir", "out", "load"))
    source = about["data"]["source"]
    if about["run"].get("data_dir") or source.startswith(("/", "~")):
        source = "files on the machine"
    return about | {
        "run": about["run"] | options,
        "data": about["data"] | {"source": source},
    }


def require(fact: bool, file: Path, reason: str) -> None:
    """Raise SystemExit, with the reason, unless a report is evidence."""
    if not fact:
        raise SystemExit(f"{file}: {reason}")


def require_commit(commit: str | None, file: Path) -> None:
    """Raise SystemExit unless a report is of committed source."""
    clean = commit is not None and not commit.endswith("+")
    require(clean, file, "of changed source")


def publish_bench(file: Path) -> None:
    """Copy a bench to results/: whole, quiet and of committed source."""
    bench = read_report(file, Bench)
    noise = bench.machine.noise
    require(
        noise <= NOISE_LIMIT,
        file,
        f"the machine's limit moved by {noise:.0%} during the run, more than "
        f"{NOISE_LIMIT:.0%}: end what else runs, or take a machine of your "
        "own, and run it again",
    )
    require(not bench.quick, file, "of --quick")
    require_commit(bench.git_commit, file)
    instead = {SCALE: bench.scale, WORLD: bench.world, PROFILE: bench.profiles}
    shutil.copy(file, next((name for name in instead if instead[name]), BENCH))


def publish_ladder(file: Path) -> None:
    """Copy a parity report to results/: whole, of committed source.

    One of a CPU must be green. That of a GPU is what was found there, good or
    bad, beside it.
    """
    found = read_report(file, Ladder)
    lacking = {c.what for c in CHECKS} - {row.what for row in found.rows}
    require(not lacking, file, f"without {', '.join(sorted(lacking))}")
    for trace in found.traces.values():
        require_commit(trace.git_commit, file)
    devices = {trace.device for trace in found.traces.values()}
    if devices != {"cpu"}:
        require(len(devices) == 1, file, f"of {', '.join(sorted(devices))}")
        shutil.copy(file, GPU_LADDER)
        return
    verdict = found.verdict
    require(verdict == "pass", file, f"the verdict is {verdict}, not pass")
    shutil.copy(file, LADDER)


def publish_traces(folder: Path) -> None:
    """Keep digests of three traces in results/, of committed source."""
    traces = {}
    for framework in FRAMEWORKS:
        file = folder / f"{framework}.npz"
        try:
            trace = tracefile.read(file)
        except TraceError as error:
            raise SystemExit(str(error)) from error
        require_commit(trace.facts["git_commit"], file)
        traces[framework] = trace
    for framework, trace in traces.items():
        digest.write(RESULTS / f"trace-{framework}.npz", trace)


def publish_machines(file: Path) -> None:
    """Copy a matrix to results/: whole, green and of committed source."""
    found = read_whole(file, Machines)
    missing = {m.name for m in matrix.MACHINES} - set(found["machines"])
    require(not missing, file, f"not all machines: {sorted(missing)} missing")
    lines = report.failures(found)
    require(not lines, file, "; ".join(lines[:1]))
    require_commit(found["git_commit"], file)
    shutil.copy(file, MACHINES)


def publish_torture(file: Path) -> None:
    """Copy what killed trainings survived: no difference, committed source."""
    found = read_report(file, Torture)
    good = found.verdict == "pass"
    require(good, file, f"the verdict is {found.verdict}, not pass")
    require_commit(found.git_commit, file)
    shutil.copy(file, TORTURE)


def publish_first_epoch(file: Path) -> None:
    """Copy first epochs to results/: whole, alike, of committed source."""
    found = read_report(file, FirstEpoch)
    require(found.flags == first_epoch.RECIPE, file, f"of {found.flags}")
    losses = losses_of(found)
    missing = {*first_epoch.plan(tuple(FRAMEWORKS))} - set(losses)
    require(not missing, file, "not all frameworks")
    for framework in FRAMEWORKS:
        two, _ = first_epoch.differences(losses, framework, "float64")
        alike = two <= first_epoch.LIMIT
        require(alike, file, f"{framework}: {two:.1e} apart in float64")
    require_commit(found.git_commit, file)
    shutil.copy(file, FIRST_EPOCH)


def losses_of(report: FirstEpoch) -> dict[first_epoch.Training, float]:
    """The losses of a report, by training."""
    return {
        first_epoch.Training(
            row.framework, row.precision, row.processes, row.machine
        ): row.loss
        for row in report.rows
    }


def publish_newest(file: Path) -> None:
    """Copy what the newest releases did, good or bad: committed source."""
    require_commit(read_report(file, Newest).git_commit, file)
    shutil.copy(file, NEWEST)


def publish_gpu(file: Path) -> None:
    """Copy what holds of a GPU: no claim wrong, committed source."""
    found = read_report(file, Gpu)
    require(not found.wrong, file, f"wrong: {'; '.join(found.wrong)}")
    require_commit(found.git_commit, file)
    shutil.copy(file, GPU)


# By flag of `python -m tools.results`. Each raises SystemExit, with the
# reason, if what it is given is no evidence.
PUBLISH = {
    "ladder": publish_ladder,
    "machines": publish_machines,
    "newest": publish_newest,
    "gpu": publish_gpu,
    "torture": publish_torture,
    "first_epoch": publish_first_epoch,
    "traces": publish_traces,
    "bench": publish_bench,
}
