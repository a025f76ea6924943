"""Check the prose of this project against its list of words.

    python -m tools.prose [FILE ...]

Reads the comments and docstrings of Python files and the text of Markdown
files; by default of all that git keeps. Code is not read, nor what a command
wrote between marks: it has the words of the record it was printed from.
Exit codes: 0 all is well, 1 a word of words.toml was found.
"""

import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

TABLE = Path(__file__).with_name("words.toml")
# The table itself, what is published as it was measured, and fakes of it.
SKIPPED = ("results/*", "tools/prose/*")
# In Markdown: code blocks, what is printed between marks, code, addresses.
NOT_PROSE = re.compile(
    r"^```.*?^```|<!-- ([\w-]+): start -->.*?<!-- \1: end -->|`[^`]*`"
    r"|\]\([^)]*\)|^ {4}.*?$",
    re.DOTALL | re.MULTILINE,
)


def read_table() -> dict[re.Pattern, str]:
    """What to say instead, by pattern; it also matches across a line's end."""
    words = {}
    for row in tomllib.loads(TABLE.read_text())["words"]:
        pattern = row["not"].replace(" ", r"[\s#]+")
        pattern = re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
        words[pattern] = row["but"]
    return words


def blank(text: str) -> str:
    """Text of as many lines, and nothing in them."""
    return "\n" * text.count("\n")


def markdown_prose(text: str) -> str:
    """The same lines, without code, addresses and printed tables."""
    return NOT_PROSE.sub(lambda found: blank(found[0]) or " ", text)


def python_prose(text: str) -> str:
    """The same lines, with nothing but comments and texts in three quotes."""
    lines = [""] * (text.count("\n") + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        first, last = token.start[0] - 1, token.end[0]
        if token.string.startswith(("#", '"""')):
            lines[first:last] = token.string.split("\n")
    return "\n".join(lines)


def problems(
    path: str, text: str, table: dict[re.Pattern, str]
) -> Iterator[str]:
    """A line for each word of the table in a file's prose."""
    prose = python_prose if path.endswith(".py") else markdown_prose
    found = prose(text)
    for pattern, instead in table.items():
        for match in pattern.finditer(found):
            line = found.count("\n", 0, match.start()) + 1
            said = " ".join(match[0].split())
            yield f"{path}:{line}: {said!r}: say {instead}"


def prose_files() -> list[str]:
    """The Python and Markdown files that git keeps, or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(
        [*command, "*.py", "*.md"], capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.splitlines() if Path(name).exists()]


def main(names: list[str]) -> int:
    """Print what is found in the files named, or in all; the exit code."""
    table = read_table()
    lines = [
        line
        for name in names or prose_files()
        if not any(fnmatch(name, pattern) for pattern in SKIPPED)
        for line in problems(name, Path(name).read_text(), table)
    ]
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
