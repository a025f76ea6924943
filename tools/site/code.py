"""Python source as HTML: colors, marks and names of an API as links."""

import re
import tomllib
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES, Comment, Name, Operator, Punctuation

MARK = re.compile(r"(# differs: )([a-z0-9-]+)")
# Left in the color of the text: most tokens are these.
PLAIN = (Name, Punctuation, Operator)
API = Path(__file__).with_name("api.toml")


class Token(NamedTuple):
    """A word of a source, on one line; its kind is Pygments'."""

    kind: object
    text: str


def tokens(text: str) -> list[list[Token]]:
    """The tokens of each line of a source."""
    lines: list[list[Token]] = [[]]
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    for kind, value in lexer.get_tokens(text):
        for place, part in enumerate(value.split("\n")):
            if place:
                lines.append([])
            if part:
                lines[-1].append(Token(kind, part))
    return lines if lines[-1] else lines[:-1]


@cache
def api() -> dict[str, str]:
    """The address of the documentation of each name, as the code has it.

    "" for a name that has no page.
    """
    table = tomllib.loads(API.read_text())
    found = dict.fromkeys(table["none"]["names"], "")
    for page in table["pages"]:
        for name in page["names"]:
            first, dot, rest = name.partition(".")
            full = table["short"].get(first, first) + dot + rest
            found[name] = page["address"].format(
                name=full, path=full.replace(".", "/")
            )
    return found


def dotted(line: list[Token], place: int) -> tuple[str, int]:
    """The longest name with a page that starts here, and its last token."""
    name, found = "", ("", place)
    if place and line[place - 1].text == ".":
        return found
    for number, token in enumerate(line[place:], place):
        if token.kind not in Name and token.text != ".":
            break
        name += token.text
        if api().get(name):
            found = name, number
    return found


def highlight(line: list[Token], classes: list[str] | None = None) -> Markup:
    """One line as HTML. classes: of each token, beside that of its color."""
    classes = classes or [""] * len(line)
    made, last = [], -1
    for place, token in enumerate(line):
        if place > last:
            name, last = dotted(line, place)
            if name:
                made.append(
                    f'<a class="api" href="{api()[name]}" title="{name}: '
                    'its documentation">'
                )
        made.append(_span(token, classes[place], place == 0))
        if place == last and name:
            made.append("</a>")
    return Markup("".join(made))


def _span(token: Token, more: str, first: bool) -> str:
    """A token: an element only where it has a color, a tint or a link.

    What a line is indented by is one too, so that a page can narrow it.
    """
    name = "" if token.kind in PLAIN else STANDARD_TYPES.get(token.kind, "")
    words = escape(token.text, quote=False)
    if token.kind in Comment:
        words = MARK.sub(
            r'\1<a class="mark" href="differences.html#\2" '
            r'data-slug="\2">\2</a>',
            words,
        )
    names = f"{name} {more}".strip()
    if not token.text.strip():
        names = "i" if first else more
    return f'<span class="{names}">{words}</span>' if names else words


def slugs(text: str) -> list[tuple[int, str]]:
    """Line, from 1, and slug of each `# differs:` mark in a source."""
    return [
        (number, match[2])
        for number, line in enumerate(text.splitlines(), 1)
        for match in MARK.finditer(line)
    ]


def indent(line: str) -> int:
    """How many spaces a line of source starts with."""
    return len(line) - len(line.lstrip(" "))
