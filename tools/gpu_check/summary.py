"""One page of all that a check found, which can be published as it is."""

import json
from datetime import UTC, datetime
from pathlib import Path

from common.run.machine import git_commit
from tools.bench.sheet import markdown_table

FILE = "summary.md"


def write(out: Path) -> None:
    """Write `summary.md` of what is in the folder, however far it came."""
    parts = [machine(out), parity(out), tables(out), failures(out)]
    text = "\n\n".join(part for part in parts if part)
    (out / FILE).write_text(text + "\n")


def read(path: Path, missing):
    """A file of the check; `missing` where it came not so far."""
    return json.loads(path.read_text()) if path.exists() else missing


def machine(out: Path) -> str:
    """The card, the processor, the commit, and each framework's versions."""
    found = read(out / "found.json", {"gpus": [], "frameworks": {}})
    rows = [
        (
            name,
            facts.get("device", "did not run"),
            ", ".join(f"{k} {v}" for k, v in facts.get("versions", {}).items())
            or "; ".join(facts.get("not run", [])),
        )
        for name, facts in found["frameworks"].items()
    ]
    cards = "; ".join(found["gpus"]) or "no answer of nvidia-smi"
    today = datetime.now(UTC).date()
    return (
        f"# A check of {cards}\n\n"
        f"On {today}, commit {git_commit()}, {found.get('cores', 0)} cores of "
        f"{found.get('processor', 'not known')}.\n\n"
        + markdown_table(("framework", "device", "versions"), rows)
    )


def parity(out: Path) -> str:
    """The verdict of each comparison, and its row nearest the tolerance."""
    rows = []
    for path in sorted(out.glob("parity *.json")):
        report = read(path, {})
        _, framework, beside = path.stem.split(" ", 2)
        compared = report["rows"]
        tensors = sum(int(row["tensors"] or 0) for row in compared)
        bad = [row["what"] for row in compared if row["verdict"] == "FAIL"]
        rows.append(
            (
                *(framework, beside, str(len(compared)), f"{tensors:,}"),
                *(report["verdict"], ", ".join(bad)),
            )
        )
    heads = ("framework", "beside", "checks", "tensors", "verdict", "failed")
    return f"## Parity\n\n{markdown_table(heads, rows)}" if rows else ""


def tables(out: Path) -> str:
    """The speed, then each kind of training."""
    paths = sorted(
        out.glob("summary *.md"), key=lambda p: "speed" not in p.name
    )
    return "\n\n".join(
        f"## {path.stem.removeprefix('summary ').capitalize()}\n\n"
        f"{path.read_text().strip()}"
        for path in paths
    )


def failures(out: Path) -> str:
    """What did not do what it should."""
    stages = read(out / "stages.json", [])
    bad = [f"- {s['stage']}: {s['outcome']}" for s in stages if not s["ok"]]
    text = "\n".join(bad).replace(f"{out}/", "")  # no path of the machine
    return f"## Not done\n\n{text}" if bad else ""
