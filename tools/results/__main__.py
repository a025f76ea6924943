"""The tables of README.md and docs/, made from the records in results/.

    python -m tools.results            print them
    python -m tools.results --write    put them into the files
    python -m tools.results --take runs/pytorch/small-...   publish a run
    python -m tools.results --take gpu-results   all of a check of a GPU
    python -m tools.results --ladder traces/parity.json     publish a ladder
    python -m tools.results --machines traces/machines/machines.json
    python -m tools.results --torture traces/torture.json
    python -m tools.results --first-epoch traces/first-epoch/first-epoch.json
    python -m tools.results --traces traces                 keep their digests
    python -m tools.results --newest traces/newest/newest.json
    python -m tools.results --gpu traces/gpu/gpu.json
    python -m tools.results --bench traces/bench.json       publish a bench

A published run is a record without its checkpoint. Runs of one framework,
preset and precision make one row.
"""

from dataclasses import dataclass

import tyro

from common.run.usage import PathFlag
from tools.results.publish import PUBLISH, ROOT, take_all
from tools.results.tables import TABLES, filled


@dataclass
class Options:
    """What to do with the tables."""

    write: bool = False  # put the tables into README.md and docs/
    take: tuple[PathFlag, ...] = ()  # folders of runs to publish in results/
    ladder: PathFlag | None = None  # a parity report to publish in results/
    machines: PathFlag | None = None  # a matrix to publish in results/
    newest: PathFlag | None = None  # newest releases to publish in results/
    gpu: PathFlag | None = None  # the GPU on paper, to publish in results/
    torture: PathFlag | None = None  # kills to publish in results/
    first_epoch: PathFlag | None = None  # first epochs to publish
    traces: PathFlag | None = None  # a folder of three traces
    bench: PathFlag | None = None  # a bench to publish in results/


def main() -> None:
    """Print the tables, or do what the flags say."""
    options = tyro.cli(
        Options, prog="python -m tools.results", description=__doc__
    )
    for folder in options.take:
        print(*take_all(folder), sep="\n")
    for name, publish in PUBLISH.items():
        if path := getattr(options, name):
            publish(path)
    for file, tables in TABLES.items():
        if options.write:
            path = ROOT / file
            path.write_text(filled(path.read_text(), file))
        else:
            print(*(make() for make in tables.values()), sep="\n\n")


if __name__ == "__main__":
    main()
