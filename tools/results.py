"""The tables of README.md and docs/, made from the records in results/.

    python -m tools.results            print them
    python -m tools.results --write    put them into the files
    python -m tools.results --take runs/pytorch/small-...   publish a run
    python -m tools.results --ladder traces/parity.json     publish a ladder
    python -m tools.results --bench traces/bench.json       publish a bench

A published run is a record without its checkpoint. Runs of one framework,
preset and precision make one row.
"""

import json
import shutil
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro

from common.recipe import PRESETS, Recipe
from common.run_folder import read_about, read_metrics
from parity_tests.mutants.killers import killer
from tools.bench import markdown
from tools.bench.report import FORMAT

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
LADDER = RESULTS / "parity.json"
BENCH = RESULTS / "bench.json"
MUTANTS = RESULTS / "mutants.json"
NAMES = {
    "tensorflow_eager": ("TensorFlow", "tf"),
    "pytorch": ("PyTorch", "torch"),
    "jax_flax": ("JAX", "jax"),
}
# Of a run's libraries, the ones to name beside its results.
SHOWN = ("tensorflow", "tensorflow-cpu", "torch", "jax", "flax", "optax")


@dataclass
class Options:
    """What to do with the tables."""

    write: bool = False  # put the tables into README.md and docs/
    take: tuple[Path, ...] = ()  # folders of runs to publish in results/
    ladder: Path | None = None  # a parity report to publish in results/
    bench: Path | None = None  # a bench to publish in results/


def take(folder: Path) -> Path:
    """Copy a finished run's record, without the checkpoint, to results/."""
    about = read_about(folder)
    if about["status"] != "done":
        raise SystemExit(f"{folder}: status {about['status']}, not done")
    target = RESULTS / about["framework"] / folder.name
    target.mkdir(parents=True)
    for name in ("run.json", "metrics.jsonl", "dawnbench.tsv"):
        shutil.copy(folder / name, target / name)
    return target


def command(about: dict) -> str:
    """The command that made a run, with the flags that were not defaults."""
    words = [f"nox -s train-{NAMES[about['framework']][1]} --"]
    words.append(f"--preset {about['preset']}")
    preset = json.loads(json.dumps(Recipe(**about["recipe"]).__dict__))
    for name, value in PRESETS[about["preset"]].__dict__.items():
        now = preset[name]
        if json.loads(json.dumps(value)) != now:
            words.append(f"--{name.replace('_', '-')} {now}")
    # A GPU has other defaults: there the command says both.
    gpu = about["machine"]["device"] != "cpu"
    if gpu and about["precision"] == "float32":
        words.append("--precision float32")
    default = "compiled" if about["framework"] == "jax_flax" else "eager"
    if gpu or about["mode"] != default:
        words.append(f"--mode {about['mode']}")
    if about["run"]["init"] != "native":
        words.append(f"--init {about['run']['init']}")
    return " ".join([*words, "--seed"])


def spread(values: list[float], form: str) -> str:
    """The median and, of several values, the range."""
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return (
        f"{middle} ({form.format(min(values))} to {form.format(max(values))})"
    )


def row(runs: list[Path]) -> str:
    """One row of the table, for runs that differ in the seed only."""
    abouts = [read_about(run) for run in runs]
    lasts = [read_metrics(run)[-1] for run in runs]
    about = abouts[0]
    images = about["recipe"]["train_images"] * about["recipe"]["epochs"]
    seconds = [last["train_seconds"] for last in lasts]
    seeds = sorted(a["seed"] for a in abouts)
    days = sorted({a["started"][:8] for a in abouts})
    versions = ", ".join(
        f"{name.removesuffix('-cpu')} {about['versions'][name]}"
        for name in SHOWN
        if name in about["versions"]
    )
    machine = about["machine"]
    where = (
        f"{machine['cores']} cores of {machine['processor']}"
        if machine["device"] == "cpu"
        else machine["device"]
    )
    cells = [
        NAMES[about["framework"]][0],
        f"{about['preset']}, {about['precision']}, {about['mode']}",
        f"{len(runs)} (seed {', '.join(map(str, seeds))})",
        spread([100 * last["test_accuracy"] for last in lasts], "{:.2f} %"),
        spread(seconds, "{:.0f} s"),
        spread([images / s for s in seconds], "{:,.0f}"),
        f"{versions}; {where}",
        " ".join(f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in days),
        f"`{command(about)} {' / '.join(map(str, seeds))}`",
    ]
    return "| " + " | ".join(cells) + " |"


def runs_table() -> str:
    """The table of all records in results/."""
    groups = defaultdict(list)
    for path in sorted(RESULTS.glob("*/*/run.json")):
        about = read_about(path.parent)
        groups[command(about), about["preset"]].append(path.parent)
    order = sorted(groups, key=lambda key: (key[1] != "small", key[0]))
    heads = (
        "framework",
        "preset, precision, mode",
        "runs",
        "test accuracy",
        "training",
        "images/s",
        "versions; machine",
        "date",
        "command",
    )
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join(lines + [row(groups[key]) for key in order])


def ladder_table() -> str:
    """The parity ladder as it came out, from the published report."""
    report = json.loads(LADDER.read_text())
    heads = ("rung", "what", "tensors", "worst error", "tolerance", "verdict")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for found in report["rows"]:
        lines.append("| " + " | ".join(found[h] for h in heads) + " |")
    return "\n".join(lines)


def publish_bench(file: Path) -> None:
    """Copy a bench to results/, if it is whole and of committed source."""
    report = json.loads(file.read_text())
    if report.get("format") != FORMAT:
        raise SystemExit(f"{file}: not of the format {FORMAT}")
    if report["quick"] or (report["git_commit"] or "+").endswith("+"):
        raise SystemExit(f"{file}: of --quick, or of changed source")
    shutil.copy(file, BENCH)


def mutants_table() -> str:
    """What was broken, and what noticed it, from the published file."""
    found = json.loads(MUTANTS.read_text())
    heads = ("mutants", "tried", "noticed", "equivalent", "alive", "by")
    heads += ("commit",)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    commits = {part: name[:7] for part, name in found["commit_of"].items()}
    named = found["named"]
    by = Counter(killer(row["killed_by"]) for row in named)
    equal = sum(bool(row["equivalent"]) for row in named)
    row = mutants_row("named", len(named), equal, by)
    lines.append(f"{row} {commits['named']} |")
    groups = defaultdict(list)
    for row in found["generated"]["by_file"]:
        groups[row["file"].rpartition("/")[0]].append(row)
    for folder, rows in groups.items():
        by = Counter()
        for row in rows:
            by.update(row["killed_by"])
        judged = [s["judged"] for row in rows for s in row["survivors"]]
        equal = sum(text.startswith("equivalent") for text in judged)
        tried = sum(row["tried"] for row in rows)
        row = mutants_row(f"by rule: {folder}/", tried, equal, by)
        lines.append(f"{row} {commits['generated']} |")
    return "\n".join(lines)


def mutants_row(what: str, tried: int, equal: int, by: Counter) -> str:
    """One row; by: how many each rung or kind of test has noticed."""
    by.pop("", None)
    dead = by.total()
    words = ", ".join(f"{name} {by[name]}" for name in sorted(by))
    share = f"{dead:,} ({dead / max(1, tried - equal):.1%})"
    alive = tried - equal - dead
    return f"| {what} | {tried:,} | {share} | {equal} | {alive} | {words} |"


def bench_tables(make: Callable[[dict], str]) -> Callable[[], str]:
    """Tables of the published bench, by one of tools/bench/markdown.py."""

    def read() -> str:
        if not BENCH.exists():
            return "No bench is published yet."
        return make(json.loads(BENCH.read_text()))

    return read


# By file: the name of the marks, and what stands between them.
TABLES = {
    "README.md": {
        "results": runs_table,
        "ladder": ladder_table,
        "mutants": mutants_table,
        "bench": bench_tables(markdown.summary),
    },
    "docs/performance.md": {
        "speeds": bench_tables(markdown.speeds),
        "kinds": bench_tables(markdown.kinds),
        "scale": bench_tables(markdown.scale),
        "parts": bench_tables(markdown.parts),
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


def main() -> None:
    """Print the tables, or do what the flags say."""
    options = tyro.cli(Options, description=__doc__)
    for folder in options.take:
        print(take(folder))
    if options.ladder:
        shutil.copy(options.ladder, LADDER)
    if options.bench:
        publish_bench(options.bench)
    for file, tables in TABLES.items():
        if options.write:
            path = ROOT / file
            path.write_text(filled(path.read_text(), file))
        else:
            print(*(make() for make in tables.values()), sep="\n\n")


if __name__ == "__main__":
    main()
