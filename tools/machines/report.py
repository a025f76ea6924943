"""What the machines have shown: the worst error of each row, over all."""

import platform
import re
import sys
from pathlib import Path

from common.run.machine import processor
from common.run.terminal import align, columns, narrow, say
from tools.machines.matrix import MACHINES

FORMAT = "davidnet-machines-1"
CAPPED = ("avx2", "avx", "sse")  # for all three frameworks
TIMES = 3  # a row must stay so many times below its tolerance
HEAD = ("rung", "what", "machines", "worst error", "tolerance", "times below")


def which_processor() -> str:
    """Its name, as Linux gives it; of several that share it, which one."""
    text = Path("/proc/cpuinfo").read_text()
    numbers = re.findall(r"^(?:cpu family|model)\s*: (\d+)$", text, re.M)[:2]
    more = ", family {} model {}".format(*numbers) if numbers else ""
    return processor() + more


def summary(found: dict[str, dict]) -> dict:
    """Everything, by row and by machine. found: what judge.py said of each."""
    rows: dict[tuple, dict] = {}
    for machine, said in found.items():
        for row in said["rows"]:
            key = row["rung"], row["what"]
            known = rows.setdefault(key, row | {"machine": machine, "on": 0})
            known["on"] += 1
            if order(row) > order(known):
                known |= row | {"machine": machine, "on": known["on"]}
    worst = max(found, key=lambda name: found[name]["double"]["error"])
    frameworks = next(iter(found.values()))["rounding"]
    return {
        "format": FORMAT,
        "processor": which_processor(),
        "machines": list(found),
        "rows": list(rows.values()),
        "double": found[worst]["double"] | {"machine": worst},
        "roundings": {
            who: len({said["rounding"][who] for said in plain(found)})
            for who in frameworks
        },
        "plain": len(plain(found)),
        "uncapped": uncapped(found),
        "versions": {
            who: said["versions"]
            for who, said in next(iter(found.values()))["facts"].items()
        },
    }


def order(row: dict) -> tuple[bool, float]:
    """What is worse is more: a row that failed, then the share it takes."""
    return row["failed"], row["share"]


def uncapped(found: dict[str, dict]) -> list[str]:
    """The frameworks that round alike under different caps.

    Which then do not take hold. Not the caps that are of one framework only,
    nor this processor's own instructions, which may be those of a cap.
    """
    if platform.machine() != "x86_64":
        return []
    caps = {m.name: m.cap for m in MACHINES if m.cap in CAPPED}
    mine = [name for name in names(found) if name in caps]
    wanted = len({caps[name] for name in mine})
    return [
        who
        for who in next(iter(found.values()))["rounding"]
        if len({found[name]["rounding"][who] for name in mine}) < wanted
    ]


def names(found: dict[str, dict]) -> list[str]:
    """Of those with the ladder's own cases: their bits may be compared.

    Not of one that has climbed no rung which rounds float32.
    """
    return [
        name
        for name, said in found.items()
        if "-order" not in name
        and "-seeds" not in name
        and None not in said["rounding"].values()
    ]


def plain(found: dict[str, dict]) -> list[dict]:
    """What was said of them."""
    return [found[name] for name in names(found)]


def sentence(report: dict) -> str:
    """What float64 shows, in one sentence."""
    double, machines = report["double"], len(report["machines"])
    return (
        f"In float64 the largest difference between any two of the three and "
        f"the NumPy oracle, in {double['numbers']:,} numbers on each of "
        f"{machines} machines, is {double['error']:.1e} of a tensor's largest "
        f"number (`{double['tensor']}` on {double['machine']})."
    )


def rounding(report: dict) -> str:
    """How many different bits the machines gave: that the caps took hold."""
    each = ", ".join(f"{who} {n}" for who, n in report["roundings"].items())
    return (
        f"On {report['plain']} machine{'s' * (report['plain'] != 1)} with the "
        "same cases, float32 came out in this many different roundings: "
        f"{each}."
    )


def times(row: dict) -> str:
    """How often the error goes into the tolerance."""
    if row["share"] == 0:
        return "equal" if row["tolerance"] == 0 else "no error"
    return f"{1 / row['share']:.1f}"


def cells(row: dict) -> tuple[str, ...]:
    """One line of the table."""
    tolerance = f"{row['tolerance']:.1e}" if row["tolerance"] else "exact"
    error = f"{row['error']:.1e}" if row["error"] else "0"
    return (
        *(row["rung"], row["what"], str(row["on"])),
        *(error, tolerance, times(row)),
    )


def failures(report: dict) -> list[str]:
    """A line for each row that is nearer than 3 times to its tolerance.

    And for a framework on which a cap did not take hold.
    """
    lines = [
        f"{who}: rounds alike with other instruction sets: a cap did not take "
        "hold"
        for who in report.get("uncapped", ())
    ]
    for row in report["rows"]:
        near = row["share"] * TIMES > 1 and not row["counted"]
        if row["failed"] or near:
            lines.append(
                f"rung {row['rung']}, {row['what']}: error {row['error']:.1e} "
                f"on {row['machine']} ({row['tensor']}, {row['who']}), "
                f"tolerance {row['tolerance']:.1e}: expected {TIMES} times less"
            )
    return lines


def show(report: dict) -> None:
    """The table, for people."""
    say(f"The ladder on {len(report['machines'])} machines")
    where = [f"{row['machine']}: {row['tensor']}" for row in report["rows"]]
    table = [[*HEAD, "where"]]
    for row, place in zip(report["rows"], where, strict=True):
        table.append([*map(str, cells(row)), place])
    first_to_go = [len(HEAD), HEAD.index("machines"), HEAD.index("tolerance")]
    table = narrow(table, columns(sys.stdout), first_to_go)
    print(*align(table, None, 2), sep="\n")
    say(sentence(report))
    say(rounding(report))


def markdown(report: dict) -> str:
    """The same for docs/."""
    names = ", ".join(report["machines"])
    lines = [
        sentence(report),
        rounding(report),
        "",
        f"Measured on {report['processor']}, commit "
        f"{report['git_commit'][:7]}; machines: {names}.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---" * len(HEAD) + "|",
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in report["rows"]]
    return "\n".join(lines)
