"""From the sources, the texts and the records to the pages of the site."""

import ast
import json
import re
import shutil
from functools import partial
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from common.recipe import PRESETS
from common.run.compare import why_not
from parity_tests.judge.page import as_html
from tools.site import errors, lessons, plan, report, still
from tools.site.contract import FRAMEWORKS, HEAD, BuildError
from tools.site.groups import Experiment, experiments, processor
from tools.site.pictures import draw_all
from tools.site.plan import Site, files_of
from tools.site.reader import write, write_reader, write_search, write_sources
from tools.site.shots import shoot
from tools.site.words import (
    NAMES,
    picture,
    reader_page,
    render,
    source_page,
    svg,
)

OURS = ".davidnet-site"  # stands in each folder that a build made
LIMIT = 5_000_000  # bytes of the whole site


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
        "files": {file: about(site, file) for file in files_of(site)},
        "NAMES": NAMES,
        "reader_page": reader_page,
        "source_page": source_page,
        "up": "",
    }
    made.filters |= {
        "inline": partial(render, inline=True),
        "block": render,
        "median": median,
    }
    return made


def about(site: Site, file: str) -> str:
    """What a file is about: "The data in JAX: device, ...", device, ..."""
    text = site.sources[next(iter(FRAMEWORKS)), file]
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return re.split("[:,] ", first, maxsplit=1)[-1].rstrip(".")


def build(site: Site) -> int:
    """Write all pages; the size of the site in bytes. Raises BuildError."""
    refuse_foreign(site.out)
    if site.pictures:  # first: the pages show them
        draw_all(site.results, site.pictures)
    part = site.out.with_name(site.out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        (part / OURS).write_text("made by python -m tools.site\n")
        shutil.copytree(plan.HERE / "static", part / "static")
        env = environment(site)
        write_reader(site, env, part)
        write_sources(site, env, part)
        write_search(site, part)
        write_report(site, env, part)
        write_errors(site, env, part)
        write_ladder(site, part)
        write_lessons(site, env, part)
        size = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        if size > LIMIT:
            raise BuildError(f"the site has {size} bytes, more than {LIMIT}")
        shutil.rmtree(site.out, ignore_errors=True)
        part.rename(site.out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if site.pictures:
        shoot(site.out, site.pictures)
    return size


def refuse_foreign(out: Path) -> None:
    """Raise BuildError if the folder holds something else than a site."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        if (out / OURS).exists():
            return
        raise BuildError(
            f"--out {out}: holds something that is no site; name another folder"
        )


def write_report(site: Site, env: Environment, part: Path) -> None:
    """The report of the runs."""
    runs, unreadable = site.found
    made = experiments(runs)
    not_whole = [run for run in runs if why_not(run)]
    write(
        env,
        "report.html",
        part / "report.html",
        experiments=made,
        charts={e.key: charts(e) for e in made},
        levels=report.LEVELS,
        tables={e.key: report.levels(e) for e in made},
        runs=runs,
        records=len(runs) + len(unreadable),
        problems=[
            *((bad.name, bad.reason, 0) for bad in unreadable),
            *((run.name, why_not(run), len(run.rows)) for run in not_whole),
        ],
        processor=processor,
        versions=report.versions,
        folders=[site.results, site.runs],
    )


def write_errors(site: Site, env: Environment, part: Path) -> None:
    """The page of the errors: churn, and the images taken wrongly."""
    trainings, damaged = errors.collect(site.found[0])
    data, problem = site.data
    write(
        env,
        "errors.html",
        part / "errors.html",
        compared=[
            errors.compare(one, data and data.test)
            for one in trainings
            if one.runs
        ],
        without=sum(one.without for one in trainings),
        damaged=damaged,
        problem=problem,
        folders=[site.results, site.runs],
    )


def charts(made: Experiment) -> dict:
    """The pictures of an experiment: learning, then times by conditions."""
    learning = {
        "Test accuracy": still.draw_accuracy(made, f"accuracy-{made.key}"),
        "Loss": still.draw_loss(made, f"loss-{made.key}"),
    }
    times = {
        # The first are in the picture of the accuracy already.
        words: still.draw_times(groups, f"{made.key}-{place}", place > 0)
        for place, (words, groups) in enumerate(made.alike.items())
    }
    if len(times) > 1:
        words = "All in one, though machine, precision or mode differ"
        times[words] = still.draw_times(made.groups, f"{made.key}-all")
    return {"learning": svgs(learning), "times": svgs(times)}


def svgs(pictures: dict[str, str]) -> list[tuple[str, Markup]]:
    """What is in each picture, and its element."""
    return [(words, svg(text)) for words, text in pictures.items()]


def write_ladder(site: Site, part: Path) -> None:
    """The page of the ladder, as `nox -s parity` writes it."""
    found = "No ladder was climbed here: run nox -s parity."
    if site.parity and site.parity.exists():
        try:
            found = as_html(json.loads(site.parity.read_text()))
        except (ValueError, LookupError, TypeError) as error:
            raise BuildError(
                f"{site.parity}: not a report of the ladder ({error!r})"
            ) from error
    (part / "ladder.html").write_text(found)


def write_lessons(site: Site, env: Environment, part: Path) -> None:
    """The page of pictures."""
    schedule = still.draw_schedule()
    data, problem = site.data
    write(
        env,
        "pictures.html",
        part / "pictures.html",
        network=picture(site.root / "docs" / "network.svg"),
        shown=lessons.lesson(data.train) if data else [],
        problem=problem,
        recipe=lessons.RECIPE,
        seed=lessons.SEED,
        schedule=svg(schedule),
        full=PRESETS["dawnbench"],
        small_knots=still.knots(PRESETS["small"]),
    )
