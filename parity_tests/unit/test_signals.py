"""Signals that end a run, one or many, and what its record says then."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time

import pytest

from common.recipe import Run
from common.run.cli import run_command
from common.run.records import read_run
from common.run.signals import (
    EndBySignals,
    delayed_signals,
    holding_signals,
    let_ctrl_c_end_imports,
)
from parity_tests.unit.recording import an_epoch, record

FORK = multiprocessing.get_context("fork")


def wait(log=None):
    """Until a signal comes."""
    while True:
        time.sleep(0.001)


def a_run(out, ready, slow, work):
    """In a process: an epoch, then work, which a signal ends.

    slow: seconds of a flush.
    """
    os.setpgid(0, 0)
    sys.unraisablehook = sys.__unraisablehook__  # pytest has its own
    fsync = os.fsync

    def slow_fsync(handle):
        time.sleep(slow)
        fsync(handle)

    def train(recipe, run, world):
        with record(Run(out=out)) as log:
            an_epoch(log, 0)
            os.fsync = slow_fsync
            ready.set()
            work(log)

    argv = ("--preset", "smoke", "--device", "cpu")
    sys.exit(run_command(argv, "prog", train, bool, "eager", "eager"))


def ended(out, send, slow=0.05, before=lambda: None, work=wait):
    """Start a run, let `send` send it signals; its exit code and record."""
    ready = FORK.Event()
    before()
    process = FORK.Process(target=a_run, args=(str(out), ready, slow, work))
    process.start()
    assert ready.wait(60)
    send(process.pid)
    process.join(60)
    assert not process.is_alive()
    return process.exitcode, read_run(out).about


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)],
)
def test_a_signal_is_named_in_the_record(tmp_path, number, code):
    found, about = ended(tmp_path / "a", lambda pid: os.kill(pid, number))
    assert found == code
    assert about.status == "interrupted"
    assert about.reason == f"stopped by {number.name} after 1 epoch"


def turns(log):
    """As TensorFlow, where C++ code was importing a module."""
    try:
        wait()
    except KeyboardInterrupt:
        raise ValueError("The target structure is of type `str`") from None


def goes_on(log):
    """As if no signal had come, to the next batch."""
    with contextlib.suppress(KeyboardInterrupt):
        wait()
    for _ in log.progress(range(10**6), 1):
        time.sleep(0.001)


def goes_on_in_a_scan(log):
    """The same, to the end of an epoch that is one program."""
    with contextlib.suppress(KeyboardInterrupt):
        wait()
    an_epoch(log, 1)
    time.sleep(60)


class Dropping:
    """Python drops what is raised in a finalizer, and prints a traceback."""

    def __del__(self):
        wait()


def drops(log):
    """As PyTorch, where a weak reference had ended."""
    Dropping()
    an_epoch(log, 1)


@pytest.mark.parametrize("work", [turns, goes_on, goes_on_in_a_scan, drops])
@pytest.mark.parametrize(
    ("number", "code"), [("SIGTERM", 143), ("SIGINT", 130)]
)
def test_a_library_that_keeps_the_signal_to_itself_is_not_believed(
    tmp_path, capfd, work, number, code
):
    def send(pid):
        time.sleep(0.3)  # the work has begun
        os.kill(pid, signal.Signals[number])

    found, about = ended(tmp_path / "a", send, work=work)
    assert found == code
    assert about.status == "interrupted"
    assert about.reason == f"stopped by {number} after 1 epoch"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("second", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize("gap", [0, 0.0005, 0.002, 0.01, 0.02, 0.06])
def test_a_second_signal_does_not_stop_the_writing_of_the_end(
    tmp_path, gap, second
):
    def send(pid):
        os.kill(pid, signal.SIGTERM)
        time.sleep(gap)
        os.kill(pid, signal.Signals[second])

    _, about = ended(tmp_path / "a", send)
    assert about.status == "interrupted"
    assert about.finished is not None


def test_a_rain_of_signals_leaves_a_whole_record(tmp_path):
    """As many as come while the end is written, and after it."""

    def send(pid):
        for _ in range(200):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
            time.sleep(0.0003)

    _, about = ended(tmp_path / "a", send)
    assert about.status == "interrupted"


def test_a_hangup_that_nohup_ignores_ends_nothing(tmp_path):
    def send(pid):
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.2)
        os.kill(pid, signal.SIGTERM)

    handler = signal.getsignal(signal.SIGHUP)
    try:
        _, about = ended(
            tmp_path / "a",
            send,
            before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )
    finally:
        signal.signal(signal.SIGHUP, handler)
    assert about.reason == "stopped by SIGTERM after 1 epoch"


@pytest.mark.parametrize(
    ("argv", "handler", "wanted"),
    [
        (["-m", "--epochs"], signal.default_int_handler, signal.SIG_DFL),
        (["pytest"], signal.default_int_handler, signal.default_int_handler),
        # A shell's job in the background stays without.
        (["-m"], signal.SIG_IGN, signal.SIG_IGN),
    ],
)
def test_ctrl_c_in_an_import_ends_only_a_training(
    monkeypatch, argv, handler, wanted
):
    monkeypatch.setattr("sys.argv", argv)
    before = signal.signal(signal.SIGINT, handler)
    try:
        let_ctrl_c_end_imports()
        assert signal.getsignal(signal.SIGINT) == wanted
    finally:
        signal.signal(signal.SIGINT, before)


def test_signals_are_held_back_at_every_depth_and_only_there():
    told = []

    def deep():
        os.kill(os.getpid(), signal.SIGTERM)
        told.append("went on")

    @holding_signals
    def end():
        deep()

    before = signal.getsignal(signal.SIGTERM)
    with EndBySignals():
        end()
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            deep()
    assert told == ["went on"]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_the_start_of_a_child_is_raised_once_it_is_known(number):
    told, before = [], signal.getsignal(number)
    with EndBySignals():
        with (
            pytest.raises(KeyboardInterrupt, match=signal.Signals(number).name),
            delayed_signals(),
        ):
            os.kill(os.getpid(), number)
            told.append("went on")
        ours = signal.getsignal(number)
        with delayed_signals():  # none came
            told.append("again")
        assert signal.getsignal(number) == ours != before
    assert told == ["went on", "again"]


def test_what_is_ignored_stays_so_in_a_child_that_starts_meanwhile():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with delayed_signals():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
