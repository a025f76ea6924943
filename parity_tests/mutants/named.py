"""The mutants with names: mistakes that people have made, or could make."""

import tomllib
from pathlib import Path

from common.environments import FRAMEWORKS
from parity_tests.mutants.source import Mutant, replaced

FILE = Path(__file__).with_name("named.toml")


def read() -> list[Mutant]:
    """All of them. Raises StaleMutant where the source has changed."""
    mutants = []
    for name, patches in tomllib.loads(FILE.read_text()).items():
        for place, (file, old, new) in patches.items():
            folder = f"frameworks/{place}" if place in FRAMEWORKS else place
            mutants.append(replaced(f"{folder}/{file}", old, new, name))
    return mutants
