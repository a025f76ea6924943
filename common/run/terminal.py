"""Where output goes: its width, its letters, and that it may be gone.

Standard output can be a terminal of any width, a pipe, a log that takes
ASCII only, a full disk, or a pipe whose reader has left. None of these may
end a training.
"""

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TextIO

from rich.console import Console

GAP = 2  # spaces between the columns of a table


class Tolerant:
    """A text stream that never raises: what cannot be written is dropped.

    lost: why the stream takes nothing any more; "" while it works.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.lost = ""
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        with self._tolerated():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what waits in it."""
        with self._tolerated():
            self._stream.flush()

    @contextlib.contextmanager
    def _tolerated(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError:
            pass  # the reader is slow; the buffer is written at the next flush
        except OSError as error:
            self.lost = self.lost or error.strerror or str(error)
            # The buffer still holds what could not be written; Python would
            # try again, and complain, as it ends.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


@contextlib.contextmanager
def tolerant_output() -> Iterator[None]:
    """Make standard output and standard error Tolerant for the block."""
    with contextlib.ExitStack() as stack:
        # A stream is None where its file descriptor was closed at the start.
        if sys.stdout is not None:
            stack.enter_context(
                contextlib.redirect_stdout(Tolerant(sys.stdout))
            )
        if sys.stderr is not None:
            stack.enter_context(
                contextlib.redirect_stderr(Tolerant(sys.stderr))
            )
        yield


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether people look at the stream as it is written.

    FORCE_COLOR and its like do not make a log of CI into a terminal.
    """
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def open_console() -> Console:
    """A console on standard output for what moves, such as a bar."""
    return Console(
        highlight=False,
        soft_wrap=True,
        force_terminal=is_terminal(sys.stdout),
    )


def columns(stream: IO[str] | None) -> int | None:
    """The width of a terminal; None for a pipe or a file, which has none."""
    if not is_terminal(stream):
        return None
    return shutil.get_terminal_size().columns


def say(line: str, stream: IO[str] | None = None) -> None:
    """Print one line; a terminal gets it broken between words.

    stream: standard output by default
    """
    stream = stream or sys.stdout
    width = columns(stream)
    if width and len(line) > width:
        # Paths and flags stay whole, to be copied.
        line = textwrap.fill(
            line,
            width,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    print(line, file=stream, flush=True)


def narrow(
    rows: Sequence[Sequence[str]],
    width: int | None,
    first_to_go: Sequence[int],
) -> list[list[str]]:
    """The rows of a table, without columns that do not fit into the width.

    first_to_go: the places of columns that may go, in this order.
    """
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = list(range(len(sizes)))
    for place in first_to_go:
        if width is None or _used(sizes[i] for i in shown) <= width:
            break
        shown.remove(place)
    return [[row[i] for i in shown] for row in rows]


def align(
    rows: Sequence[Sequence[str]], width: int | None, to_left: int = 1
) -> list[str]:
    """The lines of a table: text to the left, numbers to the right.

    Columns that do not fit into the width follow below, beside the first
    ones again: nothing is cut. width: None for any; to_left: how many
    columns have text, and are repeated.
    """
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first = list(range(min(to_left, len(sizes))))
    rest = list(range(len(first), len(sizes)))
    lines: list[str] = []
    while rest or (first and not lines):
        shown = [*first, *rest[:1]]
        rest = rest[1:]
        while rest and (
            width is None or _used(sizes[i] for i in [*shown, rest[0]]) <= width
        ):
            shown.append(rest.pop(0))
        lines += [""] if lines else []
        for row in rows:
            cells = [
                row[i].ljust(sizes[i]) if i in first else row[i].rjust(sizes[i])
                for i in shown
            ]
            lines.append((" " * GAP).join(cells).rstrip())
    return lines


def _used(sizes: Iterable[int]) -> int:
    """The width of columns of these sizes, with the gaps between them."""
    sizes = list(sizes)
    return sum(sizes) + GAP * (len(sizes) - 1)
