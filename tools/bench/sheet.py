"""A table of text cells: for a terminal and for Markdown."""

from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table

NOTHING = ""


@dataclass
class Sheet:
    """A table: its title, its heads, its rows of cells."""

    title: str
    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def markdown(self) -> str:
        """The table, without its title, in Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def rich(self) -> Table:
        """The table for a terminal."""
        table = Table(title=self.title, title_justify="left", box=None)
        for place, head in enumerate(self.heads):
            table.add_column(head, justify="left" if place == 0 else "right")
        for cells in self.rows:
            table.add_row(*map(escape, cells))
        return table
