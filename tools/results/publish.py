"""What is published: where it lies in results/, and how it gets there."""

import json
import shutil
from pathlib import Path

from common.run.folder import read_about
from tools.bench.report import FORMAT

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
LADDER = RESULTS / "parity.json"
BENCH = RESULTS / "bench.json"
MUTANTS = RESULTS / "mutants.json"


def take(folder: Path) -> Path:
    """Copy a finished run's record, without the checkpoint, to results/."""
    about = read_about(folder)
    if about["status"] != "done":
        raise SystemExit(f"{folder}: status {about['status']}, not done")
    target = RESULTS / about["framework"] / folder.name
    target.mkdir(parents=True)
    for name in ("run.json", "metrics.jsonl", "dawnbench.tsv"):
        shutil.copy(folder / name, target / name)
    return target


def publish_bench(file: Path) -> None:
    """Copy a bench to results/, if it is whole and of committed source."""
    report = json.loads(file.read_text())
    if report.get("format") != FORMAT:
        raise SystemExit(f"{file}: not of the format {FORMAT}")
    if report["quick"] or (report["git_commit"] or "+").endswith("+"):
        raise SystemExit(f"{file}: of --quick, or of changed source")
    shutil.copy(file, BENCH)


def publish_ladder(file: Path) -> None:
    """Copy a parity report to results/, if every row of it passed."""
    verdict = json.loads(file.read_text()).get("verdict")
    if verdict != "pass":
        raise SystemExit(f"{file}: the verdict is {verdict}, not pass")
    shutil.copy(file, LADDER)
