"""Code in docs/ that is run, and what it has printed.

    python -m parity_tests.programs.snippets

Behind a mark, `<!-- runs in jax_flax -->`, stands a block of code and then a
block of what it prints; of an error the first line. This writes those blocks
anew, each by its framework's environment; a test compares them.
"""

import argparse
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from common.environments import FRAMEWORKS, find_python
from common.files import user_path
from parity_tests.programs.program import NO_GPU

DOCS = Path(__file__).parents[2] / "docs"
SNIPPET = re.compile(
    r"(<!-- runs in (\w+) -->\n+```python\n(.*?)```\n+```text\n)(.*?)(?=```)",
    re.DOTALL,
)
# Runs in the environment: a list of sources in, what each has printed out.
RUN = """
import contextlib, io, json, sys, textwrap

found = []
for code in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})
        except Exception as error:
            words = f"{type(error).__name__}: {error}".partition("\\n")[0]
            print(textwrap.fill(words, 78))
    found.append(out.getvalue())
json.dump(found, sys.stdout)
"""


def sources(framework: str) -> Iterator[str]:
    """The code of a framework in all files of docs/, in order."""
    for path in sorted(DOCS.glob("*.md")):
        for _, name, code, _ in SNIPPET.findall(path.read_text()):
            if name == framework:
                yield code


def printed(framework: str, environments: Path) -> dict[str, str]:
    """What each snippet of a framework prints, by its code."""
    codes = list(sources(framework))
    if not codes:
        return {}
    done = subprocess.run(
        [find_python(environments, framework), "-c", RUN],
        env=os.environ | NO_GPU,  # what the docs show is of a CPU
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return dict(zip(codes, found, strict=True))


def main() -> None:
    """Write what the snippets print into the files of docs/."""
    parser = argparse.ArgumentParser(description=__doc__)
    home = Path(".nox")
    parser.add_argument("--environments", type=user_path, default=home)
    flags = parser.parse_args()
    found = {}
    for framework in FRAMEWORKS:
        found |= printed(framework, flags.environments)
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text()
        new = SNIPPET.sub(lambda match: match[1] + found[match[3]], text)
        if new != text:
            path.write_text(new)
            print(path)


if __name__ == "__main__":
    main()
