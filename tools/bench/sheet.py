"""A table of text cells: for a terminal or for Markdown."""

from dataclasses import dataclass, field

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
