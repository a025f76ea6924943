"""What came out: the matrix, the share by file, and the published file."""

import json
import sys
import time
from collections import Counter

from common.environments import FRAMEWORKS
from common.files import write_atomic
from common.run.machine import describe_machine, git_commit
from common.run.terminal import align, columns, say
from parity_tests.mutants import generate
from parity_tests.mutants.judged import Judgment, judge
from parity_tests.mutants.killers import killer
from parity_tests.mutants.session import Log
from parity_tests.mutants.source import Mutant

FORMAT = "davidnet-mutants-1"
ENOUGH = 0.95  # of the generated ones
PLACES = (*FRAMEWORKS, "common")


def conclude(
    mutants: list[Mutant], log: Log, known: list[Judgment], flags
) -> int:
    """Print, write, and the exit code."""
    width = columns(sys.stdout)
    tried = [m for m in mutants if m.key in log.known]
    if flags.generated:
        rows = by_file(tried, log, known)
        print(*align(file_table(rows), width), sep="\n")
        survived = sum(len(r["survivors"]) for r in rows)
        share = share_killed(rows)
        say(f"{share:.1%} killed, {survived} survivors")
        part = {"seed": flags.seed, "share": flags.share}
        part |= {"whole": flags.whole, "by_file": rows}
        good, name = share >= ENOUGH, "generated"
    else:
        part = named_rows(tried, log, known)
        print(*align(matrix(part), width), sep="\n")
        good, name = not living(part), "named"
        for row in living(part):
            say(f"SURVIVED {row['mutant']} in {row['framework']}")
    missing = len(mutants) - len(tried)
    if missing:
        say(f"{missing} without a verdict; start again to try them")
    if flags.json and not missing:
        seconds = sum(log.known[m.key].seconds for m in tried)
        publish(flags.json, name, part, seconds)
    return 0 if good and tried and not missing else 1


def named_rows(
    mutants: list[Mutant], log: Log, known: list[Judgment]
) -> list[dict]:
    """A row for each named mutant in each framework."""
    rows = []
    for mutant in mutants:
        outcome, said = log.known[mutant.key], judge(mutant, known)
        survived = not outcome.killed_by
        rows.append(
            {
                "mutant": mutant.name,
                "framework": mutant.framework,
                "rung": outcome.rung,
                "killed_by": outcome.killed_by,
                "seconds": outcome.seconds,
                "equivalent": (
                    said.reason
                    if survived and said and said.verdict == "equivalent"
                    else ""
                ),
            }
        )
    return rows


def living(rows: list[dict]) -> list[dict]:
    """Named mutants that survived, and nobody has explained."""
    return [r for r in rows if not r["killed_by"] and not r["equivalent"]]


def matrix(rows: list[dict]) -> list[list[str]]:
    """Mutants by framework; in the cells what killed them."""
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        text = killer(row["killed_by"]) or "SURVIVED"
        text += " (crash)" * (": crash: " in row["killed_by"])
        text = "equivalent" if row["equivalent"] else text
        cells.setdefault(row["mutant"], {})[row["framework"]] = text
    return [
        ["named mutant", *PLACES],
        *(
            [name, *(found.get(place, "") for place in PLACES)]
            for name, found in cells.items()
        ),
    ]


def by_file(
    mutants: list[Mutant], log: Log, known: list[Judgment]
) -> list[dict]:
    """Counts and survivors of each file."""
    rows = []
    for file in dict.fromkeys(m.file for m in mutants):
        mine = [m for m in mutants if m.file == file]
        killed = Counter(
            killer(log.known[m.key].killed_by)
            for m in mine
            if log.known[m.key].killed_by
        )
        survivors = []
        for mutant in mine:
            if log.known[mutant.key].killed_by:
                continue
            said = judge(mutant, known)
            survivors.append(
                {
                    "line": mutant.line,
                    "change": mutant.change,
                    "judged": f"{said.verdict}: {said.reason}" if said else "",
                }
            )
        rows.append(
            {
                "file": file,
                "possible": len(generate.possible(file)),
                "tried": len(mine),
                "killed": killed.total(),
                "killed_by": dict(sorted(killed.items())),
                "survivors": survivors,
            }
        )
    return rows


def equivalents(row: dict) -> int:
    """Of a file's survivors, those that change nothing."""
    return sum(s["judged"].startswith("equivalent") for s in row["survivors"])


def share_killed(rows: list[dict]) -> float:
    """Of all that could be killed; of nothing it is 0."""
    could = sum(row["tried"] - equivalents(row) for row in rows)
    return sum(row["killed"] for row in rows) / could if could else 0.0


def file_table(rows: list[dict]) -> list[list[str]]:
    """What was tried in each file, and what killed it."""
    table = [["file", "possible", "tried", "killed", "equivalent", "by"]]
    for row in rows:
        by = ", ".join(f"{k} {n}" for k, n in row["killed_by"].items())
        numbers = row["possible"], row["tried"], row["killed"]
        table.append(
            [row["file"], *map(str, numbers), str(equivalents(row)), by]
        )
    return table


def publish(path, name: str, part, seconds: float) -> None:
    """Put one part of the measurement into the file, keep the others."""
    machine = describe_machine()
    whole = json.loads(path.read_text()) if path.exists() else {}
    whole |= {
        "format": FORMAT,
        "date": time.strftime("%Y-%m-%d"),
        "git_commit": git_commit(),
        "machine": f"{machine['cores']} cores of {machine['processor']}",
        name: part,
    }
    took = whole.get("seconds_of", {}) | {name: round(seconds)}
    whole |= {"seconds_of": took, "seconds": sum(took.values())}
    whole["commit_of"] = whole.get("commit_of", {}) | {name: git_commit()}
    write_atomic(path, (json.dumps(whole, indent=1) + "\n").encode())
