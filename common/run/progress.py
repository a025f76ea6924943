"""What a person sees: a bar within an epoch, a line after it, a table.

The bar is drawn on a terminal only; a pipe or a file gets the lines. Loss
and accuracy beside the bar are those of the last finished epoch: metrics
stay on the device while an epoch runs.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

Batch = TypeVar("Batch")
Row = Mapping[str, float]


class ImagesPerSecond(ProgressColumn):
    """The speed of the running epoch."""

    def render(self, task) -> Text:
        """The images of the last seconds, per second."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} images/s")


class Display:
    """Prints the progress of one training to standard output."""

    def __init__(self, console: Console | None = None):
        # A pipe has no width: lines are not broken there.
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.live = self.console.is_terminal

    def say(self, line: str) -> None:
        """Print one plain line."""
        self.console.print(line, markup=False)

    def epoch(
        self,
        batches: Iterable[Batch],
        title: str,
        images: int,
        last: Row | None,
    ) -> Iterator[Batch]:
        """The same batches, with a bar that counts their images.

        batches: pairs (images, labels); images: how many there will be;
        last: the row of the last finished epoch.
        """
        if not self.live:
            yield from batches
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            ImagesPerSecond(),
            TextColumn("{task.fields[last]}"),
            TimeRemainingColumn(),
        )
        known = (
            f"loss {last['train_loss']:.3f}  test {last['test_accuracy']:.2%}"
            if last
            else ""
        )
        with Progress(
            *columns, console=self.console, transient=True
        ) as progress:
            task = progress.add_task(title, total=images, last=known)
            for batch in batches:
                yield batch
                progress.advance(task, len(batch[1]))

    def epoch_line(self, row: Row, epochs: int) -> None:
        """One line for a finished epoch."""
        self.say(
            f"epoch {row['epoch']:>2}/{epochs}"
            f"  lr {row['lr']:.4f}"
            f"  train loss {row['train_loss']:.4f}"
            f"  accuracy {row['train_accuracy']:.2%}"
            f"  test loss {row['test_loss']:.4f}"
            f"  accuracy {row['test_accuracy']:.2%}"
            f"  {row['train_seconds']:.1f} s"
            f"  {row['images_per_second']:,.0f} images/s"
        )

    def epoch_table(self, rows: Iterable[Row]) -> None:
        """All epochs as a table."""
        table = Table(box=None, pad_edge=False)
        for head in (
            "epoch",
            "lr",
            "train loss",
            "train acc.",
            "test loss",
            "test acc.",
            "seconds",
            "images/s",
        ):
            table.add_column(head, justify="right")
        for row in rows:
            table.add_row(
                f"{row['epoch']}",
                f"{row['lr']:.4f}",
                f"{row['train_loss']:.4f}",
                f"{row['train_accuracy']:.2%}",
                f"{row['test_loss']:.4f}",
                f"{row['test_accuracy']:.2%}",
                f"{row['train_seconds']:.1f}",
                f"{row['images_per_second']:,.0f}",
            )
        self.console.print(table)
