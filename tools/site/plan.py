"""What a site is built from, read once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.cifar10.load import Cifar10
from common.run.records import Problem, RunRecord, find_runs
from tools.site.contract import FRAMEWORKS, ROOT, Section, read, sections
from tools.site.differences import Difference, read_differences
from tools.site.lessons import cifar10
from tools.site.words import SHARED

HERE = Path(__file__).parent


@dataclass
class Site:
    """What a site is built from; see the flags in `__main__.py`."""

    out: Path
    runs: Path | None = None
    results: Path | None = None
    parity: Path | None = None
    pictures: Path | None = None
    data_dir: str | None = None
    root: Path = ROOT  # of the repository that is read

    @cached_property
    def sections(self) -> list[Section]:
        """The mirror, aligned."""
        return sections(self.root)

    @cached_property
    def differences(self) -> dict[str, Difference]:
        """The rows of the table by slug."""
        return read_differences(self.root)

    @cached_property
    def found(self) -> tuple[list[RunRecord], list[Problem]]:
        """All records: the published ones, then the runs."""
        return find_runs(*(f for f in (self.results, self.runs) if f))

    @cached_property
    def data(self) -> tuple[Cifar10 | None, str]:
        """CIFAR-10, or why it is not on this disk."""
        return cifar10(self.data_dir)

    @cached_property
    def sources(self) -> dict[tuple[str, str], str]:
        """Text of each mirrored source, by framework and file."""
        return {
            (framework, file): read(framework, file, self.root)
            for file in files_of(self)
            for framework in FRAMEWORKS
        }

    @cached_property
    def shared(self) -> dict[str, str]:
        """Text of each source in common/ that has a page, by path."""
        return {path: (self.root / path).read_text() for path in SHARED}


def files_of(site: Site) -> list[str]:
    """The mirrored files, in order."""
    return list(dict.fromkeys(section.file for section in site.sections))
