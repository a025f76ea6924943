"""Mutants made by rule from the syntax tree of a file.

What is changed: constants, operators, conditions, names with a natural
opposite, the order of arguments, and what can be left out: keyword
arguments, statements, decorators. What is not: docstrings, annotations,
imports, and texts for people, which no training depends on.
"""

import ast
import math
import random
import re
from collections.abc import Iterator
from dataclasses import replace

from parity_tests.mutants.source import ROOT, Mutant, located, shown

BINARY = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
# Names that are taken for each other.
OPPOSITES = {
    "train": "eval",
    "eval": "train",
    "max": "min",
    "min": "max",
    "argmax": "argmin",
    "amax": "amin",
    "reduce_max": "reduce_min",
    "reduce_sum": "reduce_mean",
    "sum": "mean",
    "ones": "zeros",
    "zeros": "ones",
    "top": "left",
    "left": "top",
    "rows": "cols",
    "cols": "rows",
    "crop_top": "crop_left",
    "crop_left": "crop_top",
    "cutout_top": "cutout_left",
    "cutout_left": "cutout_top",
    "mean": "var",
    "var": "mean",
    "scale": "bias",
    "images": "labels",
    "train_images": "test_images",
    "test_images": "train_images",
    "train_data": "test_data",
    "test_data": "train_data",
    "float32": "float64",
    "float64": "float32",
}
# Calls whose words are for people.
SPEAKING = {"say", "print", "_fail", "_end", "require", "shown"}
DECORATORS_KEPT = {"property", "dataclass", "contextmanager"}


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
    """A share of a file's mutants, 3 at least, the same for the same seed."""
    every = possible(name)
    number = min(len(every), max(3, math.ceil(share * len(every))))
    draw = random.Random(f"{seed} {name}")
    return sorted(draw.sample(every, number), key=lambda m: m.start)


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


def constants(file: File, node: ast.Constant, above: tuple):
    """Numbers a little larger or smaller, booleans turned, other words."""
    value = node.value
    if isinstance(value, bool):
        yield file.node(node, str(not value), "constant")
    elif isinstance(value, int):
        yield file.node(node, str(value + 1), "constant")
        yield file.node(node, f"{value - 1}" if value else "-1", "constant")
    elif isinstance(value, float):
        new = repr(value * 1.01) if value else "1.0"
        yield file.node(node, new, "constant")
    elif isinstance(value, str) and not for_people(node, above):
        quoted = file.text(node)
        if quoted.startswith(('"', "'")) and len(quoted) == len(value) + 2:
            yield file.node(node, f'"{value}x"', "constant")


def for_people(node: ast.Constant, above: tuple) -> bool:
    """Whether a text is read by people only."""
    if re.search(r"\s", node.value) or node.value == "":
        return True
    for parent in above:
        if isinstance(parent, ast.Raise):
            return True
        if isinstance(parent, ast.Call):
            called = getattr(parent.func, "attr", None) or getattr(
                parent.func, "id", ""
            )
            if called in SPEAKING:
                return True
    return False


def operators(file: File, node: ast.BinOp, above: tuple):
    """Another operator between the same two."""
    yield from swapped_between(
        *(file, node, node.left, node.right, BINARY.get(type(node.op)))
    )


def comparisons(file: File, node: ast.Compare, above: tuple):
    """Another comparison."""
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        pair = COMPARISONS.get(type(op))
        yield from swapped_between(file, node, left, right, pair)
        left = right


def swapped_between(file, node, left, right, pair) -> Iterator[Mutant]:
    """The mutant of an operator that stands between two nodes."""
    start, end = file.span(left)[1], file.span(right)[0]
    gap = file.whole[start:end].decode()
    if pair is None or "#" in gap or pair[0] not in gap:
        return
    start += gap.index(pair[0])
    end = start + len(pair[0])
    yield file.mutant(start, end, pair[1], "operator", node)


def words(file: File, node: ast.BoolOp, above: tuple):
    """`or` for `and`, and the reverse."""
    old, new = "and", "or"
    if isinstance(node.op, ast.Or):
        old, new = new, old
    parts = [f"({file.text(value)})" for value in node.values]
    yield file.node(node, "(" + f" {new} ".join(parts) + ")", "operator")


def signs(file: File, node: ast.UnaryOp, above: tuple):
    """Without its minus or `not`."""
    if isinstance(node.op, ast.USub | ast.Not):
        yield file.node(node, file.text(node.operand), "operator")


def conditions(file: File, node: ast.AST, above: tuple):
    """The opposite of a condition."""
    if not isinstance(node.test, ast.UnaryOp):  # else its `not` goes
        new = f"(not ({file.text(node.test)}))"
        yield file.node(node.test, new, "condition")


def filters(file: File, node: ast.comprehension, above: tuple):
    """The opposite of a comprehension's filter."""
    for test in node.ifs:
        yield file.node(test, f"(not ({file.text(test)}))", "condition")


def updates(file: File, node: ast.AugAssign, above: tuple):
    """Another `+=`."""
    pair = BINARY.get(type(node.op))
    yield from swapped_between(file, node, node.target, node.value, pair)


def names(file: File, node: ast.AST, above: tuple):
    """A name for its opposite."""
    old = node.id if isinstance(node, ast.Name) else node.attr
    new = OPPOSITES.get(old)
    if new and isinstance(node.ctx, ast.Load):
        _, end = file.span(node)
        start = end - len(old)
        yield file.mutant(start, end, new, "name", node)


def arguments(file: File, node: ast.Call, above: tuple):
    """Neighbours that change places; keywords that are left out."""
    for one, other in zip(node.args, node.args[1:], strict=False):
        a, b = file.text(one), file.text(other)
        starred = isinstance(one, ast.Starred) or isinstance(other, ast.Starred)
        spoken = called_for_people(node)
        if a != b and not starred and not spoken:
            (start, middle), (then, end) = file.span(one), file.span(other)
            gap = file.whole[middle:then].decode()
            yield file.mutant(start, end, b + gap + a, "argument")
    for word in node.keywords:
        if word.arg is not None:
            start, end = file.span(word)
            tail = re.match(rb"\s*,", file.whole[end:])
            end += tail.end() if tail else 0
            old = f"{word.arg}={file.text(word.value)}"
            mutant = file.mutant(start, end, "", "argument")
            yield replace(mutant, change=shown(old, "left out"))


def called_for_people(node: ast.Call) -> bool:
    """Whether a call only speaks."""
    func = node.func
    return getattr(func, "attr", getattr(func, "id", "")) in SPEAKING


def statements(file: File, node: ast.stmt, above: tuple):
    """A statement that is not there."""
    mutant = file.node(node, "pass", "statement")
    yield replace(mutant, change=shown(file.text(node), "pass"))


def decorators(file: File, node: ast.AST, above: tuple):
    """A function without its decorator."""
    for one in node.decorator_list:
        if not DECORATORS_KEPT & set(re.findall(r"\w+", file.text(one))):
            start, end = file.span(one)
            mutant = file.mutant(start - 1, end, "", "decorator")
            yield replace(
                mutant, change=shown("@" + file.text(one), "left out")
            )


RULES = (
    (ast.Constant, constants),
    (ast.BinOp, operators),
    (ast.Compare, comparisons),
    (ast.BoolOp, words),
    (ast.UnaryOp, signs),
    (ast.If | ast.While | ast.IfExp, conditions),
    (ast.comprehension, filters),
    (ast.AugAssign, updates),
    (ast.Name | ast.Attribute, names),
    (ast.Call, arguments),
    (
        ast.Expr
        | ast.Assign
        | ast.AugAssign
        | ast.Return
        | ast.Raise
        | ast.Break
        | ast.Continue,
        statements,
    ),
    (ast.FunctionDef | ast.ClassDef, decorators),
)
