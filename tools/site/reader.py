"""The reader's pages: files, differences, questions, sources."""

import re
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from tools.site import plan
from tools.site.code import highlight, slugs
from tools.site.contract import FRAMEWORKS, HEAD, BuildError, Row, Section
from tools.site.groups import experiments
from tools.site.plan import Site, files_of
from tools.site.words import PAGES, picture, render, source_page

TITLES = {
    "questions.html": "Questions",
    "performance.html": "Performance",
    "proof.html": "Proof",
    "usage.html": "Usage",
}


def reader_page(file: str) -> str:
    """The reader's page of a file: read-model.html."""
    return f"read-{file.removesuffix('.py')}.html"


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


def marked_lines(site: Site) -> dict[str, list[tuple[str, int]]]:
    """Where each slug stands, path and line. Raises BuildError."""
    places: dict[str, list[tuple[str, int]]] = {s: [] for s in site.differences}
    for path, text in site.sources.items():
        for number, slug in slugs(text):
            if slug not in places:
                raise BuildError(
                    f"{path}:{number}: `# differs: {slug}` has no row in "
                    "docs/differences.md"
                )
            if path.startswith("frameworks/"):
                places[slug].append((path, number))
    return places


def write(env: Environment, name: str, target: Path, **words) -> None:
    """One page from one template."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(env.get_template(name).render(**words))


def write_reader(site: Site, env: Environment, part: Path) -> None:
    """The front page, a page for each file, differences, questions."""
    places, order = marked_lines(site), files_of(site)
    for number, file in enumerate(order):
        here = [s for s in site.sections if s.file == file]
        used = dict.fromkeys(
            slug
            for framework in FRAMEWORKS
            for _, slug in slugs(site.sources[f"frameworks/{framework}/{file}"])
        )
        write(
            env,
            "reader.html",
            part / reader_page(file),
            file=file,
            head=here[0],
            sections=[(s, section_text(s)) for s in here[1:]],
            lines=site.lines,
            sources=site.sources,
            rows=[site.differences[slug] for slug in used],
            before=order[number - 1] if number else None,
            after=order[number + 1] if number + 1 < len(order) else None,
        )
    homes = homes_of_lines(site)
    write(
        env,
        "differences.html",
        part / "differences.html",
        rows=list(site.differences.values()),
        places=places,
        homes=homes,
    )
    for path, page in PAGES.items():
        if page != "differences.html":
            text = (site.root / path).read_text()
            words = {"file": page, "title": TITLES[page], "text": render(text)}
            write(env, "page.html", part / page, **words)
    step = next(
        row for s in site.sections for row in s.rows if row.name == "train_step"
    )
    write(
        env,
        "index.html",
        part / "index.html",
        row=step,
        lines=site.lines,
        sources=site.sources,
        sections=[s for s in site.sections if s.name != HEAD],
        network=picture(site.root / "docs" / "network.svg"),
        marks=sum(map(len, places.values())),
        experiments=experiments(site.found[0]),
        rows=[site.differences[slug] for _, slug in row_slugs(site, step)],
        records=sum(map(len, site.found)),
    )


def row_slugs(site: Site, row: Row) -> list[tuple[int, str]]:
    """The marks within a row, each slug once."""
    found = {}
    for piece in row.pieces.values():
        for number, slug in slugs(site.sources[piece.path]):
            if piece.first <= number <= piece.last:
                found.setdefault(slug, number)
    return [(number, slug) for slug, number in found.items()]


def homes_of_lines(site: Site) -> dict[tuple[str, int], str]:
    """The reader's address of each line: read-model.html#ConvBN."""
    homes = {}
    for section in site.sections:
        for row in section.rows:
            name = "head" if row.name == HEAD else row.name
            for piece in row.pieces.values():
                for number in range(piece.first, piece.last + 1):
                    address = f"{reader_page(piece.file)}#{name}"
                    homes[piece.path, number] = address
    return homes


def write_sources(site: Site, env: Environment, part: Path) -> None:
    """A page for each source, with an anchor for each line."""
    for path, text in site.sources.items():
        write(
            env,
            "source.html",
            part / source_page(path),
            path=path,
            lines=highlight(text, up="../"),
            plain=text.splitlines(),
            rows=[
                site.differences[slug]
                for slug in dict.fromkeys(slug for _, slug in slugs(text))
            ],
            up="../",
        )
