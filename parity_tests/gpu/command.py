"""The command line that the three modules of this folder share."""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace

from common.files import user_path
from common.recipe import PRESETS, Recipe

PRECISIONS = ("bfloat16", "float32")


def main(
    facts: Callable[[], dict], full: Callable[[Recipe], dict] | None = None
) -> None:
    """Print the facts as JSON, or write them to --out.

    full: what --full adds for the preset dawnbench, by precision
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=user_path)
    parser.add_argument("--full", action="store_true")
    flags = parser.parse_args()
    found = facts()
    if flags.full and full:
        recipes = {
            p: replace(PRESETS["dawnbench"], precision=p) for p in PRECISIONS
        }
        found["full"] = {name: full(recipe) for name, recipe in recipes.items()}
    text = json.dumps(found) + "\n"
    if flags.out:
        flags.out.write_text(text)
    else:
        print(text, end="")
