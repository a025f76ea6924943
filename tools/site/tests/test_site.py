"""The pages of the site, built from the sources and from made-up runs."""

import html
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from markupsafe import escape
from PIL import Image

from parity_tests.judge.page import as_svg
from tools.site import still
from tools.site.__main__ import main
from tools.site.code import slugs
from tools.site.contract import (
    CONTRACT,
    FRAMEWORKS,
    ROOT,
    BuildError,
)
from tools.site.pages import build
from tools.site.pictures import draw_all
from tools.site.plan import Site
from tools.site.shots import SHOTS, digest
from tools.site.tests import fakes
from tools.site.words import PAGES

RESULTS = ROOT / "results"
VOID = {"meta", "link", "input", "br", "img", "hr", "rect", "path", "line"}


class Page(HTMLParser):
    """Checks that tags are closed in order; collects ids and links."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.wrong = [], []
        self.ids, self.links, self.loaded = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        if "id" in known:
            self.ids.append(known["id"])
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        if tag in ("script", "img", "link"):
            self.loaded += [known.get("src"), known.get("href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A built site, and what was said to be wrong with its records."""
    home = tmp_path_factory.mktemp("site")
    fakes.three(home / "runs")
    wrong = fakes.damaged(home / "runs")
    site = Site(
        home / "out",
        runs=home / "runs",
        parity=ROOT / "results" / "parity.json",
        data_dir=str(home),
    )
    return home / "out", build(site), wrong


@pytest.fixture(scope="module")
def pages(made):
    out, _, _ = made
    return {
        str(path.relative_to(out)): Page(path.read_text())
        for path in out.rglob("*.html")
    }


def test_all_pages_are_well_formed(pages):
    for name, page in pages.items():
        assert not page.wrong and not page.open, name
        twice = {i for i in page.ids if page.ids.count(i) > 1}
        assert not twice, f"{name}: ids {twice}"


def test_every_link_leads_to_a_place_in_the_site(made, pages):
    out, _, _ = made
    for name, page in pages.items():
        for link in page.links:
            if link.startswith("http"):
                continue
            path, _, anchor = link.partition("#")
            path = path.partition("?")[0]
            there = (out / name).parent / path if path else out / name
            key = str(there.resolve().relative_to(out.resolve()))
            assert key in pages, f"{name}: {link}"
            assert not anchor or anchor in pages[key].ids, f"{name}: {link}"


def test_nothing_is_loaded_from_the_network(made, pages):
    out, _, _ = made
    for name, page in pages.items():
        found = [link for link in page.loaded if link]
        assert not [link for link in found if "//" in link], name
    for style in out.rglob("*.css"):
        assert "//" not in re.sub(r"/\*.*?\*/", "", style.read_text())


def test_every_public_name_stands_in_three_columns(made):
    for file, parts in CONTRACT.items():
        text = (made[0] / f"read-{file[:-3]}.html").read_text()
        for name in (n for names in parts.values() for n in names):
            _, _, rest = text.partition(f'id="{name}" data-name="{name}"')
            rest, _, _ = rest.partition('class="trio"')
            cells = re.split(r'<div class="cell', rest)[1:]
            assert len(cells) == 3, name
            for framework, cell in zip(FRAMEWORKS, cells, strict=True):
                assert f'data-framework="{framework}"' in cell
                assert name in cell
                assert f'href="#{framework}-' in cell


def test_every_section_has_a_text_of_its_own(made):
    for file, parts in CONTRACT.items():
        text = (made[0] / f"read-{file[:-3]}.html").read_text()
        assert text.count("What to look for.") == len(parts), file


def test_what_each_framework_does_stands_above_its_column(made):
    """A list in a section's text has one item for each, in their order."""
    out, _, _ = made
    lists = 0
    for path in out.glob("read-*.html"):
        for items in re.findall(r"<ul[^>]*>(.*?)</ul>", path.read_text(), re.S):
            found = re.findall(r'<li data-framework="(\w+)">', items)
            assert found == list(FRAMEWORKS), items
            lists += 1
    assert lists >= 12


def test_every_mark_opens_a_row_of_the_table(made, pages):
    rows, shown = pages["differences.html"].ids, []
    for path in made[0].glob("read-*.html"):
        text = path.read_text()
        found = re.findall(r'data-slug="([a-z0-9-]+)"', text)
        for slug in found:
            assert slug in rows
            assert f'<template id="note-{slug}">' in text, path
        shown += found
    sources = [p.read_text() for p in (ROOT / "frameworks").glob("*/*.py")]
    wanted = [slug for text in sources for _, slug in slugs(text)]
    assert sorted(shown) == sorted(wanted)


def test_the_lines_of_the_reader_are_those_of_the_source(made):
    """Each line of each file stands in the reader once, word for word."""
    for file in CONTRACT:
        text = (made[0] / f"read-{file[:-3]}.html").read_text()
        for framework in FRAMEWORKS:
            source = (ROOT / "frameworks" / framework / file).read_text()
            pattern = (
                rf'id="{framework}-(\d+)"[^>]*><a class="n"[^>]*>\d+</a>'
                r"<code>(.*?)</code>"
            )
            found = re.findall(pattern, text, re.DOTALL)
            shown = {
                int(number): html.unescape(re.sub("<[^>]+>", "", code))
                for number, code in found
            }
            assert len(shown) == len(found)
            for number, line in enumerate(source.splitlines(), 1):
                if line.strip() and not line.startswith("# ---"):
                    assert shown[number] == line, f"{framework}/{file}:{number}"


def test_what_can_be_searched_for_is_in_the_site(made, pages):
    text = (made[0] / "static" / "index.js").read_text()
    found = json.loads(text.partition("=")[2].rstrip(";\n"))
    assert len(found) > 1500
    pages_found = {address.partition("#")[0] for address, _, _ in found}
    assert pages_found >= set(PAGES.values())
    for address, where, words in found:
        page, _, place = address.partition("#")
        assert place in pages[page].ids, address
        assert where and words


def test_the_pictures_of_the_reader_show_the_sources_as_they_are():
    for name in SHOTS:
        path = ROOT / "docs" / f"{name}.png"
        assert Image.open(path).text["source"] == digest(), (
            f"docs/{path.name} is old: nox -s site -- --pictures docs"
        )


def test_a_damaged_record_is_listed_with_its_reason(made):
    out, _, wrong = made
    text = (out / "report.html").read_text()
    _, _, listed = text.partition('id="problems"')
    listed, _, _ = listed.partition("</section>")
    for name, words in wrong.items():
        row = listed[listed.index(name) :].partition("</tr>")[0]
        assert words.replace("<", "&lt;").replace(">", "&gt;") in row


def test_a_ladder_that_is_asked_for_and_not_there_is_an_error(tmp_path, capsys):
    missing = tmp_path / "parity.json"
    words = ["--out", str(tmp_path / "out"), "--parity", str(missing)]
    assert main(words) == 1
    assert f"--parity {missing}: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("number", [1, 3, 4])
def test_any_number_of_charts_is_drawn(number):
    titles = [str(n) for n in range(number)]
    _, charts = still.panels(titles, rows=-(-number // 2))
    assert [axes.get_title(loc="left") for axes in charts] == titles


def test_pages_without_data_runs_and_parity_say_so(tmp_path):
    build(Site(tmp_path / "out", data_dir=str(tmp_path)))
    report = (tmp_path / "out" / "report.html").read_text()
    assert "No record with a finished epoch" in report
    ladder = (tmp_path / "out" / "ladder.html").read_text()
    assert "No ladder was climbed here" in ladder
    pictures = (tmp_path / "out" / "pictures.html").read_text()
    assert "No images are shown" in pictures


@pytest.fixture
def copy(tmp_path):
    """A copy of the sources, to be damaged."""
    for folder in ("frameworks", "docs", "common"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def change(root, path, old, new):
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        (
            "frameworks/jax_flax/model.py",
            "# --- Loss ",
            "# --- Lost ",
            "frameworks/jax_flax/model.py has Head, Init, Blocks, Lost, ",
        ),
        (
            "frameworks/pytorch/data.py",
            "def flip_lr",
            "def flip_up",
            "section Augment has crop, flip_up, cutout, augment; ",
        ),
        (
            "frameworks/pytorch/step.py",
            "# differs: train-eval",
            "# differs: no-such-slug",
            "`# differs: no-such-slug` has no row",
        ),
        (
            "docs/differences.md",
            "| `bn-eps` | layer 1e-3; fused op 1e-4 |",
            "| `bn-eps` |",
            "the row of bn-eps has 5 cells",
        ),
    ],
)
def test_a_hole_in_the_mirror_fails_the_build(copy, path, old, new, words):
    change(copy, path, old, new)
    with pytest.raises(BuildError) as caught:
        build(Site(copy / "out", root=copy, data_dir=str(copy)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (copy / "out").exists()


def test_a_section_without_a_text_fails_the_build(copy, monkeypatch):
    monkeypatch.setattr("tools.site.plan.HERE", copy)
    shutil.copytree(ROOT / "tools/site/templates", copy / "templates")
    shutil.copytree(ROOT / "tools/site/static", copy / "static")
    shutil.copytree(ROOT / "tools/site/sections", copy / "sections")
    (copy / "sections" / "loss.md").unlink()
    with pytest.raises(BuildError, match=r"sections/loss\.md: missing"):
        build(Site(copy / "out", data_dir=str(copy)))


def test_a_folder_that_is_no_site_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("words")
    with pytest.raises(BuildError, match="holds something that is no site"):
        build(Site(tmp_path))
    assert (tmp_path / "precious").read_text() == "words"


def test_a_build_replaces_the_site_before(tmp_path):
    site = Site(tmp_path / "out", data_dir=str(tmp_path))
    build(site)
    (tmp_path / "out" / "old.html").write_text("")
    build(site)
    assert not (tmp_path / "out" / "old.html").exists()


def test_pictures_without_records_are_an_error(tmp_path):
    with pytest.raises(BuildError, match="no record with a finished epoch"):
        draw_all(tmp_path, tmp_path / "pictures")


def test_a_report_of_the_ladder_that_is_damaged_is_told(tmp_path):
    file = tmp_path / "parity.json"
    file.write_text('{"verdict": "pass"}')
    with pytest.raises(BuildError, match="not a report of the ladder"):
        build(Site(tmp_path / "out", parity=file, data_dir=str(tmp_path)))


def test_every_rung_stands_on_the_page_of_the_ladder(made):
    text = (made[0] / "ladder.html").read_text()
    report = json.loads((RESULTS / "parity.json").read_text())
    for row in report["rows"]:
        assert escape(row["what"]) in text
    assert text.count("Tolerance: ") == len(report["rows"])


def test_a_dot_is_left_of_its_tick_unless_the_check_fails():
    report = json.loads((RESULTS / "parity.json").read_text())
    limited = [r for r in report["rows"] if r["tolerance"] != "exact"]
    limited[0] |= {"worst error": "2.0e-03", "verdict": "FAIL"}
    text = as_svg(report)
    dots = re.findall(r'<circle cx="([\d.]+)" cy="(\d+)"', text)[:-1]
    ticks = re.findall(r'<line x1="([\d.]+)".*stroke-width="2.5"/>', text)
    assert len(dots) == len(ticks) - 1 == len(limited)
    past = [
        float(x) > float(tick)
        for (x, _), tick in zip(dots, ticks, strict=False)
    ]
    assert past == [True] + [False] * (len(limited) - 1)
    assert (
        "native: mean, deviation, neighbors: error 51 %, tolerance of its"
        in text
    )


def test_a_page_of_markdown_has_the_tables_and_pictures_of_its_file(made):
    for file, page in (("parity", "proof"), ("performance", "performance")):
        words = (ROOT / "docs" / f"{file}.md").read_text()
        shown = (made[0] / f"{page}.html").read_text()
        tables = re.findall(r"^\|[-| ]+\|$", words, re.M)
        assert shown.count("<table>") == len(tables) > 0
        assert shown.count("<svg ") == words.count("\n![")


def test_the_published_pictures_are_those_of_the_published_records(tmp_path):
    drawn = {path.name: path for path in draw_all(RESULTS, tmp_path)}
    shown = [
        name
        for file in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for name in re.findall(
            r"\]\((?:docs/)?([\w-]+\.svg)\)", file.read_text()
        )
    ]
    assert set(shown) == {*drawn, "network.svg"}
    for name, path in drawn.items():
        assert (ROOT / "docs" / name).read_bytes() == path.read_bytes(), (
            f"docs/{name} is old: nox -s site -- --pictures docs"
        )


def test_a_mark_in_a_chart_tells_its_numbers(made):
    text = (made[0] / "report.html").read_text()
    # The first epoch of three seeds, by the rule of fakes.row.
    assert "<title>PyTorch, eager, epoch 1: 65.2 (65 to 65.4), " in text
    for name in ("accuracy-small-epochs-4", "loss-small-epochs-4"):
        assert f'id="{name}-' in text
