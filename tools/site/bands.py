"""Pieces laid beside each other: bands of one height, and what differs.

A band begins where the three do the same thing: where they define the same
method, assign to the same name, return, or carry the same stage comment,
`# 2 forward`. Between two such places each does it in its own way.
"""

import ast
import re
from difflib import SequenceMatcher
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from pygments.token import Comment, Punctuation, String, Whitespace

from tools.site.code import Token
from tools.site.contract import FRAMEWORKS, Piece

STAGE = re.compile(r" *# ([1-9] \w.*)")
CALLS = {"forward": "call", "__call__": "call"}
DOC = "docstring"


class Unit(NamedTuple):
    """Lines that stay together; `key` says beside what they may stand."""

    key: str | None  # None: what leads in a statement
    lines: range  # numbers in the piece, from 0

    @property
    def kind(self) -> str:
        """How a page shows it: a docstring folds, a stage stands out."""
        if self.key == DOC:
            return "doc"
        return "stage" if (self.key or "")[:1].isdigit() else ""


class Band(NamedTuple):
    """Units of one framework, and the rows of the page that they fill."""

    units: list[Unit]
    row: int
    rows: int

    @property
    def lines(self) -> range:
        """Numbers in the piece, from 0."""
        return range(self.units[0].lines.start, self.units[-1].lines.stop)


def key(node: ast.stmt) -> str:
    """What a statement does, in words that the frameworks share."""
    match node:
        case ast.FunctionDef(name=name):
            return "def " + CALLS.get(name, name)
        case ast.Assign(targets=[target, *_]):
            return ast.unparse(target).strip("()")
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return ast.unparse(target)
        case ast.Return():
            return f"return at {node.col_offset}"
        case ast.If(test=test):
            return "if " + ast.unparse(test)
        case ast.For(target=target):
            return "for " + ast.unparse(target)
        case ast.Import() | ast.ImportFrom():
            return re.sub("|".join(FRAMEWORKS), "", ast.unparse(node))
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
            return f"call {name}"
    return type(node).__name__


def statements(node: ast.AST):
    """Line, from 0, and key of all statements below, from top to bottom."""
    body = getattr(node, "body", [])
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            text = isinstance(child, ast.Expr) and isinstance(
                child.value, ast.Constant
            )
            first = text and child is body[0]
            yield child.lineno - 1, DOC if first else key(child)
        if isinstance(child, ast.stmt | ast.excepthandler):
            yield from statements(child)


def units(piece: Piece) -> list[Unit]:
    """All lines of a piece: statements, and what leads them in."""
    keys: dict[int, str | None] = {}
    for line, words in statements(ast.parse("\n".join(piece.lines))):
        keys.setdefault(line, words)
    for line in sorted(keys):
        while line and piece.lines[line - 1].lstrip()[:1] in ("#", "@"):
            line -= 1
            keys[line] = None
    for line in list(keys):
        if match := STAGE.fullmatch(piece.lines[line]):
            keys[line] = match[1]
    # Lines that lead in stay together, but for a stage.
    starts = [
        line
        for line in sorted(keys)
        if keys[line] is not None or keys.get(line - 1, "") is not None
    ]
    if not starts or starts[0]:
        starts.insert(0, 0)
    ends = [*starts, len(piece.lines)]
    return [Unit(keys.get(a), range(a, b)) for a, b in pairwise(ends)]


def common(columns: list[list[Unit]]) -> list[tuple[int, ...]]:
    """Places of the longest sequence of keys that all columns hold."""

    @cache
    def longest(places: tuple[int, ...]) -> tuple[int, tuple | None]:
        if any(p == len(c) for p, c in zip(places, columns, strict=True)):
            return 0, None
        keys = {c[p].key for p, c in zip(places, columns, strict=True)}
        if len(keys) == 1 and None not in keys:
            after = tuple(p + 1 for p in places)
            return longest(after)[0] + 1, after
        moved = (
            tuple(p + (n == k) for n, p in enumerate(places))
            for k in range(len(places))
        )
        best = max(moved, key=lambda places: longest(places)[0])
        return longest(best)[0], best

    found, places = [], (0,) * len(columns)
    while places is not None and longest(places)[0]:
        after = longest(places)[1]
        if all(b == a + 1 for a, b in zip(places, after, strict=True)):
            found.append(places)
        places = after
    return found


class Layout:
    """The rows of some pieces beside each other, made from top to bottom."""

    def __init__(self, pieces: dict[str, Piece]):
        self.units = {f: units(piece) for f, piece in pieces.items()}
        self.bands: dict[str, list[Band]] = {f: [] for f in pieces}
        self.rows = 0
        self.fill({f: range(len(found)) for f, found in self.units.items()})

    def put(self, places: dict[str, range], rows: int = 1) -> None:
        """Let some units begin in the next row."""
        for framework, part in places.items():
            found = self.units[framework][part.start : part.stop]
            if found:
                band = Band(found, self.rows, rows)
                self.bands[framework].append(band)

    def fill(self, places: dict[str, range]) -> None:
        """Lay units beside each other: all columns, then each two of them."""
        places = {f: part for f, part in places.items() if part}
        matches = self.matches(places)
        if not matches and len(places) == 3:
            pairs = [
                {f: part for f, part in places.items() if f != third}
                for third in places
            ]
            pair = max(pairs, key=lambda pair: len(self.matches(pair)))
            if self.matches(pair):
                before = self.rows
                self.fill(pair)
                rows, self.rows = self.rows - before, before
                self.put({f: places[f] for f in places.keys() - pair}, rows)
                self.rows += rows
                return
        if not matches or len(places) < 2:
            self.put(places)
            self.rows += bool(places)
            return
        done = {f: part.start for f, part in places.items()}
        for match in matches:
            # What leads in has a row of its own, just above.
            leads = {
                f: at - (at > done[f] and self.units[f][at - 1].key is None)
                for f, at in match.items()
            }
            self.fill({f: range(done[f], at) for f, at in leads.items()})
            lead = {f: range(leads[f], at) for f, at in match.items()}
            self.put(lead)
            self.rows += any(lead.values())
            self.put({f: range(at, at + 1) for f, at in match.items()})
            self.rows += 1
            done = {f: at + 1 for f, at in match.items()}
        self.fill({f: range(done[f], places[f].stop) for f in places})

    def matches(self, places: dict[str, range]) -> list[dict[str, int]]:
        """Where all of these columns do the same, from top to bottom."""
        columns = [self.units[f][p.start : p.stop] for f, p in places.items()]
        return [
            {
                f: part.start + at
                for (f, part), at in zip(places.items(), match, strict=True)
            }
            for match in (common(columns) if len(columns) > 1 else ())
        ]


def plain(token: Token) -> bool:
    """Whether a token takes no part in the comparison."""
    skipped = token.kind in Comment or token.kind in String.Doc
    return skipped or token.kind in Whitespace or not token.text.strip()


def lacking(tokens: dict[str, list[Token]]) -> dict[str, list[set[str]]]:
    """For each token of each framework, which of the others lack it.

    Punctuation is counted only beside a token that is.
    """
    told = {
        f: [n for n, token in enumerate(part) if not plain(token)]
        for f, part in tokens.items()
    }
    words = {f: [tokens[f][n].text for n in told[f]] for f in tokens}
    missing = {f: [set() for _ in part] for f, part in tokens.items()}
    for left in tokens:
        for right in tokens:
            if left == right:
                continue
            match = SequenceMatcher(None, words[left], words[right], False)
            alone = set(range(len(words[left])))
            for block in match.get_matching_blocks():
                alone -= set(range(block.a, block.a + block.size))
            for place in sorted(alone):
                here = tokens[left][told[left][place]]
                near = {place - 1, place + 1} & alone
                solid = any(
                    tokens[left][told[left][n]].kind not in Punctuation
                    for n in near
                )
                if here.kind not in Punctuation or solid:
                    missing[left][told[left][place]].add(right)
    for part, gaps in zip(tokens.values(), missing.values(), strict=True):
        for n in range(1, len(part) - 1):
            if not part[n].text.strip():  # a space between two words
                gaps[n] = gaps[n - 1] & gaps[n + 1]
    return missing
