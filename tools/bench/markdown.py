"""A published bench as Markdown, for docs/performance.md."""

from tools.bench.sheet import Sheet
from tools.bench.tables import (
    dropout_sheet,
    kernels_sheet,
    limits_sheet,
    noise_line,
    peers_sheet,
    scale_sheet,
    speeds_sheet,
    world_sheet,
)

# Of the libraries, the ones to name beside the figures.
SHOWN = ("tensorflow", "tensorflow-cpu", "torch", "jax", "keras")


def titled(*sheets: Sheet) -> str:
    """The tables that have rows, each below its title."""
    found = [f"{s.title}:\n\n{s.markdown()}" for s in sheets if s.rows]
    return "\n\n".join(found) or "Not measured."


def times(number: int) -> str:
    """How often, in words."""
    return "once" if number == 1 else f"{number} times"


def where(report: dict) -> str:
    """Machine, versions, date, commit and command, in one sentence."""
    machine = report["machine"]
    place = f"{machine['cores']} cores of {machine['processor']}"
    if machine["device"] != "cpu":
        place = machine["device"]
    libraries = {}
    for versions in report["versions"].values():
        libraries |= versions
    named = ", ".join(
        f"{name.removesuffix('-cpu')} {libraries[name]}"
        for name in SHOWN
        if name in libraries
    )
    commit = (report["git_commit"] or "unknown")[:12]
    return (
        f"Measured on {place}, with {named}, on "
        f"{report['date']} at commit `{commit}`, by "
        f"`{report['command']}`, each row {times(report['repeats'])}. "
    ) + noise_line(report)


def printed(report: dict, *sheets: Sheet) -> str:
    """These tables; where and how they were measured."""
    return f"{titled(*sheets)}\n\n{where(report)}"


def figures(report: dict) -> str:
    """The main tables."""
    makers = (limits_sheet, speeds_sheet, dropout_sheet, peers_sheet)
    return printed(report, *(make(report) for make in makers))


def scale(report: dict) -> str:
    """Against width, batch and threads."""
    return printed(report, scale_sheet(report))


def profiles(report: dict) -> str:
    """The kernels of one step."""
    return printed(report, *map(kernels_sheet, report["profiles"]))


def world(report: dict) -> str:
    """One process beside two."""
    return printed(report, world_sheet(report))
