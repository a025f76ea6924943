"""Running a program as a person does: in a terminal of some width."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**changed) -> dict[str, str]:
    """This process's, without what would decide how output looks."""
    decide = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    kept = {k: v for k, v in os.environ.items() if k not in decide}
    return kept | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | changed


def in_terminal(width: int, *command: str, **changed) -> tuple[int, str]:
    """Run in a terminal of that width; exit code, all that it was sent.

    changed: environment variables.
    """
    ours, theirs = pty.openpty()
    size = struct.pack("HHHH", 24, width, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**changed),
        start_new_session=True,
    ) as child:
        os.close(theirs)
        found = b""
        try:
            while part := os.read(ours, 65536):
                found += part
        except OSError:  # Linux: the other end is closed
            pass
        finally:
            os.close(ours)
    return child.wait(), found.decode()


def python(code: str) -> tuple[str, ...]:
    """The command that runs some code in this Python."""
    return sys.executable, "-c", code
