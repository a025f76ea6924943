"""The README's picture of the reader: train_step in three columns, as SVG.

    python -m tools.site.picture --out docs/reader.svg

Drawn from the sources, without a browser: the same sources give the same
file, and a test compares it with what is checked in.
"""

import ast
from dataclasses import dataclass
from html import escape
from pathlib import Path

import tyro
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String

from common.run.usage import PathFlag
from tools.site.align import sections
from tools.site.code import MARK, indent
from tools.site.contract import FRAMEWORKS, ROOT, Piece, source

SHOWN = "step.py", "train_step"
WRAP = 58  # characters of a line, so that three columns can be read
LETTER, LINE = 7.25, 17  # pixels of a character and of a line, at 12 pixels
MARGIN, HEAD = 14, 46  # pixels around a column, and above the code
COLUMN = round(WRAP * LETTER) + 2 * MARGIN
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
COLORS = {
    Comment: "#6a6f76",
    Keyword: "#8a3fa0",
    Number: "#0b5c8f",
    String: "#2a6f3a",
    Name.Function: "#0b4f9c",
}
# The mark of a framework beside its name, as on the site.
DOTS = {
    "tensorflow_eager": '<circle cx="{x}" cy="23" r="5" fill="#c25e00"/>',
    "pytorch": '<path d="M{x} 18h5v10h-10v-10z" fill="#b5156f"/>',
    "jax_flax": '<path d="M{x} 18l5 10h-10z" fill="#1d55d1"/>',
}


@dataclass
class Flags:
    """Where the picture goes."""

    # the file to write
    out: PathFlag = Path("docs/reader.svg")


def shown(piece: Piece) -> list[str]:
    """The lines of a function without its docstring, none too long."""
    lines = source(piece.framework, piece.file).splitlines()
    lines = lines[piece.first - 1 : piece.last]
    function = ast.parse("\n".join(lines)).body[0]
    text = function.body[0]
    lines = [*lines[: text.lineno - 1], *lines[text.end_lineno :]]
    return [part for line in lines for part in wrapped(line)]


def wrapped(line: str) -> list[str]:
    """A line in parts of at most WRAP characters, as a narrow column shows."""
    code, gap, comment = line.partition("  # ")
    depth = indent(line)
    if len(line) > WRAP and gap and code.strip():
        return [*wrapped(code), f"{' ' * (depth + 4)}# {comment}"]
    words = line.split(" ")
    parts, current = [], words[0]
    for word in words[1:]:
        if len(current) + 1 + len(word) > WRAP and current.strip():
            comment = current.lstrip().startswith("#")
            parts.append(current)
            current = " " * depth + ("# " if comment else "    ") + word
        else:
            current += " " + word
    return [*parts, current]


def spans(line: str) -> str:
    """A line of source as SVG text, in colors."""
    made = []
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(
        line.lstrip(" ")
    ):
        color = next((COLORS[k] for k in COLORS if kind in k), None)
        words = escape(value, quote=False)
        if color:
            words = f'<tspan fill="{color}">{words}</tspan>'
        made.append(words)
    return "".join(made)


def column(framework: str, lines: list[str], left: int) -> list[str]:
    """The elements of one framework's column. left: pixels."""
    start = left + MARGIN
    made = [
        DOTS[framework].format(x=start + 5),
        f'<text x="{start + 18}" y="27" class="h">{FRAMEWORKS[framework]}'
        "</text>",
        f'<text x="{left + COLUMN - MARGIN}" y="27" class="p">'
        f"{framework}/{SHOWN[0]}</text>",
    ]
    for number, line in enumerate(lines):
        if not line:
            continue
        y = HEAD + (number + 1) * LINE
        x = start + indent(line) * LETTER
        if mark := MARK.search(line):
            at = start + mark.start() * LETTER - 3
            width = (mark.end() - mark.start()) * LETTER + 6
            made.append(
                f'<rect x="{at:g}" y="{y - 12}" width="{width:g}" '
                f'height="{LINE - 1}" rx="3" class="m"/>'
            )
        length = round(len(line.strip()) * LETTER, 2)
        made.append(
            f'<text x="{x:g}" y="{y}" textLength="{length:g}">'
            f"{spans(line)}</text>"
        )
    return made


def draw() -> str:
    """The picture."""
    row = next(
        row
        for section in sections(ROOT)
        for row in section.rows
        if section.file == SHOWN[0] and row.name == SHOWN[1]
    )
    texts = {f: shown(row.pieces[f]) for f in FRAMEWORKS}
    width = COLUMN * len(FRAMEWORKS)
    height = HEAD + (max(map(len, texts.values())) + 1) * LINE
    made = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{FONT}" font-size="12" fill="#1f2328">',
        "<title>train_step in TensorFlow, PyTorch and JAX</title>",
        "<style>.h{font:600 14px sans-serif}.p{font-size:11px;fill:#6a6f76;"
        "text-anchor:end}.m{fill:#ffe9a8}text{white-space:pre}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
        f'<path d="M0 38H{width}" stroke="#d0d7de"/>',
    ]
    for place, (framework, lines) in enumerate(texts.items()):
        left = place * COLUMN
        if place:
            made.append(f'<path d="M{left} 0V{height}" stroke="#d0d7de"/>')
        made += column(framework, lines, left)
    return "\n".join([*made, "</svg>"]) + "\n"


def main(argv: list[str] | None = None) -> None:
    """Write the picture."""
    flags = tyro.cli(Flags, args=argv, description=__doc__)
    flags.out.write_text(draw())
    print(flags.out)


if __name__ == "__main__":
    main()
