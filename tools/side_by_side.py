"""Print one name, or one section, of the three frameworks side by side.

    python -m tools.side_by_side ConvBN
    python -m tools.side_by_side Optimizer

Beside each other where the terminal is wide enough, with long lines wrapped,
else below each other. In a pipe below each other, and no line is wrapped.
"""

import difflib
import os
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from tools.site.contract import (
    FRAMEWORKS,
    HEAD,
    BuildError,
    Row,
    Section,
    sections,
)

MARGIN = 6  # columns for a line's number, and the gap behind it
NARROWEST = 60  # columns of a framework beside the two others
CODE = 80  # columns of the longest line of source


@dataclass
class Flags:
    """Print one name of the three frameworks side by side."""

    # a public name (ConvBN, train_step) or a section (Blocks, Steps)
    name: Annotated[str, tyro.conf.Positional]


def find(name: str, known: list[Section]) -> list[Row]:
    """The rows of a section or of a name; [] if there is none.

    Batches is both: the section, which holds the name.
    """
    found = [row for s in known if name == s.name != HEAD for row in s.rows]
    if found or name == HEAD:
        return found
    return [row for s in known for row in s.rows if row.name == name]


def names(known: list[Section]) -> list[str]:
    """All names and sections that can be asked for."""
    found = [row.name for s in known for row in s.rows if row.name != HEAD]
    found += [s.name for s in known if s.name != HEAD]
    return list(dict.fromkeys(found))


def unknown(name: str, known: list[str]) -> str:
    """What to say of a name that is not there, with the nearest one."""
    lower = {one.lower(): one for one in reversed(known)}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    hint = f"did you mean {lower[near[0]]}? There" if near else "there"
    return f"no name or section {name!r}; {hint} are {', '.join(known)}"


def pieces(row: Row) -> dict[str, tuple[int, list[str]]]:
    """First line and lines of code, by framework."""
    return {f: (p.first, list(p.lines)) for f, p in row.pieces.items()}


def show(row: Row, console: Console) -> None:
    """Print one row: three columns, or three parts."""
    code = pieces(row)
    widths = [
        MARGIN + max(map(len, code[f][1])) if f in code else 24
        for f in FRAMEWORKS
    ]
    heads, cells = [], []
    for framework, title in FRAMEWORKS.items():
        piece = row.pieces.get(framework)
        place = f"  {piece.path}:{piece.first}" if piece else ""
        heads.append(Text.assemble((title, "bold"), (place, "dim")))
        cells.append(_cell(row, framework, code))
    wanted = min(sum(widths) + 2 * len(widths), NARROWEST * len(widths))
    if wanted <= console.width:
        table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
        for head, width in zip(heads, widths, strict=True):
            table.add_column(head, ratio=width)
        table.add_row(*cells)
        console.print(table)
        return
    for head, cell in zip(heads, cells, strict=True):
        console.print(head)
        console.print(cell)
        console.print()


def _cell(row: Row, framework: str, code: dict):
    if framework not in code:
        return Text(f"no {row.name} here", "dim italic")
    first, lines = code[framework]
    return Syntax(
        "\n".join(lines),
        "python",
        theme="ansi_light",  # the terminal's own colors
        line_numbers=True,
        word_wrap=True,
        start_line=first,
        background_color="default",
    )


def main(argv: list[str] | None = None) -> int:
    """Print what the flags ask for; the exit code."""
    flags = tyro.cli(Flags, args=argv, description=__doc__)
    try:
        known = sections()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = find(flags.name, known)
    if not rows:
        print(f"error: {unknown(flags.name, names(known))}", file=sys.stderr)
        return 2
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = CODE + MARGIN + 2
    for row in rows:
        show(row, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
