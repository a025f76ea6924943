"""From the sources, the texts and the records to the pages of the site."""

import shutil
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from common.recipe import PRESETS, Recipe
from tools.draw_network import draw
from tools.site import ladder, lessons, plan, speeds, still
from tools.site.augmented import RECIPE, SEED
from tools.site.code import indent
from tools.site.contract import FRAMEWORKS, HEAD, BuildError
from tools.site.measured import (
    write_performance,
    write_proof,
    write_report,
)
from tools.site.plan import Site, files_of
from tools.site.reader import reader_page, write, write_reader, write_sources
from tools.site.words import render, source_page

OURS = ".davidnet-site"  # stands in each folder that a build made
LIMIT = 10_000_000  # bytes of the whole site
# What the reader's pages are about, by file.
ABOUT = {
    "model.py": "the network",
    "data.py": "the data",
    "step.py": "one step",
    "checkpoint.py": "checkpoints",
    "train.py": "the training",
}


def environment(site: Site) -> Environment:
    """Templates with what all of them use. HTML is escaped."""
    made = Environment(
        loader=FileSystemLoader(plan.HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals |= {
        "FRAMEWORKS": FRAMEWORKS,
        "HEAD": HEAD,
        "files": {file: ABOUT.get(file, "") for file in files_of(site)},
        "reader_page": reader_page,
        "source_page": source_page,
        "mood": ladder.mood,
        "up": "",
    }
    made.filters |= {
        "inline": lambda text, up="": render(text, up, inline=True),
        "block": render,
        "span": speeds.span,
        "indent_of": indent,
    }
    return made


def build(site: Site) -> int:
    """Write all pages; the size of the site in bytes. Raises BuildError."""
    refuse_foreign(site.out)
    part = site.out.with_name(site.out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        (part / OURS).write_text("made by python -m tools.site\n")
        copy_static(part)
        env = environment(site)
        write_reader(site, env, part)
        write_sources(site, env, part)
        write_report(site, env, part)
        write_performance(site, env, part)
        write_proof(site, env, part)
        write_lessons(site, env, part)
        size = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        if size > LIMIT:
            raise BuildError(f"the site has {size} bytes, more than {LIMIT}")
        shutil.rmtree(site.out, ignore_errors=True)
        part.rename(site.out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if site.pictures:
        still.draw_all(site.results, site.pictures)
    return size


def refuse_foreign(out: Path) -> None:
    """Raise BuildError if the folder holds something else than a site."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        if (out / OURS).exists():
            return
        raise BuildError(
            f"--out {out}: holds something that is no site; name another folder"
        )


def copy_static(part: Path) -> None:
    """Styles, scripts, and the library of charts out of its own package."""
    shutil.copytree(plan.HERE / "static", part / "static")
    library = files("plotly") / "package_data" / "plotly.min.js"
    (part / "static" / "plotly.min.js").write_bytes(library.read_bytes())


def write_lessons(site: Site, env: Environment, part: Path) -> None:
    """The page of pictures."""
    drawn = still.draw_schedule(part / "schedule.svg")
    schedule = drawn.read_text()
    drawn.unlink()  # it stands in the page
    write(
        env,
        "pictures.html",
        part / "pictures.html",
        network=Markup(draw(Recipe())),
        lesson=lessons.lesson(site.augmented, site.data_dir),
        recipe=RECIPE,
        seed=SEED,
        schedule=Markup(schedule[schedule.index("<svg") :]),
        full=PRESETS["dawnbench"],
        knots=still.knots(PRESETS["dawnbench"]),
        small=PRESETS["small"],
        small_knots=still.knots(PRESETS["small"]),
    )
