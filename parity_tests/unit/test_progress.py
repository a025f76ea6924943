"""What a person sees: lines, a table, and a bar on a terminal."""

import io

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


def display(terminal: bool) -> tuple[Display, io.StringIO]:
    """A display, and what it has printed."""
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=terminal,
        width=100 if terminal else None,
        soft_wrap=True,
        highlight=False,
        color_system=None,
    )
    return Display(console), file


def test_an_epoch_is_one_line_of_all_its_numbers():
    shown, file = display(False)
    shown.epoch_line(ROW, 24)
    assert file.getvalue() == (
        "epoch  3/24  lr 0.2500  train loss 1.2346  accuracy 50.00%"
        "  test loss 0.9877  accuracy 62.50%  12.3 s  1,234 images/s\n"
    )


def test_the_table_has_a_row_for_each_epoch():
    shown, file = display(False)
    shown.epoch_table([ROW, ROW | {"epoch": 4}])
    head, *rows = file.getvalue().splitlines()
    assert head.split("  ")[0] == "epoch"
    for word in ("lr", "train loss", "test acc.", "seconds", "images/s"):
        assert word in head
    wanted = "0.2500 1.2346 50.00% 0.9877 62.50% 12.3 1,234"
    assert [row.split() for row in rows] == [
        ["3", *wanted.split()],
        ["4", *wanted.split()],
    ]
    assert all(row.endswith("1,234") for row in rows)  # to the right


def test_what_looks_like_markup_is_said_as_it_is():
    shown, file = display(False)
    shown.say("[bold]x[/bold] " + "y" * 200)
    assert file.getvalue() == "[bold]x[/bold] " + "y" * 200 + "\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_batches_come_out_as_they_went_in(terminal):
    shown, file = display(terminal)
    assert list(shown.epoch(BATCHES, "epoch 3/24", 37, ROW)) == BATCHES
    assert bool(file.getvalue()) == terminal


def test_the_bar_counts_images_beside_the_last_epochs_numbers():
    shown, file = display(True)
    for _ in shown.epoch(BATCHES, "epoch 3/24", 37, ROW):
        pass
    text = file.getvalue()
    assert "epoch 3/24" in text
    assert "loss 1.235  test 62.50%" in text
    assert "images/s" in text
    assert "0:00:00" in text  # nothing remains after 37 images
    assert text.endswith("\x1b[2K")  # and the bar is gone


def test_the_first_epoch_has_no_numbers_beside_its_bar():
    shown, file = display(True)
    list(shown.epoch(BATCHES, "epoch 1/24", 37, None))
    assert "loss" not in file.getvalue()


def test_a_display_without_a_console_prints_unbroken_lines(capsys):
    Display().say("x" * 300)
    assert capsys.readouterr().out == "x" * 300 + "\n"
