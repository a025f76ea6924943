"""The tables of docs/differences.md, row by row."""

import re
from dataclasses import dataclass
from pathlib import Path

from tools.site.contract import FRAMEWORKS, ROOT, BuildError

FILE = "docs/differences.md"


@dataclass(frozen=True)
class Difference:
    """One row: what each framework does by itself, and what is done."""

    slug: str
    words: dict[str, str]  # by framework, Markdown
    wrong: str  # what goes wrong, Markdown
    proof: str  # which test proves that it does not, Markdown
    done: str  # the paragraphs under the slug's heading, Markdown
    marked: bool  # it stands in the table of what is marked in the code


def read_differences(root: Path = ROOT) -> dict[str, Difference]:
    """All rows by slug, in order. Raises BuildError."""
    path = root / FILE
    try:
        text = path.read_text()
    except OSError as error:
        raise BuildError(f"{FILE}: not readable ({error})") from error
    head, _, tail = text.partition("## Row by row")
    marked, _, _ = head.partition("## Avoided without a mark")
    done = dict(re.findall(r"^### (\S+)\n(.*?)(?=^### |\Z)", tail, re.M | re.S))
    found = {}
    for line in head.splitlines():
        match = re.match(r"\| `?([a-z0-9-]+)`? \|", line)
        if not match:
            continue
        cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
        slug = match[1]
        if len(cells) != 3 + len(FRAMEWORKS):
            raise BuildError(
                f"{FILE}: the row of {slug} has {len(cells)} cells, "
                f"expected {3 + len(FRAMEWORKS)}"
            )
        found[slug] = Difference(
            slug,
            dict(zip(FRAMEWORKS, cells[1:4], strict=True)),
            cells[4],
            cells[5],
            done.get(slug, "").strip(),
            line in marked,
        )
    if not found:
        raise BuildError(f"{FILE}: no row of a table was found")
    return found
