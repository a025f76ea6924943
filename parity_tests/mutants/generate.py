"""Mutants made by mutation operators from the syntax tree of a file.

What is not changed: docstrings, annotations, imports, and texts for people,
which no training depends on. The rules are in rules.py.
"""

import ast
import math
import random
from collections.abc import Iterator
from dataclasses import replace

from parity_tests.mutants.places import File
from parity_tests.mutants.rules import RULES
from parity_tests.mutants.source import ROOT, Mutant

FEWEST = 3  # of a file that are tried, however small the share


def possible(name: str, whole: bytes | None = None) -> list[Mutant]:
    """All mutants of a file, in the order of its lines."""
    whole = (ROOT / name).read_bytes() if whole is None else whole
    file = File(name, whole)
    found = list(visit(file, ast.parse(whole), ()))
    found.sort(key=lambda m: (m.start, m.end, m.new))
    seen: dict[tuple, int] = {}
    numbered = []
    for mutant in found:
        same = (mutant.text, mutant.change)
        seen[same] = seen.get(same, -1) + 1
        numbered.append(replace(mutant, nth=seen[same]))
    return numbered


def sample(name: str, share: float, seed: int) -> list[Mutant]:
    """A share of a file's mutants, FEWEST at least; a seed tells which.

    A larger share contains a smaller one: its outcomes are in the log.
    """
    every = possible(name)
    number = min(len(every), max(FEWEST, math.ceil(share * len(every))))
    random.Random(f"{seed} {name}").shuffle(every)
    return sorted(every[:number], key=lambda m: m.start)


def visit(file: File, node: ast.AST, above: tuple) -> Iterator[Mutant]:
    """The mutants of a node and of all below it."""
    if skipped(node, above):
        return
    yield from here(file, node, above)
    for child in ast.iter_child_nodes(node):
        if not annotates(node, child):
            yield from visit(file, child, (*above, node))


def skipped(node: ast.AST, above: tuple) -> bool:
    """Whether a node is of no consequence, or only for people."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    parent = above[-1] if above else None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    # Aliases of types.
    if isinstance(node, ast.Assign) and isinstance(parent, ast.Module):
        return node.targets[0].id in ("Metrics", "Sums", "Batches", "Say")
    return False


def annotates(parent: ast.AST, child: ast.AST) -> bool:
    """Whether a child only states a type."""
    return child in (
        getattr(parent, "annotation", None),
        getattr(parent, "returns", None),
    )


def here(file: File, node: ast.AST, above: tuple) -> Iterator[Mutant]:
    """The mutants of this node alone."""
    for kind, rule in RULES:
        if isinstance(node, kind):
            yield from rule(file, node, above)
