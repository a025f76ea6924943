"""Python source as lines of HTML: colors, and marks as links."""

import re
from html import escape

from markupsafe import Markup
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES, Comment, Name, Operator, Punctuation

MARK = re.compile(r"(# differs: )([a-z0-9-]+)")
# Left in the color of the text, without a span: most tokens are these.
PLAIN = (Name, Punctuation, Operator)


def highlight(text: str, up: str = "") -> list[Markup]:
    """One piece of HTML per line; no span reaches over a line's end.

    up: the way from the page to the site's root, for the marks' links.
    """
    lines, current = [], []
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    for kind, value in lexer.get_tokens(text):
        for place, part in enumerate(value.split("\n")):
            if place:
                lines.append(Markup("".join(current)))
                current = []
            if part:
                current.append(_span(kind, part, up))
    if current:
        lines.append(Markup("".join(current)))
    return lines


def _span(kind, text: str, up: str) -> str:
    name = STANDARD_TYPES.get(kind, "")
    words = escape(text, quote=False)
    if kind in Comment:
        words = MARK.sub(lambda m: m[1] + link(m[2], up), words)
    if not name or kind in PLAIN or not text.strip():
        return words
    return f'<span class="{name}">{words}</span>'


def link(slug: str, up: str = "") -> str:
    """A mark: to the row of the differences table, opened in place."""
    return (
        f'<a class="mark" href="{up}differences.html#{slug}" '
        f'data-slug="{slug}">{slug}</a>'
    )


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
