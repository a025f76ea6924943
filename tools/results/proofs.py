"""The tables of the published ladder and mutants."""

from collections import Counter, defaultdict

from parity_tests.machines.report import markdown
from parity_tests.mutants.killers import killer
from tools.results.publish import LADDER, MACHINES, MUTANTS
from tools.results.reports import (
    Ladder,
    Machines,
    Mutants,
    read_report,
    read_whole,
)


def ladder_table() -> str:
    """The parity ladder as it came out, from the published report."""
    report = read_report(LADDER, Ladder)
    heads = ("rung", "what", "tensors", "worst error", "tolerance", "verdict")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in report.rows:
        cells = (getattr(row, head.replace(" ", "_")) for head in heads)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machines_table() -> str:
    """The worst error of each row over all machines, from the matrix."""
    if not MACHINES.exists():
        return "No matrix of machines is published yet."
    return markdown(read_whole(MACHINES, Machines))


def mutants_table() -> str:
    """What was broken, and what noticed it, from the published file."""
    found = read_report(MUTANTS, Mutants)
    heads = ("mutants", "tried", "noticed", "equivalent", "alive", "by")
    heads += ("commit",)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    commits = {part: name[:7] for part, name in found.commit_of.items()}
    named = found.named
    by = Counter(killer(row.killed_by) for row in named)
    equal = sum(bool(row.equivalent) for row in named)
    row = mutants_row("named", len(named), equal, by)
    lines.append(f"{row} {commits['named']} |")
    groups = defaultdict(list)
    for row in found.generated.by_file:
        groups[row.file.rpartition("/")[0]].append(row)
    for folder, rows in groups.items():
        by = Counter()
        for row in rows:
            by.update(row.killed_by)
        judged = [s.judged for row in rows for s in row.survivors]
        equal = sum(text.startswith("equivalent") for text in judged)
        tried = sum(row.tried for row in rows)
        row = mutants_row(f"by rule: {folder}/", tried, equal, by)
        lines.append(f"{row} {commits['generated']} |")
    return "\n".join(lines)


def mutants_row(what: str, tried: int, equal: int, by: Counter) -> str:
    """One row; by: how many each rung or kind of test has noticed."""
    by.pop("", None)
    dead = by.total()
    words = ", ".join(f"{name} {by[name]}" for name in sorted(by))
    share = f"{dead:,} ({dead / max(1, tried - equal):.1%})"
    alive = tried - equal - dead
    return f"| {what} | {tried:,} | {share} | {equal} | {alive} | {words} |"
