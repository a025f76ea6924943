"""The tables of README.md and docs/, by the marks that they stand between."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tools.bench import markdown
from tools.results.accuracy import accuracy_tables, trained_mutants_table
from tools.results.estimate import estimate_table
from tools.results.gpu import gpu_table
from tools.results.proofs import (
    facts_list,
    ladder_table,
    machines_table,
    matrix_table,
    mission_table,
    mutants_table,
    newest_table,
    proof_line,
    survivors_table,
    torture_line,
)
from tools.results.publish import (
    BENCH,
    GPU_LADDER,
    LADDER,
    PROFILE,
    SCALE,
    WORLD,
)
from tools.results.scale import first_epoch_table
from tools.results.trainings import comparison, runs_table, trainings_table


def bench_tables(
    make: Callable[[dict], str], file: Path = BENCH
) -> Callable[[], str]:
    """Tables of a published bench, by one of tools/bench/markdown.py."""

    def read() -> str:
        if not file.exists():
            return "Not measured yet."
        return make(json.loads(file.read_text()))

    return read


# By file: the name of the marks, and what stands between them.
TABLES = {
    "README.md": {
        "proof": proof_line,
        "facts": facts_list,
        "comparison": comparison,
        "mission": mission_table,
        "results": runs_table,
    },
    "docs/parity.md": {
        "ladder": partial(ladder_table, LADDER),
        "machines": machines_table,
        "accuracy": accuracy_tables,
        "trained-mutants": trained_mutants_table,
        "torture": torture_line,
        "newest": newest_table,
        "mutants": mutants_table,
        "matrix": matrix_table,
        "survivors": survivors_table,
    },
    "docs/gpu.md": {
        "gpu": gpu_table,
        "ladder": partial(ladder_table, GPU_LADDER),
    },
    "docs/scale.md": {
        "first-epoch": first_epoch_table,
        "world": bench_tables(markdown.world, WORLD),
        "estimate": estimate_table,
    },
    "docs/performance.md": {
        "trainings": trainings_table,
        "bench": bench_tables(markdown.figures),
        "profile": bench_tables(markdown.profiles, PROFILE),
        "scale": bench_tables(markdown.scale, SCALE),
    },
}


def filled(text: str, file: str) -> str:
    """The file's text with each table between its marks made anew."""
    for name, make in TABLES[file].items():
        start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
        head, found, rest = text.partition(start)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{file}: the marks of {name} are missing")
        text = f"{head}{start}\n{make()}\n{end}{tail}"
    return text
