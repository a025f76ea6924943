"""The tables of README.md and docs/, made from the records in results/.

    python -m tools.results            print them
    python -m tools.results --write    put them into the files

The other flags first publish in results/ what their help describes, which
usually lies at the path named there. A published run is a record without its
checkpoint. Runs of one framework, preset and precision make one row.
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
    # folders of runs, as runs/pytorch/small-..., or gpu-results: those of a
    # check of a GPU
    take: tuple[PathFlag, ...] = ()
    ladder: PathFlag | None = None  # a parity report: traces/parity.json
    machines: PathFlag | None = None  # a matrix: traces/machines/machines.json
    newest: PathFlag | None = None  # releases: traces/newest/newest.json
    gpu: PathFlag | None = None  # the GPU on paper: traces/gpu/gpu.json
    torture: PathFlag | None = None  # kills: traces/torture.json
    # first epochs: traces/first-epoch/first-epoch.json
    first_epoch: PathFlag | None = None
    traces: PathFlag | None = None  # three, kept as digests: traces
    bench: PathFlag | None = None  # a bench: traces/bench.json


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
