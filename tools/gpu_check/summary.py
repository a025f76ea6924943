"""One page of all that a check found, which can be published as it is.

It is written anew at each step: a check may be cut off at any time.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from common.run.machine import git_commit
from tools.bench.sheet import markdown_table

FILE = "summary.md"


def write(stages) -> None:
    """Write `summary.md` of what was found, however far the check came."""
    out = stages.out
    parts = [machine(out), parity(out)]
    parts += (f"## {n.capitalize()}\n\n{t}" for n, t in stages.tables.items())
    parts.append(failures(stages.done).replace(f"{out}/", ""))  # no path
    text = "\n\n".join(part for part in parts if part)
    (out / FILE).write_text(text + "\n")


def machine(out: Path) -> str:
    """The card, the processor, the commit, and each framework's versions."""
    found, file = {"gpus": [], "frameworks": {}}, out / "found.json"
    if file.exists():
        found = json.loads(file.read_text())
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
        f"On {today}, commit {git_commit() or 'not known'}, "
        f"{found.get('cores', 0)} cores of "
        f"{found.get('processor', 'not known')}.\n\n"
        + markdown_table(("framework", "device", "versions"), rows)
    )


def parity(out: Path) -> str:
    """The verdict of each comparison, and its row nearest the tolerance."""
    rows = []
    for path in sorted(out.glob("parity *.json")):
        report = json.loads(path.read_text())
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


def failures(done: list[dict]) -> str:
    """What did not do what it should."""
    bad = [f"- {s['stage']}: {s['outcome']}" for s in done if not s["ok"]]
    return "\n".join(["## Not done\n", *bad]) if bad else ""
