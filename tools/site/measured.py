"""The pages of what was measured: runs, benchmark, proofs."""

import json
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from tools.site import bench, ladder, mutants, report, speeds
from tools.site.groups import experiments
from tools.site.plan import Site
from tools.site.reader import write


def write_report(site: Site, env: Environment, part: Path) -> None:
    """The report of the runs."""
    runs, unreadable = site.found
    made = experiments(runs)
    not_whole = [run for run in runs if run.problem]
    numbers = {e.key: report.charts(e) for e in made}
    write(
        env,
        "report.html",
        part / "report.html",
        experiments=made,
        numbers=for_script(numbers),
        levels=report.LEVELS,
        tables={e.key: report.levels(e) for e in made},
        runs=runs,
        records=len(runs) + len(unreadable),
        problems=[
            *((bad.name, bad.reason, 0) for bad in unreadable),
            *((run.name, run.problem, len(run.rows)) for run in not_whole),
        ],
        machine=report.machine,
        versions=report.versions,
        folders=[site.results, site.runs],
        experiment_of={run.name: e.key for e in made for run in e.runs},
    )


def for_script(numbers: dict) -> Markup:
    """JSON that may stand in a page: no tag can begin in it."""
    return Markup(json.dumps(numbers).replace("<", "\\u003c"))


def write_performance(site: Site, env: Environment, part: Path) -> None:
    """The page of the benchmark."""
    found = bench.read_bench(site.bench)
    scenes, scale = speeds.scenes(found), speeds.scale(found)
    write(
        env,
        "performance.html",
        part / "performance.html",
        bench=found,
        bench_file=site.bench,
        scenes=scenes,
        scale=scale,
        parts=speeds.parts(found),
        table=speeds.table(found),
        numbers=for_script(
            {"scenes": scenes, "scale": scale, "axes": speeds.AXES}
        ),
    )


def write_proof(site: Site, env: Environment, part: Path) -> None:
    """The page of the ladder and the kill matrix."""
    write(
        env,
        "proof.html",
        part / "proof.html",
        parity=ladder.read_parity(site.parity),
        parity_file=site.parity,
        rung_columns=ladder.COLUMNS,
        mutants=mutants.read_mutants(site.mutants),
        mutants_file=site.mutants,
        slug_of=lambda name: mutants.slug_of(name, site.differences),
        has_page=site.sources.__contains__,
    )
