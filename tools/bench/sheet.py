"""A table of text cells: for a terminal or for Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

NOTHING = ""


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The lines of a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@dataclass
class Sheet:
    """A table: its title, its heads, its rows of cells."""

    title: str
    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def markdown(self) -> str:
        """The table, without its title, in Markdown."""
        return markdown_table(self.heads, self.rows)
