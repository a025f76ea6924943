"""The marks of docs/network.svg: where they stand, and how they look."""

# Pixels.
WIDTH = 900
ROW = 37  # from one row to the next
BOX = 25  # height of a box
TOP = 62  # the first row's upper edge
BOX_LEFT, BOX_WIDTH = 118, 176
MIDDLE = BOX_LEFT + BOX_WIDTH / 2
SKIP = BOX_LEFT + BOX_WIDTH + 26  # where the residual's line runs
COLUMNS = {"output": 458, "kernel": 630, "trained": 756, "statistics": 870}

# Colors by kind of row: fill and edge, all on a white sheet.
COLORS = {
    "data": ("#f2f2f2", "#777777"),
    "conv": ("#dbe9f8", "#2f6db0"),
    "pool": ("#fbe7d0", "#b8702a"),
    "sum": ("#ffffff", "#2d7d46"),
    "linear": ("#e6dcf3", "#6f4ba3"),
}
INK, PALE = "#1b1b1b", "#5a5a5a"


def text(x: float, y: float, words: str, style: str = "", ink=INK) -> str:
    """Words; style: "end" or "middle" sets where x is, "bold" the weight."""
    anchor = "end" if "end" in style else "start"
    anchor = "middle" if "middle" in style else anchor
    bold = ' font-weight="600"' if "bold" in style else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" '
        f'fill="{ink}"{bold}>{words}</text>'
    )


def box(x: float, y: float, width: float, label: str, kind: str) -> str:
    """A rectangle with a label in it."""
    fill, edge = COLORS[kind]
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX}" rx="4" '
        f'fill="{fill}" stroke="{edge}"/>'
    ) + text(x + width / 2, y + BOX / 2 + 4.5, label, "middle")


def line(points: str, ink: str = PALE, arrow: bool = True) -> str:
    """A line through points, "x,y x,y ...", with an arrow at its end."""
    end = ' marker-end="url(#arrow)"' if arrow else ""
    return f'<polyline points="{points}" fill="none" stroke="{ink}"{end}/>'


def plus(y: float) -> str:
    """The sum of a block's two branches, a circle around a plus."""
    fill, edge = COLORS["sum"]
    y += BOX / 2
    return (
        f'<circle cx="{MIDDLE:g}" cy="{y:g}" r="11" fill="{fill}" '
        f'stroke="{edge}"/>' + text(MIDDLE, y + 5, "+", "middle bold", edge)
    )


def skip(start: float, stop: float) -> str:
    """The line around res1 and res2, from a pool to the plus."""
    start, stop = start + BOX / 2, stop + BOX / 2
    right = BOX_LEFT + BOX_WIDTH
    points = (
        f"{right},{start:g} {SKIP},{start:g} {SKIP},{stop:g} "
        f"{MIDDLE + 13:g},{stop:g}"
    )
    return line(points, COLORS["sum"][1])
