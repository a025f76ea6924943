"""The source of one file, and the places of its syntax in it."""

import ast

from parity_tests.mutants.source import Mutant, located, shown


class File:
    """The source of one file, and places in it."""

    def __init__(self, name: str, whole: bytes):
        self.name, self.whole = name, whole
        self.starts = [0]
        for line in whole.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """First byte of a node, and the one after its last."""
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(self, node: ast.AST) -> str:
        """The source of a node."""
        start, end = self.span(node)
        return self.whole[start:end].decode()

    def mutant(self, start, end, new, what, around=None) -> Mutant:
        """The change of some bytes; around: a node to be shown with it."""
        if around is None:
            return located(self.whole, self.name, start, end, new, what)
        first, last = self.span(around)
        old = self.whole[first:last].decode()
        changed = self.whole[first:start].decode() + new
        changed += self.whole[end:last].decode()
        return located(
            *(self.whole, self.name, start, end, new, what),
            change=shown(old, changed),
        )

    def node(self, node: ast.AST, new: str, what: str) -> Mutant:
        """The change of a whole node."""
        return self.mutant(*self.span(node), new, what)
