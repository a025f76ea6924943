"""What README.md and docs/ say, against the files that they speak of."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from common import errors
from common.recipe import PRESETS, Preset, Run

ROOT = Path(__file__).parents[2]
DOCS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
USAGE = (ROOT / "docs" / "usage.md").read_text()
# What a command wrote between marks, and blocks of code.
WRITTEN = re.compile(
    r"<!-- ([\w-]+): start -->.*?<!-- \1: end -->|^```.*?^```", re.S | re.M
)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a file's headings."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()) for head in heads]
    return {head.replace(" ", "-") for head in plain}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    for link in links:
        if link.startswith(("https://", "../../actions/")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_prose_is_wrapped_at_80_columns(path):
    """All lines but those of tables and of code; an address has no length."""
    text = re.sub(r"\]\([^)]*\)", "]", WRITTEN.sub("", path.read_text()))
    long = [
        line for line in text.splitlines() if len(line) > 80 and line[:1] != "|"
    ]
    assert not long


# What somebody measured has a unit of speed, or is a share with decimals.
MEASURED = re.compile(
    r"\d\s*(?:ms|milliseconds|µs|images/s|[GT]FLOP/s|[GT]B/s)\b|\d\.\d+ ?%(?!2)"
)
COMPUTED = {"0.01 %": "1/n of a batch's positions, bn-running-var"}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_no_measured_figure_is_typed_by_hand(path):
    """They stand between the marks of a command, or in a block that is run."""
    text = WRITTEN.sub("", path.read_text())
    for figure in COMPUTED:
        text = text.replace(figure, "")
    found = [match.group() for match in MEASURED.finditer(text)]
    assert not found


def test_the_readme_fits_a_landing_page():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert text.index("docs/reader-two.png") < text.index("## ")


def test_usage_has_every_flag_of_a_run():
    for field in fields(Run):
        flag = "--" + field.name.replace("_", "-")
        assert re.search(rf"^\| `{flag}\b", USAGE, re.M), flag


def test_usage_has_every_preset():
    (shown,) = re.findall(r"`--preset \{(.*?)\}`", USAGE)
    assert tuple(shown.split(",")) == get_args(Preset)
    for preset in PRESETS:
        assert f"| `{preset}` |" in USAGE


def test_usage_has_every_exit_code():
    """Those of errors.py, the one of the unforeseen, and the reserved one."""
    table = USAGE.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.M)
    shown = {int(code) for row in rows for code in row.split(", ")}
    kinds = [v for v in vars(errors).values() if isinstance(v, type)]
    known = {kind.exit_code for kind in kinds if hasattr(kind, "exit_code")}
    known |= {errors.DONE, errors.INTERRUPTED, errors.TERMINATED, 75}
    assert shown == known


def test_usage_has_every_environment_variable_of_this_project():
    sources = [
        path.read_text()
        for folder in ("common", "frameworks")
        for path in (ROOT / folder).rglob("*.py")
    ]
    known = set(re.findall(r"DAVIDNET_[A-Z]+", "".join(sources)))
    assert known == set(re.findall(r"^\| `(DAVIDNET_\w+)`", USAGE, re.M))
