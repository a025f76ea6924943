"""Output on terminals of any width, in pipes, in ASCII, and to nowhere."""

import io
import re
import subprocess

import pytest

from common.run.terminal import Tolerant, align, is_terminal, say
from parity_tests.unit.in_a_terminal import environment, in_terminal, python

# Three epochs as a training shows them, without a framework.
TRAINING = """
import os, sys, time
from common.run.cli import run_command
from common.run.progress import Display

ROW = dict(lr=0.25, train_loss=1.2345, train_accuracy=0.5, test_loss=0.9876,
           test_accuracy=0.625, train_seconds=12.34, images_per_second=1234.5)

def train(recipe, run, world):
    display = Display()
    display.say(f"to {run.out}")
    time.sleep(float(os.environ.get("SLEEP", 0)))
    for epoch in (1, 2, 3):
        batches = [("images", [0] * 16)] * 4
        for _ in display.epoch(batches, f"epoch {epoch}/3", 64, 16, ROW):
            pass
        display.epoch_row(ROW | {"epoch": epoch}, 3, 4.5)
    print(repr(display.lost), file=sys.stderr)

sys.exit(run_command(None, "prog", train, lambda: False, "eager", "eager"))
"""


def a_training(out="x"):
    return *python(TRAINING), "--preset", "smoke", "--out", out


def run(*command, stdout=subprocess.PIPE, **changed):
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(**changed),
        timeout=60,
    )


@pytest.mark.parametrize("width", [80, 60, 40])
def test_what_a_training_shows_fits_the_terminal(width):
    code, output = in_terminal(width, *a_training())
    assert code == 0, output
    assert "\x1b[2K" in output  # the bar, drawn over and over
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output)
    shown = [part for part in re.split(r"[\r\n]+", plain) if part]
    assert max(map(len, shown)) <= width
    rows = [part for part in shown if re.match(r" *[123]/3 ", part)]
    assert len(rows) == 3
    assert all("62.50%" in row for row in rows)


@pytest.mark.parametrize(
    "changed",
    [{}, {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "1", "COLUMNS": "20"}],
    ids=["plain", "as in CI"],
)
def test_a_pipe_gets_whole_lines_and_no_bar(changed):
    result = run(*a_training("y" * 200), **changed)
    assert result.returncode == 0
    first, *lines = result.stdout.decode().splitlines()
    assert first == "to " + "y" * 200
    assert len(lines) == 2 + 3
    assert lines[-1].split()[-1] == "1,234"  # no column is missing
    assert "\x1b" not in result.stdout.decode()


def test_a_dumb_terminal_gets_no_bar():
    code, output = in_terminal(80, *a_training(), TERM="dumb")
    assert code == 0
    assert len(output.splitlines()) == 1 + 2 + 3 + 1
    assert "\x1b" not in output


def test_no_color_is_a_bar_without_colors():
    _, output = in_terminal(80, *a_training(), NO_COLOR="1")
    assert "\x1b[2K" in output
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][;m]", output)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_cannot_be_encoded_is_replaced(encoding):
    result = run(*a_training("läuft→"), PYTHONIOENCODING=encoding)
    assert result.returncode == 0, result.stderr
    first = result.stdout.decode(encoding).splitlines()[0]
    umlaut = "\\xe4" if encoding == "ascii" else "ä"
    assert first == f"to l{umlaut}uft\\u2192"


def test_a_terminal_of_ascii_gets_a_bar_of_ascii():
    code, output = in_terminal(80, *a_training("→"), PYTHONIOENCODING="ascii")
    assert code == 0, output
    assert "to \\u2192" in output
    assert "\x1b[2K" in output


def test_a_reader_that_leaves_does_not_end_a_training():
    script = 'set -o pipefail; "$@" | head -1'
    # So long that `head` has surely left.
    result = run("bash", "-c", script, "bash", *a_training(), SLEEP="0.5")
    assert result.returncode == 0, result.stderr
    assert result.stdout == b"to x\n"
    told, lost = result.stderr.decode().splitlines()
    why = "standard output was closed: Broken pipe"
    assert told == f"{why}; the training goes on"
    assert lost == repr(why)


def test_a_full_disk_under_the_log_does_not_end_a_training():
    with open("/dev/full", "w") as full:
        result = run(*a_training(), stdout=full)
    assert result.returncode == 0
    assert b"standard output was closed: No space left" in result.stderr


def test_without_any_output_a_training_ends_well():
    result = run("bash", "-c", '"$@" >&- 2>&-', "bash", *a_training())
    assert result.returncode == 0


def test_nobody_looks_at_a_stream_that_is_not_there_or_closed():
    closed = io.StringIO()
    closed.isatty = lambda: True  # as it was before
    assert is_terminal(closed)
    del closed.isatty
    closed.close()
    assert not is_terminal(closed)
    assert not is_terminal(None)


def test_a_stream_that_works_loses_nothing():
    stream = io.StringIO()
    tolerant = Tolerant(stream)
    assert tolerant.write("abc") == 3
    tolerant.flush()
    assert stream.getvalue() == "abc"
    assert tolerant.lost == ""
    assert tolerant.isatty() is False


class Terminal(io.StringIO):
    """A terminal, of the width that COLUMNS says."""

    def isatty(self):
        return True


def test_a_long_line_is_broken_between_words_in_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal, pipe = Terminal(), io.StringIO()
    line = "record: runs/py-torch/small-seed0-20260101T000000Z and so on"
    say(line, terminal)
    assert terminal.getvalue().splitlines() == [
        "record:",
        "  runs/py-torch/small-seed0-20260101T000000Z",
        "  and so on",
    ]
    say(line, pipe)
    assert pipe.getvalue() == line + "\n"


CELLS = [["", "TensorFlow", "PyTorch", "JAX"], ["loss", "0.1", "0.25", "12.5"]]


def test_a_table_is_aligned_to_the_right():
    assert align(CELLS, None) == [
        "      TensorFlow  PyTorch   JAX",
        "loss         0.1     0.25  12.5",
    ]
    assert align(CELLS, 31) == align(CELLS, None)


def test_columns_that_do_not_fit_follow_below():
    assert align(CELLS, 30) == [
        "      TensorFlow  PyTorch",
        "loss         0.1     0.25",
        "",
        "       JAX",
        "loss  12.5",
    ]
    assert "".join(align(CELLS, 1)).count("loss") == 3


def test_a_table_of_nothing_has_no_lines():
    assert align([], 80) == []
