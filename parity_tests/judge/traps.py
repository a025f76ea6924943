"""What a failure may mean: traps by slug, and where each one shows."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

# By slug: a line for people, and patterns of the names of failing tensors.
TRAPS: dict[str, dict] = tomllib.loads(
    Path(__file__).with_name("traps.toml").read_text()
)


def looks_like(tensor: str) -> list[tuple[str, str]]:
    """Slug and line of each trap that shows in a tensor of this name.

    The one whose pattern is the most particular comes first.
    """
    found = []
    for slug, trap in TRAPS.items():
        hits = [len(p) for p in trap["shows"] if fnmatchcase(tensor, p)]
        if hits:
            found.append((max(hits), slug, trap["line"]))
    found.sort(key=lambda item: -item[0])
    return [(slug, line) for _, slug, line in found]
