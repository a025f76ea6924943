"""What a person sees: lines, rows, and a bar on a terminal."""

import io
import re
import sys
from unittest.mock import patch

import pytest
from rich.console import Console

from common.run.progress import Display

ROW = {
    "epoch": 3,
    "lr": 0.25,
    "train_loss": 1.23456,
    "train_accuracy": 0.5,
    "test_loss": 0.98765,
    "test_accuracy": 0.625,
    "train_seconds": 12.34,
    "images_per_second": 1234.5,
}
BATCHES = [("images", [0] * 16), ("images", [0] * 16), ("images", [0] * 5)]


def display(terminal: bool, width: int = 100) -> tuple[Display, io.StringIO]:
    """A display, and what it has printed."""
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=terminal,
        width=width if terminal else None,
        soft_wrap=True,
        highlight=False,
        color_system=None,
    )
    return Display(console), file


def shown_at(width, rows=(ROW,), epochs=24):
    """The rows as they are shown at a width, without their head."""
    shown, file = display(False)
    with patch("common.run.terminal.columns", return_value=width):
        for row in rows:
            shown.epoch_row(row, epochs, 4.5)
    return file.getvalue().splitlines()


def test_an_epoch_is_a_row_of_all_its_numbers():
    assert shown_at(None, [ROW, ROW | {"epoch": 4}]) == [
        "                train              test            seconds",
        "epoch      lr    loss  accuracy    loss  accuracy    epoch    total"
        "  images/s",
        " 3/24  0.2500  1.2346    50.00%  0.9877    62.50%      4.5     12.3"
        "     1,234",
        " 4/24  0.2500  1.2346    50.00%  0.9877    62.50%      4.5     12.3"
        "     1,234",
    ]


@pytest.mark.parametrize("width", range(15, 120))
def test_a_row_fits_and_no_number_is_cut(width):
    *head, row = shown_at(width)
    assert max(map(len, [*head, row])) <= width
    whole = shown_at(None)[-1].split()
    left = iter(whole)
    assert all(cell in left for cell in row.split())  # some of them, in order
    assert {"3/24", "62.50%"} <= set(row.split())


def test_at_80_columns_nothing_is_missing():
    assert shown_at(80) == shown_at(None)
    assert shown_at(80, epochs=100)[-1].startswith("  3/100 ")
    assert len(shown_at(80, epochs=100)[-1]) <= 80


def test_a_terminal_that_is_made_smaller_gets_another_head():
    shown, file = display(False)
    for width in (80, 80, 40):
        with patch("common.run.terminal.columns", return_value=width):
            shown.epoch_row(ROW, 24, 4.5)
    lines = file.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == [
        *("train", "epoch", "3/24", "3/24"),
        *("train", "epoch", "3/24"),
    ]


def test_what_looks_like_markup_is_said_as_it_is():
    shown, file = display(False)
    shown.say("[bold]x[/bold] " + "y" * 200)
    assert file.getvalue() == "[bold]x[/bold] " + "y" * 200 + "\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_batches_come_out_as_they_went_in(terminal):
    shown, file = display(terminal)
    assert list(shown.epoch(BATCHES, "epoch 3/24", 37, 16, ROW)) == BATCHES
    assert bool(file.getvalue()) == terminal


def test_the_bar_counts_images_beside_the_last_epochs_numbers():
    shown, file = display(True)
    for _ in shown.epoch(BATCHES, "epoch 3/24", 37, 16, ROW):
        pass
    text = file.getvalue()
    assert "epoch 3/24" in text
    assert "loss 1.235  test 62.50%" in text
    assert "images/s" in text
    assert "0:00:00" in text  # nothing remains after 37 images
    assert text.endswith("\x1b[2K")  # and the bar is gone


def test_the_bar_counts_the_images_of_all_processes():
    """A process has a share of each batch: half the images, all the bar."""
    shown, _ = display(True)
    halves = [("images", [0] * 8), ("images", [0] * 8), ("images", [0] * 3)]
    list(shown.epoch(halves, "epoch 3/24", 37, 16, ROW))
    assert shown.bar.tasks[0].completed == 37


def test_the_bar_of_an_epoch_that_was_left_is_taken_away():
    shown, _ = display(True)
    before = sys.stderr
    batches = shown.epoch(BATCHES, "epoch 3/24", 37, 16, ROW)
    next(batches)  # and it lives on, in a traceback
    assert sys.stderr is not before
    shown.close()
    assert sys.stderr is before


@pytest.mark.parametrize("width", range(25, 120, 5))
def test_the_bar_fits_and_nothing_of_it_is_cut(width):
    shown, file = display(True, width)
    for _ in shown.epoch(BATCHES, "epoch 3/24", 37, 16, ROW):
        pass
    last = re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", file.getvalue())
    last = last.split("\r")[-2].split("\n")[0]
    assert "epoch 3/24" in last
    assert ("images/s" in last) == (width >= 40)
    assert "0:00:00" in last
    assert "…" not in last
    assert len(last.rstrip()) <= width
    assert ("test 62.50%" in last) == (width >= 75)


def test_the_first_epoch_has_no_numbers_beside_its_bar():
    shown, file = display(True)
    list(shown.epoch(BATCHES, "epoch 1/24", 37, 16, None))
    assert "loss" not in file.getvalue()


def test_a_display_without_a_console_prints_unbroken_lines(capsys):
    Display().say("x" * 300)
    assert capsys.readouterr().out == "x" * 300 + "\n"
