"""Draw docs/network.svg from the table of parameters.

    python -m tools.draw_network

Names, shapes and counts come from common/init.py, so that the picture cannot
say something else than the network. Only the place of things is chosen here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.draws import IMAGE_SIDE
from common.init import (
    CLASSES,
    IMAGE_CHANNELS,
    Parameter,
    conv_bn_channels,
    parameter_table,
)
from common.recipe import Recipe
from tools.network_marks import (
    BOX,
    BOX_LEFT,
    BOX_WIDTH,
    COLUMNS,
    MIDDLE,
    PALE,
    ROW,
    TOP,
    WIDTH,
    box,
    line,
    plus,
    skip,
    text,
)

PICTURE = Path(__file__).parent.parent / "docs" / "network.svg"


@dataclass(frozen=True)
class Row:
    """One operation: a box, and the numbers on its right."""

    group: str  # of the network: "prep", "layer1", ...
    label: str
    kind: str  # a key of COLORS
    output: str  # shape for one image
    kernel: str = ""
    trained: int = 0
    statistics: int = 0


def shape(*axes: int) -> str:
    """(3, 3, 64) -> "3 x 3 x 64", with real multiplication signs."""
    return " \N{MULTIPLICATION SIGN} ".join(map(str, axes))


def count(table: list[Parameter], prefix: str, trained: bool) -> int:
    """How many numbers the tensors below a name hold."""
    return sum(
        row.size
        for row in table
        if row.name.startswith(prefix + ".") and row.trained == trained
    )


def rows(recipe: Recipe) -> Iterator[Row]:
    """The network from the image to the logits."""
    table = parameter_table(recipe)
    kernels = {row.name: row.shape for row in table if row.role == "kernel"}
    side, c_out = IMAGE_SIDE, IMAGE_CHANNELS
    yield Row("", "image", "data", shape(side, side, c_out))
    for name, (_, c_out) in conv_bn_channels(recipe).items():
        group, _, part = name.partition(".")
        yield Row(
            group,
            f"{part} : ConvBN" if part else "ConvBN",
            "conv",
            shape(side, side, c_out),
            shape(*kernels[f"{name}.conv.kernel"]),
            count(table, name, trained=True),
            count(table, name, trained=False),
        )
        if part == "conv_bn":
            side //= 2
            output = shape(side, side, c_out)
            yield Row(
                group, "pool : max 2 \N{MULTIPLICATION SIGN} 2", "pool", output
            )
        elif part == "res2":
            yield Row(group, "+", "sum", shape(side, side, c_out))
    yield Row("head", f"max {shape(side, side)}", "pool", shape(c_out))
    yield Row(
        "head",
        "linear, no bias",
        "linear",
        shape(CLASSES),
        shape(*kernels["linear.kernel"]),
        count(table, "linear", trained=True),
    )
    factor = f"\N{MULTIPLICATION SIGN} {recipe.logit_scale:g}"
    yield Row("head", factor, "linear", shape(CLASSES))


# --- The sheet ----------------------------------------------------------


def draw_rows(network: list[Row]) -> Iterator[str]:
    """Boxes, arrows and numbers, one row below the other."""
    pooled = 0.0
    for place, row in enumerate(network):
        y = TOP + place * ROW
        base = y + BOX / 2 + 4.5
        yield (
            plus(y)
            if row.kind == "sum"
            else box(BOX_LEFT, y, BOX_WIDTH, row.label, row.kind)
        )
        if row.kind == "sum":
            yield skip(pooled, y)
        elif row.kind == "pool":
            pooled = y
        if place + 1 < len(network):
            low, high = y + BOX, y + ROW
            low -= 1.5 * (row.kind == "sum")
            high += 1.5 * (network[place + 1].kind == "sum")
            yield line(f"{MIDDLE:g},{low:g} {MIDDLE:g},{high - 2:g}")
        yield text(COLUMNS["output"], base, row.output, "end")
        yield text(COLUMNS["kernel"], base, row.kernel, "end", PALE)
        for name in ("trained", "statistics"):
            number = getattr(row, name)
            if number:
                yield text(COLUMNS[name], base, f"{number:,}", "end")


def draw_groups(network: list[Row]) -> Iterator[str]:
    """The names of the parts on the left, each with a bracket."""
    for group in dict.fromkeys(row.group for row in network if row.group):
        places = [i for i, row in enumerate(network) if row.group == group]
        start = TOP + places[0] * ROW
        stop = TOP + places[-1] * ROW + BOX
        x = BOX_LEFT - 16
        yield line(
            f"{x + 6},{start} {x},{start} {x},{stop} {x + 6},{stop}",
            arrow=False,
        )
        middle = (start + stop) / 2 + 4.5
        yield text(x - 10, middle, group, "end bold")


def draw_totals(network: list[Row], y: float) -> Iterator[str]:
    """The sums of the two columns of numbers."""
    yield line(f"{COLUMNS['kernel'] - 40},{y} {WIDTH - 30},{y}", arrow=False)
    yield text(COLUMNS["kernel"], y + 20, "in all", "end bold")
    for name in ("trained", "statistics"):
        total = sum(getattr(row, name) for row in network)
        yield text(COLUMNS[name], y + 20, f"{total:,}", "end bold")


def draw_conv_bn(y: float) -> Iterator[str]:
    """What a ConvBN is, from left to right."""
    yield text(30, y + BOX / 2 + 4.5, "a ConvBN", "bold")
    x = BOX_LEFT
    for label, width, kind in (
        ("conv 3 \N{MULTIPLICATION SIGN} 3, padding 1, no bias", 240, "conv"),
        ("dropout", 84, "data"),
        ("batch norm", 104, "linear"),
        ("ReLU", 66, "data"),
    ):
        yield box(x, y, width, label, kind)
        if label != "ReLU":
            middle = y + BOX / 2
            yield line(f"{x + width},{middle:g} {x + width + 28:g},{middle:g}")
        x += width + 30


def draw(recipe: Recipe) -> str:
    """The picture as SVG text."""
    network = list(rows(recipe))
    totals = TOP + len(network) * ROW
    height = totals + 2 * ROW + 10
    heads = {
        "output": "output of an image",
        "kernel": "kernel",
        "trained": "trained",
        "statistics": "statistics",
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
        f'{height}" width="{WIDTH}" height="{height}" font-size="13.5" '
        'font-family="system-ui, DejaVu Sans, Arial, sans-serif">',
        "<title>DavidNet, with shapes and numbers of parameters</title>",
        '<defs><marker id="arrow" markerWidth="7" markerHeight="7" refX="5" '
        f'refY="3" orient="auto"><path d="M0,0 L6,3 L0,6 z" fill="{PALE}"/>'
        "</marker></defs>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" '
        'rx="8" fill="#ffffff" stroke="#cccccc"/>',
        text(30, 34, "DavidNet", "bold"),
        text(BOX_LEFT, 34, f"width {recipe.width}", ink=PALE),
        *(text(COLUMNS[key], 34, heads[key], "end", PALE) for key in heads),
        *draw_groups(network),
        *draw_rows(network),
        *draw_totals(network, totals - 4),
        *draw_conv_bn(totals + ROW),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(draw(Recipe()), encoding="utf-8")


if __name__ == "__main__":
    main()
