"""Survivors that a person has judged, with reasons."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from parity_tests.mutants.source import Mutant

FILE = Path(__file__).with_name("judged.toml")
VERDICTS = ("equivalent", "accepted")


@dataclass(frozen=True)
class Judgment:
    """Why a mutant may live.

    file: a pattern; line, change: as in Mutant; or name: of a named one.
    """

    verdict: str
    reason: str
    file: str
    line: str = ""
    change: str = ""
    name: str = ""

    def fits(self, mutant: Mutant) -> bool:
        """Whether it is about this mutant."""
        if not fnmatchcase(mutant.file, self.file):
            return False
        if mutant.name or self.name:
            return mutant.name == self.name
        return mutant.text == self.line and mutant.change == self.change


def read() -> list[Judgment]:
    """All of them."""
    rows = tomllib.loads(FILE.read_text()).get("judged", [])
    return [Judgment(**row) for row in rows]


def judge(mutant: Mutant, known: list[Judgment]) -> Judgment | None:
    """What was said of a mutant, if anything."""
    return next((j for j in known if j.fits(mutant)), None)
