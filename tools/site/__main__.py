"""Build the site.

    python -m tools.site --out site --runs runs --results results

It is opened from disk: site/index.html. `--pictures docs` also draws the
README's pictures anew, from what is published in results/.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from common.run.usage import PathFlag
from tools.site.contract import BuildError
from tools.site.pages import build
from tools.site.plan import Site

LADDER = Path("traces/parity.json")  # `nox -s parity` writes it


@dataclass
class Flags:
    """What to build the site from."""

    # folder of the site; what it holds is replaced
    out: PathFlag = Path("site")
    # folder of run records
    runs: PathFlag = Path("runs")
    # folder of published records
    results: PathFlag = Path("results")
    # report of the ladder, JSON; else traces/parity.json, else the published
    parity: PathFlag | None = None
    # folder to draw the README's pictures in
    pictures: PathFlag | None = None
    # CIFAR-10 on this disk; else the cache
    data_dir: str | None = None


def main(argv: list[str] | None = None) -> int:
    """Build by the flags in argv; the exit code."""
    flags = tyro.cli(Flags, args=argv, description=__doc__)
    try:
        if flags.parity is None:
            published = flags.results / "parity.json"
            flags.parity = LADDER if LADDER.exists() else published
        elif not flags.parity.exists():
            raise BuildError(f"--parity {flags.parity}: no such file")
        size = build(Site(**vars(flags)))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{flags.out / 'index.html'} ({size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
