"""Pieces beside each other: what stands in one row, and what is tinted."""

import ast
from itertools import pairwise

import pytest

from tools.site.bands import Layout, lacking
from tools.site.code import api, tokens
from tools.site.contract import FRAMEWORKS, ROOT, Piece, sections

ROOTS = {"tensorflow", "torch", "jax", "flax", "optax"}


def rows(*texts: str) -> list[list[str]]:
    """What stands in each row of the page, by column."""
    pieces = {
        framework: Piece(framework, "x.py", "f", 1, tuple(text.splitlines()))
        for framework, text in zip(FRAMEWORKS, texts, strict=False)
    }
    layout = Layout(pieces)
    made = [[""] * len(pieces) for _ in range(layout.rows)]
    for column, (framework, bands) in enumerate(layout.bands.items()):
        for band in bands:
            lines = [pieces[framework].lines[n].strip() for n in band.lines]
            made[band.row][column] = "|".join(lines)
    return made


def test_statements_that_do_the_same_stand_in_one_row():
    found = rows(
        "def f(x):\n    x = a(\n        x\n    )\n    return x",
        "def f(x):\n    # why\n    x = b(x)\n    log(x)\n    return x",
        "def f(x):\n    start()\n    x = c(x)\n    return x",
    )
    assert found == [
        ["def f(x):"] * 3,
        ["", "", "start()"],
        ["", "# why", ""],
        ["x = a(|x|)", "x = b(x)", "x = c(x)"],
        ["", "log(x)", ""],
        ["return x"] * 3,
    ]


def test_a_stage_stands_in_one_row_and_call_is_forward():
    text = "class A:\n    def {}(self):\n        {}# 1 go\n        q()"
    calls = "call", "forward", "__call__"
    before = "p()\n        ", "", ""
    found = rows(*map(text.format, calls, before))
    assert found[1] == [f"def {name}(self):" for name in calls]
    assert found[2:] == [["p()", "", ""], ["# 1 go"] * 3, ["q()"] * 3]


def test_two_columns_align_where_the_third_has_nothing_like_it():
    found = rows(
        "def f():\n    a = 1\n    b = 2",
        "def f():\n    other()",
        "def f():\n    a = 3\n    b = 4",
    )
    assert found[1:] == [["a = 1", "other()", "a = 3"], ["b = 2", "", "b = 4"]]


@pytest.mark.parametrize(
    "row",
    [row for s in sections() for row in s.rows],
    ids=lambda row: row.name,
)
def test_every_line_stands_in_one_row_in_order(row):
    layout = Layout(row.pieces)
    for framework, piece in row.pieces.items():
        bands = layout.bands[framework]
        shown = [n for band in bands for n in band.lines]
        assert shown == list(range(len(piece.lines)))
        ends = [(band.row, band.row + band.rows) for band in bands]
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
        assert ends[-1][1] <= layout.rows


def test_a_token_is_told_from_those_who_lack_it():
    (a,), (b,), (c,) = (
        tokens(text) for text in ("x = f(y)  # why", "x = g(y)", "x = f(z)")
    )
    found = lacking({"a": a, "b": b, "c": c})
    told = {
        token.text: lacks
        for token, lacks in zip(a, found["a"], strict=True)
        if lacks
    }
    assert told == {"f": {"b"}, "y": {"c"}}
    assert not any(found["b"][0]), "x is in all three"


def used(framework: str) -> set[str]:
    """The names of its libraries that a framework's folder uses."""
    found = set()
    for path in (ROOT / "frameworks" / framework).glob("*.py"):
        tree = ast.parse(path.read_text())
        known = {
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
            if (getattr(node, "module", None) or alias.name).split(".")[0]
            in ROOTS
        }
        inner = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
        }
        found |= {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute | ast.Name) and node not in inner
            if (name := ast.unparse(node)).partition(".")[0] in known
            and name.replace(".", "").isidentifier()
        }
    return found


def test_every_name_of_a_framework_has_its_documentation():
    """A new name: add it to tools/site/api.toml, with its address."""
    wanted = set().union(*map(used, FRAMEWORKS))
    assert wanted - set(api()) == set()
    assert set(api()) - wanted == set(), "not used any more"
