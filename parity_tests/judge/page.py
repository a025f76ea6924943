"""The ladder as a page, from the JSON report; it needs nothing else."""

from pathlib import Path

import jinja2

TEMPLATE = Path(__file__).with_name("page.html").read_text()


def as_html(report: dict) -> str:
    """One page of a report that `as_data` made."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(TEMPLATE).render(report=report)
