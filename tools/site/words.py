"""Markdown as HTML, with links that stay within the site."""

import posixpath
import re
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from tools.site.code import highlight, tokens
from tools.site.contract import ROOT

# Pages that are made from a file of the repository.
PAGES = {
    "docs/differences.md": "differences.html",
    "docs/from_pytorch.md": "from_pytorch.html",
    "docs/reading.md": "questions.html",
    "docs/performance.md": "performance.html",
    "docs/parity.md": "proof.html",
    "docs/gpu.md": "gpu.html",
    "docs/scale.md": "scale.html",
    "docs/usage.md": "usage.html",
}
# Every page beside the reader's, and what the top of each page calls it.
NAMES = {
    "from_pytorch.html": "From PyTorch",
    "differences.html": "Differences",
    "questions.html": "Questions",
    "pictures.html": "Pictures",
    "report.html": "Report",
    "errors.html": "Errors",
    "performance.html": "Performance",
    "proof.html": "Proof",
    "gpu.html": "GPUs",
    "scale.html": "Scale",
    "usage.html": "Usage",
}
# Sources that have a page, other than those of the frameworks.
SHARED = (
    "common/recipe.py",
    "common/init.py",
    "common/schedule.py",
    "common/draws.py",
    "common/run/record.py",
    "common/checkpoint.py",
)


def reader_page(file: str) -> str:
    """The reader's page of a file: read-model.html."""
    return f"read-{file.removesuffix('.py')}.html"


def source_page(path: str) -> str:
    """The page of a source: frameworks/pytorch/model.py."""
    return "src/" + path.removesuffix(".py").replace("/", "-") + ".html"


def anchor(title: str) -> str:
    """A heading's anchor as GitHub makes it."""
    title = re.sub(r"[^\w\- ]", "", title.lower())
    return title.strip().replace(" ", "-")


def _resolve(link: str) -> str | None:
    """The address in the site; None if the site has no such page."""
    if link.startswith(("#", "http://", "https://")):
        return link
    path, hash_, part = link.partition("#")
    path = posixpath.normpath(posixpath.join("docs", path))
    if path in PAGES:
        return PAGES[path] + hash_ + part
    if path in SHARED:
        return source_page(path) + hash_ + part
    if re.match(r"frameworks/\w+/\w+\.py$", path):
        return reader_page(posixpath.basename(path))
    if path.endswith(".html"):  # of the site itself
        return link
    return None


def svg(text: str) -> Markup:
    """The element of an SVG file's text, to stand in a page."""
    return Markup(text[text.index("<svg") :])


def picture(path: Path) -> Markup:
    """An SVG file, to stand in a page."""
    return svg(path.read_text())


def _code(text: str, language: str, _attrs) -> str:
    """Colored lines; "" makes the renderer show the text as it is."""
    if language != "python":
        return ""
    return "\n".join(map(highlight, tokens(text)))


def render(text: str, inline: bool = False) -> Markup:
    """HTML of trusted Markdown from the repository; raw HTML is dropped.

    Relative links start in docs/. Those to files that have no page in the
    site become plain text.
    """
    text = re.sub(r"<!-- from (\S+) -->\n+", r"*`\1`*\n\n", text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    markdown = MarkdownIt(
        "commonmark",
        {"html": False, "highlight": _code, "typographer": True},
    ).enable(["table", "replacements"])
    tokens = markdown.parseInline(text) if inline else markdown.parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[place + 1].content))
        for child in token.children or []:
            if child.type == "link_open":
                link = str(child.attrs.pop("href"))
                found = _resolve(link)
                # In place of a link the file's name, which shows on hovering.
                child.attrs = {"href": found} if found else {"title": link}
                tag = "a" if found else "span"
            if child.type in ("link_open", "link_close"):
                child.tag = tag
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = re.sub(
        r'<p><img src="(\w+\.svg)" alt="([^"]*)"[^>]*></p>',
        lambda found: (
            f'<figure class="sheet chart" tabindex="0" role="region" '
            f'aria-label="{found[2]}">{picture(ROOT / "docs" / found[1])}'
            f"<figcaption>{found[2]}</figcaption></figure>"
        ),
        html,
    )
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    return Markup(html.replace("</table>", "</table></div>"))
