"""Running a program as a person does: in a terminal of some width."""

import os
import shlex
import sys
from pathlib import Path

import pexpect

ROOT = Path(__file__).parents[2]


def environment(**changed) -> dict[str, str]:
    """This process's, without what would decide how output looks."""
    decide = (
        *("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM"),
        "PYTHONUNBUFFERED",
    )
    kept = {k: v for k, v in os.environ.items() if k not in decide}
    return kept | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | changed


def in_terminal(width: int, *command: str, **changed) -> tuple[int, str]:
    """Run in a terminal of that width; exit code, all that it was sent.

    changed: environment variables.
    """
    output, code = pexpect.run(
        shlex.join(command),
        timeout=60,
        withexitstatus=True,
        env=environment(**changed),
        dimensions=(24, width),
    )
    return code, output.decode()


def python(code: str) -> tuple[str, ...]:
    """The command that runs some code in this Python."""
    return sys.executable, "-c", code
