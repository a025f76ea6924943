"""The reader's pages: files, differences, questions, sources."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment
from markupsafe import Markup

from tools.site import plan
from tools.site.bands import Band, Layout, lacking
from tools.site.code import Token, highlight, indent, slugs, tokens
from tools.site.contract import (
    FRAMEWORKS,
    HEAD,
    BuildError,
    Piece,
    Row,
    Section,
)
from tools.site.groups import experiments
from tools.site.plan import Site, files_of
from tools.site.words import PAGES, picture, reader_page, render, source_page


class Line(NamedTuple):
    """A line of source, ready for a page."""

    number: int
    html: Markup
    indent: int


class Part(NamedTuple):
    """What begins in one row of the page, in one column."""

    band: Band
    blocks: list[tuple[str, list[Line]]]  # kind of each unit, and its lines


class Trio(NamedTuple):
    """One name beside itself: its columns in parts, and how many rows."""

    row: Row
    columns: dict[str, list[Part]]
    rows: int


def trio(row: Row) -> Trio:
    """Lay the pieces of a row beside each other."""
    layout = Layout(row.pieces)
    found = {f: tokens("\n".join(p.lines)) for f, p in row.pieces.items()}
    tints = tinted(layout, found)

    def lines(piece: Piece, places: range) -> list[Line]:
        framework = piece.framework
        return [
            Line(
                piece.first + n,
                highlight(found[framework][n], tints[framework, n]),
                indent(piece.lines[n]),
            )
            for n in places
        ]

    columns = {
        framework: [
            Part(band, [(u.kind, lines(piece, u.lines)) for u in band.units])
            for band in layout.bands[framework]
        ]
        for framework, piece in row.pieces.items()
    }
    return Trio(row, columns, layout.rows)


def tinted(layout: Layout, found: dict[str, list[list[Token]]]) -> dict:
    """Classes of the tokens of each line: x-pytorch, not in PyTorch."""
    rows = defaultdict(dict)
    for framework, parts in layout.bands.items():
        for band in parts:
            rows[band.row][framework] = band.lines
    classes = {}
    for row in rows.values():
        flat = {
            f: [t for n in row.get(f, ()) for t in found[f][n]]
            for f in layout.bands
        }
        missing = lacking(flat)
        for framework, lines in row.items():
            told = iter(missing[framework])
            for n in lines:
                classes[framework, n] = [
                    " ".join(f"x-{f}" for f in sorted(next(told)))
                    for _ in found[framework][n]
                ]
    return classes


def section_text(section: Section) -> Markup:
    """The section's text. Raises BuildError if there is none."""
    path = plan.HERE / "sections" / f"{section.slug}.md"
    try:
        text = path.read_text()
    except OSError as error:
        raise BuildError(
            f"tools/site/sections/{path.name}: missing; the section "
            f"{section.name} of {section.file} has no text"
        ) from error
    return by_framework(render(text))


def by_framework(html: Markup) -> Markup:
    """Lists of what each framework does, to stand above its column."""
    html = re.sub(
        r"<ul>(?=\s*<li><strong>TensorFlow)", '<ul class="three">', html
    )
    for framework, title in FRAMEWORKS.items():
        html = html.replace(
            f"<li><strong>{title}",
            f'<li data-framework="{framework}"><strong>{title}',
        )
    return Markup(html)


def marked_lines(site: Site) -> dict[str, list[tuple[str, str, int]]]:
    """Where each slug stands: framework, file, line. Raises BuildError."""
    places = {slug: [] for slug in site.differences}
    for (framework, file), text in site.sources.items():
        for number, slug in slugs(text):
            if slug not in places:
                raise BuildError(
                    f"frameworks/{framework}/{file}:{number}: `# differs: "
                    f"{slug}` has no row in docs/differences.md"
                )
            places[slug].append((framework, file, number))
    return places


def write(env: Environment, name: str, target: Path, **words) -> None:
    """One page from one template."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(env.get_template(name).render(**words))


def write_reader(site: Site, env: Environment, part: Path) -> None:
    """The front page, a page for each file, differences, Markdown pages."""
    places, order = marked_lines(site), files_of(site)
    for number, file in enumerate(order):
        here = [s for s in site.sections if s.file == file]
        write(
            env,
            "reader.html",
            part / reader_page(file),
            file=file,
            head=trio(here[0].rows[0]),
            sections=[
                (s, section_text(s), [trio(row) for row in s.rows])
                for s in here[1:]
            ],
            rows=[
                site.differences[slug]
                for slug, found in places.items()
                if any(file == name for _, name, _ in found)
            ],
            before=order[number - 1] if number else None,
            after=order[number + 1] if number + 1 < len(order) else None,
        )
    rows = list(site.differences.values())
    target = part / "differences.html"
    write(env, "differences.html", target, rows=rows, places=places)
    for path, page in PAGES.items():
        if page != "differences.html":
            text = (site.root / path).read_text()
            title = re.match("# (.*)", text)[1]
            words = {"file": page, "title": title, "text": render(text)}
            write(env, "page.html", part / page, **words)
    step = next(
        row for s in site.sections for row in s.rows if row.name == "train_step"
    )
    used = [
        slug
        for piece in step.pieces.values()
        for _, slug in slugs("\n".join(piece.lines))
    ]
    write(
        env,
        "index.html",
        part / "index.html",
        step=trio(step),
        sections=[s for s in site.sections if s.name != HEAD],
        network=picture(site.root / "docs" / "network.svg"),
        marks=sum(map(len, places.values())),
        experiments=experiments(site.found[0]),
        rows=[site.differences[slug] for slug in dict.fromkeys(used)],
        records=sum(map(len, site.found)),
    )


def write_search(site: Site, part: Path) -> None:
    """What can be searched for: each line of the reader, each heading."""
    found = []
    for section in site.sections:
        page = reader_page(section.file)
        for row in section.rows:
            for framework, piece in row.pieces.items():
                where = f"{FRAMEWORKS[framework]}, {piece.file}"
                found += [
                    [f"{page}#{framework}-{number}", where, line.strip()]
                    for number, line in enumerate(piece.lines, piece.first)
                    if line.strip()
                ]
    for page in PAGES.values():
        text = (part / page).read_text()
        heading = r'<h[23] id="([^"]+)">(.*?)</h'
        for slug, words in re.findall(heading, text, re.DOTALL):
            words = Markup(words).striptags()
            found.append([f"{page}#{slug}", page.removesuffix(".html"), words])
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    (part / "static" / "index.js").write_text(f"window.SEARCH = {text};\n")


def write_sources(site: Site, env: Environment, part: Path) -> None:
    """A page for each source in common/ that a text names."""
    for path, text in site.shared.items():
        lines = [
            Line(number, highlight(line), indent(words))
            for number, (line, words) in enumerate(
                zip(tokens(text), text.splitlines(), strict=True), 1
            )
        ]
        target = part / source_page(path)
        write(env, "source.html", target, path=path, lines=lines, up="../")
