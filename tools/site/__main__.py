"""Build the site.

    python -m tools.site --out site --runs runs --results results

It is opened from disk: site/index.html. The pictures for the README are in
site/pictures/; `--pictures docs` writes them there as well.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from tools.site.contract import BuildError
from tools.site.pages import build
from tools.site.plan import Site


@dataclass
class Flags:
    """What to build the site from."""

    # folder of the site; what it holds is replaced
    out: Path = Path("site")
    # folder of run records
    runs: Path = Path("runs")
    # folder of published records
    results: Path = Path("results")
    # report of the ladder, JSON of parity_tests.compare
    parity: Path | None = None
    # kill matrix, JSON
    mutants: Path | None = None
    # files of tools.site.augmented, one for each framework
    augmented: Path = Path("traces/augmented")
    # folder to write the README's pictures to, as well
    pictures: Path | None = None
    # CIFAR-10 on this disk; else the cache
    data_dir: str | None = None


def main(argv: list[str] | None = None) -> int:
    """Build by the flags in argv; the exit code."""
    flags = tyro.cli(Flags, args=argv, description=__doc__)
    try:
        size = build(Site(**flags.__dict__))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{flags.out / 'index.html'} ({size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
