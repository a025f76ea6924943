"""The pages of the site, built from the sources and from made-up runs."""

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from common.recipe import PRESETS
from tools.site import still
from tools.site.contract import (
    FRAMEWORKS,
    ROOT,
    BuildError,
    read_contract,
)
from tools.site.pages import LIMIT, build
from tools.site.plan import Site
from tools.site.tests import fake_reports, fakes

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
        mutants=fake_reports.write(home / "m.json", fake_reports.mutants()),
        bench=fake_reports.write(home / "b.json", fake_reports.bench()),
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


def test_the_site_is_smaller_than_10_mb(made):
    out, size, _ = made
    assert size == sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    assert size < LIMIT


def test_every_public_name_stands_in_three_columns(made):
    out, _, _ = made
    for file, parts in read_contract().files.items():
        text = (out / f"read-{file[:-3]}.html").read_text()
        for name in (n for names in parts.values() for n in names):
            _, _, rest = text.partition(f'id="{name}" data-name="{name}"')
            cells = re.split(r'<div class="cell"', rest)[1:4]
            assert len(cells) == 3, name
            for framework, cell in zip(FRAMEWORKS, cells, strict=True):
                assert f'data-framework="{framework}"' in cell
                assert f">{name}<" in cell or name in cell, name
                assert f"frameworks-{framework}-{file[:-3]}.html#L" in cell


def test_every_section_has_a_text_of_its_own(made):
    out, _, _ = made
    for file, parts in read_contract().files.items():
        text = (out / f"read-{file[:-3]}.html").read_text()
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
    out, _, _ = made
    rows = pages["differences.html"].ids
    marks = 0
    for path in [*out.glob("read-*.html"), *out.glob("src/*.html")]:
        text = path.read_text()
        for slug in re.findall(r'data-slug="([a-z0-9-]+)"', text):
            marks += 1
            assert slug in rows
            assert f'<template id="note-{slug}">' in text, path
    assert marks > 100


def test_the_lines_of_the_reader_are_those_of_the_source(made):
    """Each line of each file stands in the reader once, word for word."""
    out, _, _ = made
    for file in read_contract().files:
        text = (out / f"read-{file[:-3]}.html").read_text()
        for framework in FRAMEWORKS:
            source = (ROOT / "frameworks" / framework / file).read_text()
            pattern = (
                rf'src/frameworks-{framework}-{file[:-3]}\.html#L(\d+)" '
                r'title="[^"]*">\d+</a><code>(.*?)</code>'
            )
            shown = {
                int(number): re.sub("<[^>]+>", "", code)
                for number, code in re.findall(pattern, text, re.DOTALL)
            }
            for number, line in enumerate(source.splitlines(), 1):
                if line.strip() and not line.startswith("# ---"):
                    plain = shown[number].replace("&lt;", "<")
                    plain = plain.replace("&gt;", ">").replace("&amp;", "&")
                    assert plain == line, f"{framework}/{file}:{number}"


def test_a_damaged_record_is_listed_with_its_reason(made):
    out, _, wrong = made
    text = (out / "report.html").read_text()
    _, _, listed = text.partition('id="problems"')
    listed, _, _ = listed.partition("</section>")
    for name, words in wrong.items():
        row = listed[listed.index(name) :].partition("</tr>")[0]
        assert words.replace("<", "&lt;").replace(">", "&gt;") in row


def test_pages_without_data_runs_and_parity_say_so(tmp_path):
    build(Site(tmp_path / "out", data_dir=str(tmp_path)))
    report = (tmp_path / "out" / "report.html").read_text()
    assert "No record with a finished epoch" in report
    proof = (tmp_path / "out" / "proof.html").read_text()
    assert "The ladder: not run" in proof
    assert "The kill matrix: not run" in proof
    speed = (tmp_path / "out" / "performance.html").read_text()
    assert "The benchmark: not run" in speed
    pictures = (tmp_path / "out" / "pictures.html").read_text()
    assert "No images are shown" in pictures


def test_reports_that_are_damaged_say_so(tmp_path):
    row = {"rung": "4 forward", "what": "loss", "verdict": "FAIL"}
    report = {"format": "x", "problems": ["bad <loss>"], "rows": [row]}
    (tmp_path / "parity.json").write_text(json.dumps(report))
    (tmp_path / "mutants.json").write_text("{")
    (tmp_path / "bench.json").write_text("")
    build(
        Site(
            tmp_path / "out",
            parity=tmp_path / "parity.json",
            mutants=tmp_path / "mutants.json",
            bench=tmp_path / "bench.json",
            data_dir=str(tmp_path),
        )
    )
    proof = (tmp_path / "out" / "proof.html").read_text()
    assert '<td class="bad">FAIL</td>' in proof
    assert "bad &lt;loss&gt;" in proof
    assert "mutants.json: not readable" in proof
    speed = (tmp_path / "out" / "performance.html").read_text()
    assert "bench.json: not readable" in speed


def test_every_mutant_stands_in_the_matrix_with_its_rung(made):
    out, _, _ = made
    text = (out / "proof.html").read_text()
    for row in fake_reports.named():
        _, _, rest = text.partition(f"<code>{row['mutant']}</code>")
        cells = rest.partition("</tr>")[0].split("<td class=")[1:]
        places = [*FRAMEWORKS, "common"]
        cell = cells[places.index(row["framework"])]
        if row["rung"] is not None:
            assert cell.startswith('"killed"')
            assert f"<b>rung {row['rung']}</b>" in cell
        elif row["killed_by"]:
            assert "<b>unit tests</b> <small>test_decay</small>" in cell
        else:
            word = "equivalent" if row["equivalent"] else "survived"
            assert cell.startswith(f'"{word}"')
    assert "differences.html#weight-decay-coupling" in text


def test_every_survivor_leads_to_its_line(made):
    out, _, _ = made
    text = (out / "proof.html").read_text()
    line = "src/frameworks-jax_flax-step.html#L12"
    assert f'<a href="{line}">line 12</a>' in text
    assert "`x + 1` -&gt; `x &lt;b&gt;`" in text
    assert text.count("1 not judged") == 6
    assert text.count("96 %") == 6  # 23 of 24, as one is equivalent


def test_every_part_and_row_of_the_benchmark_is_listed(made):
    out, _, _ = made
    text = (out / "performance.html").read_text()
    report = fake_reports.bench()
    _, _, rows = text.partition('id="rows"')
    assert rows.count('<tr><th scope="row">') == len(report["rows"]) + len(
        report["versions"]
    )
    assert text.count('<th scope="row">batch norm</th>') == 4 * 2
    assert text.count("<small>the limit</small>") == 2


def test_the_pictures_of_the_readme_are_drawn_from_the_published_records(
    tmp_path,
):
    """Each picture shown in README.md is what the command draws today."""
    drawn = {path.name: path for path in still.draw_all(RESULTS, tmp_path)}
    shown = re.findall(
        r"\]\(docs/(\S+\.svg)\)", (ROOT / "README.md").read_text()
    )
    assert sorted(shown) == sorted(drawn)
    for name, path in drawn.items():
        assert (ROOT / "docs" / name).read_bytes() == path.read_bytes(), (
            f"docs/{name} is old: nox -s site -- --pictures docs"
        )


def test_a_picture_follows_its_records(tmp_path):
    fakes.three(tmp_path / "one")
    fakes.three(tmp_path / "two")
    fakes.record(tmp_path / "two", "jax_flax", 1)
    found = [
        still.draw_all(tmp_path / name, tmp_path / f"of-{name}")
        for name in ("one", "one", "two")
    ]
    first, again, other = (
        {path.name: path.read_bytes() for path in paths} for paths in found
    )
    assert first == again
    assert {name for name in first if first[name] != other[name]} == {
        "accuracy.svg",
        "loss.svg",
    }


def test_the_full_training_has_a_picture_once_it_is_recorded(tmp_path):
    fakes.three(tmp_path / "runs")
    without = still.draw_all(tmp_path / "runs", tmp_path / "out")
    assert "dawnbench.svg" not in {path.name for path in without}
    about = {
        "preset": "dawnbench",
        "recipe": dataclasses.asdict(PRESETS["dawnbench"]),
    }
    fakes.record(tmp_path / "runs", "pytorch", 3, **about)
    drawn = still.draw_all(tmp_path / "runs", tmp_path / "out")
    assert {*drawn} - {*without} == {tmp_path / "out" / "dawnbench.svg"}
    assert "94 %" in (tmp_path / "out" / "dawnbench.svg").read_text()


@pytest.fixture
def copy(tmp_path):
    """A copy of the sources, to be damaged."""
    for folder in ("frameworks", "docs", "common"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "parity_tests" / "unit").mkdir(parents=True)
    test = "parity_tests/unit/test_mirror.py"
    shutil.copy(ROOT / test, tmp_path / test)
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
            "frameworks/jax_flax/model.py: section Loss is missing",
        ),
        (
            "frameworks/pytorch/data.py",
            "def flip_lr",
            "def flip_up",
            "section Augment: flip_lr is missing",
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
        still.draw_all(tmp_path, tmp_path / "pictures")
