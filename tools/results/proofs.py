"""The tables of the published ladder and mutants."""

from collections import Counter, defaultdict
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from textwrap import fill as fill_lines

from common.environments import TITLES
from parity_tests.judge.page import in_shares
from parity_tests.judge.recorded_runs import accuracy_verdict, read_runs
from parity_tests.mutants.generate import FEWEST
from parity_tests.mutants.killers import killer
from parity_tests.mutants.report import matrix
from tools.bench.sheet import markdown_table
from tools.machines.report import markdown
from tools.results.publish import (
    LADDER,
    MACHINES,
    MUTANTS,
    NEWEST,
    RESULTS,
    TORTURE,
)
from tools.results.reports import (
    Generated,
    Ladder,
    Machines,
    Mutants,
    Newest,
    Torture,
    read_report,
    read_whole,
)
from tools.results.trainings import full_trainings

STEPS = "20 steps, float64"  # rows of the ladder that the README names
WITNESS = "David Page's own code"


def fill(text: str, width: int, **options) -> str:
    """Break lines, but no link, which would be none any more, and no "5 %"."""
    kept = text.replace(" %", "\xa0%")
    lines = fill_lines(
        kept, width, break_long_words=False, break_on_hyphens=False, **options
    )
    return lines.replace("\xa0", " ")


def ladder_table(file: Path) -> str:
    """A parity ladder as it came out, from a published report."""
    report = read_report(file, Ladder)
    heads = ("rung", "what", "tensors", "worst error", "tolerance", "verdict")
    fields = [head.replace(" ", "_") for head in heads]
    rows = [[getattr(row, name) for name in fields] for row in report.rows]
    for row in rows:
        row[3:5] = in_shares(*row[3:5])
    traces = report.traces.values()
    versions = {k: v for trace in traces for k, v in trace.versions.items()}
    commits = {trace.git_commit[:7] for trace in traces}
    [device] = {trace.device for trace in traces}
    where = "" if device == "cpu" else f"on {device} "
    made = f"Made {where}with {in_words(versions)}, on commit "
    made = fill(f"{made}{', '.join(sorted(commits))}.", 79)
    return f"{markdown_table(heads, rows)}\n\n{made}"


def machines_table() -> str:
    """The worst error of each row over all machines, from the matrix."""
    return markdown(read_whole(MACHINES, Machines))


def torture_line() -> str:
    """How many kills trainings have survived, of each framework."""
    report = read_report(TORTURE, Torture)
    kills, trainings = Counter(), Counter()
    for row in report.rows:
        kills[row.framework] += sum(row.kills.values())
        trainings[row.framework] += row.trainings
    counts = ", ".join(
        f"{name} {kills[folder]}" for folder, name in TITLES.items()
    )
    signals = sorted({name for row in report.rows for name in row.kills})
    return fill(
        f"{kills.total()} interruptions ({counts}; by {', '.join(signals)}), "
        f"{report.differences} differences in {trainings.total()} trainings, "
        f"on commit {report.git_commit[:7]}.",
        79,
    )


def newest_table() -> str:
    """Each framework's pinned and newest releases, and where they differ."""
    report = read_report(NEWEST, Newest)
    heads = ("framework", "pinned", "tried", "newest on PyPI", "verdict")
    rows = [
        (
            row.framework,
            in_words(row.pinned),
            in_words(row.tried) or "none",
            row.release or "not known",
            row.verdict,
            row.first or ("none" if row.verdict == "pass" else "not reached"),
            row.kept,
        )
        for row in report.rows
    ]
    heads += ("first rung that differs", "beside the kept digest")
    table = markdown_table(heads, rows)
    commit = report.git_commit[:7]
    return f"{table}\n\nRun on {report.date}, on commit {commit}."


def in_words(versions: dict[str, str]) -> str:
    """Names and versions in one cell."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def mutants_table() -> str:
    """What was broken, and what killed it, from the published file."""
    found = read_report(MUTANTS, Mutants)
    commits = {part: name[:7] for part, name in found.commit_of.items()}
    named = found.named
    by = Counter(killer(row.killed_by) for row in named)
    equal = sum(bool(row.equivalent) for row in named)
    rows = [mutants_row("named", len(named), equal, by, commits["named"])]
    groups = defaultdict(list)
    for row in found.generated.by_file:
        groups[row.file.rpartition("/")[0]].append(row)
    for folder, files in groups.items():
        by = sum((Counter(row.killed_by) for row in files), Counter())
        tried = sum(row.tried for row in files)
        equal = sum(row.equivalent for row in files)
        what, commit = f"mutation operators: {folder}/", commits["generated"]
        rows.append(mutants_row(what, tried, equal, by, commit))
    heads = ("mutants", "tried", "killed", "equivalent", "survived", "by")
    told = fill(sampled(found.generated), 79)
    return f"{markdown_table((*heads, 'commit'), rows)}\n\n{told}"


def sampled(made: Generated) -> str:
    """Which changes by mutation operators were tried, and killed, in words.

    Where all were tried their share is known; a sample's has an interval.
    """
    every, sample = made.of(whole=True), made.of(whole=False)
    told = []
    if every.by_file:
        told.append(
            f"Of {in_names(made.whole)} all were tried: {killed(every)}."
        )
    if sample.by_file:
        low, high = wilson(sample.killed, sample.able)
        other = "other " * bool(told)
        told.append(
            f"Of every {other}file a sample of {100 * made.share:.2g} %, and "
            f"{FEWEST} at least: {killed(sample)} (95 % interval, as of one "
            f"simple sample, by Wilson's formula: {100 * low:.1f} % to "
            f"{100 * high:.1f} %)."
        )
    return " ".join(told)


def killed(made: Generated) -> str:
    """How many mutants were killed, of those that could be, in words."""
    return (
        f"{made.killed:,} of {made.able:,} that are not equivalent were "
        f"killed, {100 * made.killed / made.able:.1f} %"
    )


def in_names(patterns: list[str]) -> str:
    """Patterns of files, in words."""
    return " and ".join(f"`{pattern}`" for pattern in patterns)


def wilson(hits: int, tried: int) -> tuple[float, float]:
    """Where a share lies with a confidence of 95 %.

    Source: Wilson, Probable inference, the law of succession, and
    statistical inference, 1927.
    """
    z = NormalDist().inv_cdf(0.975)
    share, n = hits / tried, z * z / tried
    half = z * sqrt((share * (1 - share) + n / 4) / tried)
    return (share + n / 2 - half) / (1 + n), (share + n / 2 + half) / (1 + n)


def mutants_row(
    what: str, tried: int, equal: int, by: Counter, commit: str
) -> list[str]:
    """One row; by: how many each rung or kind of test has killed."""
    by.pop("", None)
    dead = by.total()
    words = ", ".join(f"{name} {by[name]}" for name in sorted(by))
    share = f"{dead:,} ({dead / max(1, tried - equal):.1%})"
    survived = str(tried - equal - dead)
    return [what, f"{tried:,}", share, str(equal), survived, words, commit]


def matrix_table() -> str:
    """A row for each named mutant: what killed it, in each framework."""
    _, *found = matrix(read_whole(MUTANTS, Mutants)["named"])
    rows = [[f"`{name}`", *cells] for name, *cells in found]
    return markdown_table(["mutant", *TITLES.values(), "shared"], rows)


def survivors_table() -> str:
    """The survivors by mutation operators, and how a person judged them."""
    files = read_report(MUTANTS, Mutants).generated.by_file
    rows = [
        [
            f"`{file.file}`, line {found.line}",
            found.change.replace("|", "\\|"),
            found.judged or "not judged",
        ]
        for file in files
        for found in file.survivors
    ]
    return markdown_table(["place", "change", "verdict"], rows)


def proof_line() -> str:
    """The first line of the README: how equal the three are, as published."""
    rows = {
        row.what: row.worst_error for row in read_report(LADDER, Ladder).rows
    }
    words = (
        "**One ResNet, one recipe, three frameworks: in float64 equal to "
        f"{rows[STEPS]} after 20 steps"
    )
    if witness := rows.get(WITNESS):
        words += (
            ", and to David Page's own published code to "
            f"{witness} after 8 steps"
        )
    return fill(f"{words}.**", 79)


def mission_table() -> str:
    """The four claims: three by the ladder, the last by whole trainings.

    The ladder that was published knew fewer trainings than are published now,
    so the last claim is judged anew; the short race is the ladder's.
    """
    *claims, last = read_report(LADDER, Ladder).mission
    verdict, numbers = accuracy_verdict(read_runs([RESULTS])[0])
    _, mark, race = last.numbers.partition("; epochs to ")
    rows = [[c.what, named(c.numbers), c.verdict] for c in claims]
    rows.append([last.what, named(numbers + mark + race), verdict])
    return markdown_table(("claim", "published numbers", "verdict"), rows)


def named(numbers: str) -> str:
    """The numbers of a claim with the frameworks' names, not the folders'."""
    for folder, name in TITLES.items():
        numbers = numbers.replace(f"{folder} ", f"{name} ")
    return numbers


def facts_list() -> str:
    """Three facts of the README: the checks, the mutants, the accuracy."""
    report = read_report(LADDER, Ladder)
    tensors = sum(int(row.tensors) for row in report.rows)
    facts = [
        f"**{tensors:,} tensors in {len(report.rows)} checks**, the three "
        "against [an oracle in plain NumPy](parity_tests/oracle/network.py) "
        f"and each other: verdict *{report.verdict}*{on_machines()}. [The "
        "ladder](docs/parity.md#the-ladder)",
        f"{killed_mutants()}. [The mutants](docs/parity.md#mutants)",
        f"{full_trainings()}. [The trainings](docs/performance.md#trainings)",
    ]
    lines = (fill(f"- {fact}", 79, subsequent_indent="  ") for fact in facts)
    return "\n".join(lines)


def on_machines() -> str:
    """What float64 shows on all machines of the matrix, for the README."""
    found = read_report(MACHINES, Machines)
    return (
        f"; in one process float64 differs by at most {found.double.error:.1e} "
        f"on [{len(found.machines)} configurations of one processor]"
        "(docs/parity.md#machines)"
    )


def killed_mutants() -> str:
    """How many mutants were killed, of those that could be."""
    found = read_report(MUTANTS, Mutants)
    dead = sum(bool(row.killed_by) for row in found.named)
    able = sum(not row.equivalent for row in found.named)
    kinds = len({row.mutant for row in found.named})
    made = found.generated
    named, operators = (
        found.commit_of[part][:7] for part in ("named", "generated")
    )
    tried = f"{100 * made.share:.2g} % of "
    tried += "the rest" if made.whole else "each file's"
    if made.whole:
        # Of the three frameworks, whose files are named alike.
        names = [name.removeprefix("frameworks/*/") for name in made.whole]
        tried = f"all in {in_names(names)}, {tried}"
    return (
        f"**{dead:,} of {able:,} injected bugs killed** ({kinds} mistakes, "
        f"each in every framework that could have it; on commit {named}), and "
        f"{made.killed:,} of {made.able:,} changes by mutation operators "
        f"({tried}; on commit {operators})"
    )
