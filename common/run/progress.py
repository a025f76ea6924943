"""What a person sees: a bar within an epoch, a row of a table after it.

The bar is drawn on a terminal only; a pipe or a file gets the rows. Loss
and accuracy beside the bar are those of the last finished epoch: metrics
stay on the device while an epoch runs.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from common.run import terminal

Batch = TypeVar("Batch", bound=Sequence)  # images, labels
Row = Mapping[str, float]


@dataclass(frozen=True)
class Column:
    """A column of the table of epochs."""

    name: str
    text: Callable[[Row], str]
    width: int  # of the numbers that are usual
    over: str = ""  # a word above the name, for it and those after it


# `seconds` of an epoch, and `epochs` of the recipe, are added to the row.
COLUMNS = {
    "epoch": Column("epoch", lambda r: f"{r['epoch']}/{r['epochs']}", 5),
    "lr": Column("lr", lambda r: f"{r['lr']:.4f}", 6),
    "train_loss": Column(
        "loss", lambda r: f"{r['train_loss']:.4f}", 6, "train"
    ),
    "train_accuracy": Column(
        "accuracy", lambda r: f"{r['train_accuracy']:.2%}", 8
    ),
    "test_loss": Column("loss", lambda r: f"{r['test_loss']:.4f}", 6, "test"),
    "test_accuracy": Column(
        "accuracy", lambda r: f"{r['test_accuracy']:.2%}", 8
    ),
    "seconds": Column("epoch", lambda r: f"{r['seconds']:.1f}", 7, "seconds"),
    "total": Column("total", lambda r: f"{r['train_seconds']:.1f}", 7),
    "speed": Column("images/s", lambda r: f"{r['images_per_second']:,.0f}", 8),
}
# Where the terminal is narrow, these go, in this order.
FIRST_TO_GO = (
    *("lr", "total", "speed", "train_accuracy", "seconds", "train_loss"),
    "test_loss",
)
GAP = 2


def fitting(width: int | None, epochs: int) -> tuple[Column, ...]:
    """As many columns as fit into the width; all, if it is None."""
    shown = dict(COLUMNS)
    digits = len(f"{epochs}/{epochs}")
    if digits > shown["epoch"].width:
        shown["epoch"] = replace(shown["epoch"], width=digits)
    for name in FIRST_TO_GO:
        used = sum(column.width + GAP for column in shown.values()) - GAP
        if width is None or used <= width:
            break
        del shown[name]
    return tuple(shown.values())


def _line(columns: Iterable[Column], cells: Iterable[str]) -> str:
    """Cells below each other, each to the right of its column."""
    pairs = zip(columns, cells, strict=True)
    return (" " * GAP).join(cell.rjust(c.width) for c, cell in pairs)


class ImagesPerSecond(ProgressColumn):
    """The speed of the running epoch."""

    def render(self, task) -> Text:
        """The images of the last seconds, per second."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} images/s")


class Display:
    """Prints the progress of one training to standard output."""

    def __init__(self, console: Console | None = None):
        self.console = console or terminal.open_console()
        # Not on a terminal that cannot move its cursor (TERM=dumb).
        self.live = self.console.is_terminal and self.console.is_interactive
        self.shown: tuple[Column, ...] = ()  # the columns under the last head
        self.lost = ""  # why nothing can be printed any more
        self.bar: Progress | None = None  # of the epoch that runs

    def say(self, line: str) -> None:
        """Print one line."""
        terminal.say(line, self.console.file)
        self._look_for_loss()

    def _look_for_loss(self) -> None:
        """Say once, where that is still possible, that the output is gone."""
        lost = getattr(self.console.file, "lost", "")
        if lost and not self.lost:
            self.lost = f"standard output was closed: {lost}"
            terminal.say(f"{self.lost}; the training goes on", sys.stderr)

    def epoch(
        self,
        batches: Iterable[Batch],
        title: str,
        images: int,
        size: int,
        last: Row | None,
    ) -> Iterator[Batch]:
        """The same batches, with a bar that counts their images.

        batches: pairs (images, labels), which may be one process's share;
        images: how many there will be in all processes; size: of a whole
        batch in all of them; last: the row of the last finished epoch.
        """
        if not self.live:
            yield from batches
            return
        with Progress(
            *self._bar(last), console=self.console, transient=True
        ) as self.bar:
            task = self.bar.add_task(title, total=images)
            for number, batch in enumerate(batches, 1):
                yield batch
                self.bar.update(task, completed=min(images, number * size))

    def close(self) -> None:
        """Take away the bar of an epoch that did not end.

        Its generator lives on in the traceback; until the bar is gone, what
        is printed stands in its line, and standard error is not itself.
        """
        if self.bar is not None:
            self.bar.stop()

    def _bar(self, last: Row | None) -> list[ProgressColumn]:
        """The parts of the bar's line, as the width allows."""
        title = TextColumn("{task.description}")
        bar: list[ProgressColumn] = []
        known: list[ProgressColumn] = []
        speed: list[ProgressColumn] = [ImagesPerSecond()]
        room = self.console.width
        room -= len("epoch 100/100 50,000 images/s 0:00:00")
        if room < 0:
            speed = []
        if last:
            text = f"loss {last['train_loss']:.3f}  "
            text += f"test {last['test_accuracy']:.2%}"
            if room > len(text) + 10:
                known = [TextColumn(text)]
                room -= len(text) + 1
        if room > 5:
            bar = [BarColumn(bar_width=min(20, room - 2))]
        return [title, *bar, *speed, *known, TimeRemainingColumn()]

    def epoch_row(self, row: Row, epochs: int, seconds: float) -> None:
        """A row for a finished epoch, with a head before the first.

        seconds: what this epoch took.
        """
        file = self.console.file
        width = terminal.columns(file)
        columns = fitting(width, epochs)
        if columns != self.shown:  # also where the terminal was made smaller
            self.shown = columns
            over = [column.over for column in columns]
            for head in (over, [column.name for column in columns]):
                print(_line(columns, head).rstrip(), file=file)
        row = {**row, "epochs": epochs, "seconds": seconds}
        cells = [column.text(row) for column in columns]
        print(_line(columns, cells), file=file, flush=True)
        self._look_for_loss()
