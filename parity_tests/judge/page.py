"""The ladder as a page and as a picture, from the JSON report alone."""

import math
from pathlib import Path

import jinja2

# The axis of the picture: powers of ten at its ends, and pixels.
DECADES = range(-17, 1)
LEFT, DECADE, HIGH = 312, 32, 18


def environment() -> jinja2.Environment:
    """The templates beside this file, with what both of them use."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["in_words"] = said
    return made


def in_shares(error: str, tolerance: str) -> tuple[str, str]:
    """Both for people: "51 %" "of its limit" for 5.1e-01 of 1.0e+00."""
    if error and tolerance == "1.0e+00":
        return f"{100 * float(error):.0f} %", "of its limit"
    return error, tolerance


def said(row: dict) -> dict:
    """A row with its error and its tolerance as people say them."""
    names = "worst error", "tolerance"
    words = in_shares(*(row[name] for name in names))
    return row | dict(zip(names, words, strict=True))


def as_html(report: dict) -> str:
    """One page of a report that `as_data` made."""
    picture = as_svg(report, apart=False)
    template = environment().get_template("page.html")
    return template.render(report=report, picture=picture)


def place(value: float) -> float:
    """Where a number is drawn, in pixels; 0 stands at the left end."""
    power = math.log10(value) if value else DECADES[0]
    return round(LEFT + DECADE * (max(power, DECADES[0]) - DECADES[0]), 1)


def as_svg(report: dict, apart: bool = True) -> str:
    """A dot at each row's worst error, and a tick at its tolerance.

    apart: as a file of its own, not in a page.
    """
    rows = [
        {
            "rung": int(row["rung"].partition(" ")[0]),
            "name": row["rung"],
            "what": row["what"],
            "error": said(row)["worst error"],
            "tolerance": said(row)["tolerance"],
            "dot": place(float(row["worst error"])),
            "tick": place(float(row["tolerance"])),
            "failed": row["verdict"] == "FAIL",
        }
        for row in report["rows"]
        if row["worst error"] and row["tolerance"] not in ("", "exact")
    ]
    exact = sum(row["tolerance"] == "exact" for row in report["rows"])
    return (
        environment()
        .get_template("margins.svg")
        .render(
            rows=rows,
            exact=exact,
            apart=apart,
            ticks={power: place(10.0**power) for power in DECADES[1::2]},
            left=LEFT,
            right=place(1),
            high=HIGH,
        )
    )
