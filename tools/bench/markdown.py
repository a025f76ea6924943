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
        f"`{report['command']}`, each row {report['repeats']} times. "
    ) + noise_line(report)


def figures(report: dict) -> str:
    """The main tables; where and how they were measured."""
    makers = (limits_sheet, speeds_sheet, dropout_sheet, peers_sheet)
    return titled(*(make(report) for make in makers)) + "\n\n" + where(report)


def scale(report: dict) -> str:
    """Against width, batch and threads; where and how it was measured."""
    return titled(scale_sheet(report)) + "\n\n" + where(report)


def profiles(report: dict) -> str:
    """The kernels of one step; where and how they were measured."""
    made = map(kernels_sheet, report["profiles"])
    return titled(*made) + "\n\n" + where(report)


def world(report: dict) -> str:
    """One process beside two; where and how they were measured."""
    return titled(world_sheet(report)) + "\n\n" + where(report)
