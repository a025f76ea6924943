"""The rules by which mutants are made, each for one kind of syntax.

Constants, operators, conditions, names with a natural opposite, the order of
arguments, and what can be left out: keyword arguments, statements,
decorators.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from parity_tests.mutants.places import File
from parity_tests.mutants.source import Mutant, shown

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
# Names that are taken for each other, both ways.
CONFUSED = (
    *(("train", "eval"), ("max", "min"), ("ones", "zeros"), ("mean", "var")),
    *(("top", "left"), ("rows", "cols")),
    *(("crop_top", "crop_left"), ("cutout_top", "cutout_left")),
    ("train_images", "test_images"),
    *(("train_data", "test_data"), ("float32", "float64")),
)
OPPOSITES = {
    "argmax": "argmin",
    "amax": "amin",
    "reduce_max": "reduce_min",
    "reduce_sum": "reduce_mean",
    "sum": "mean",
    "scale": "bias",
    "images": "labels",
    **dict(CONFUSED),
    **{other: one for one, other in CONFUSED},
}
# Calls whose words are for people.
SPEAKING = {"say", "print", "_fail", "_end", "require", "shown"}
DECORATORS_KEPT = {"property", "dataclass", "contextmanager"}


def constants(file: File, node: ast.Constant, above: tuple):
    """Numbers a little larger or smaller, booleans negated, other words."""
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
        if isinstance(parent, ast.Call) and called_for_people(parent):
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
    """Neighbors that change places; keywords that are left out."""
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
            change = shown("@" + file.text(one), "left out")
            yield replace(mutant, change=change)


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
    (ast.Expr | ast.Assign | ast.AugAssign, statements),
    (ast.Return | ast.Raise | ast.Break | ast.Continue, statements),
    (ast.FunctionDef | ast.ClassDef, decorators),
)
