"""Which run --resume takes, what it keeps, and whose a folder is."""

import errno
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import filelock
import pytest

from common.errors import (
    CheckpointError,
    DiskError,
    RecordError,
    SourceError,
    UsageError,
)
from common.recipe import Run
from common.run import folder, start
from common.run import record as record_module
from common.run.records import read_run
from parity_tests.unit.recording import (
    RECIPE,
    an_epoch,
    interrupted,
    record,
    refused,
    save,
)
from tools.results.tests import fake_records

SMOKE = {"preset": "smoke"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Where runs/pytorch is."""
    monkeypatch.chdir(tmp_path)
    return Path("runs/pytorch")


def failed(**flags):
    """A run that fails before its first epoch; its folder."""
    with pytest.raises(SourceError), record(Run(**SMOKE, **flags)) as log:
        raise SourceError("no data")
    return log.folder


def resumed(**flags):
    """The record of a run that was resumed, and left at once."""
    with record(Run(**SMOKE, resume=True, **flags)) as log:
        pass
    return log


# --- Which run ----------------------------------------------------------


def test_a_newer_run_without_a_checkpoint_is_passed_over(home, capsys):
    first = interrupted(None, epochs=2, **SMOKE)
    failed()
    assert resumed().folder == first
    out = capsys.readouterr().out
    assert f"resuming {first} after epoch 2 of 3" in out


def test_without_any_checkpoint_the_newest_start_is_resumed(home, capsys):
    failed()
    second = failed()
    assert resumed().folder == second
    assert f"resuming {second} after epoch 0 of 3" in capsys.readouterr().out


def test_runs_that_do_not_fit_are_passed_over_with_a_line(home, capsys):
    first = interrupted(None, **SMOKE)
    other = interrupted(None, recipe=replace(RECIPE, peak_lr=0.1), **SMOKE)
    damaged = interrupted(None, **SMOKE)
    (damaged / "run.json").write_text('{"format": "davidnet')
    locked = interrupted(None, **SMOKE)
    cut = interrupted(None, **SMOKE)
    (cut / "checkpoint.safetensors").write_bytes(b"half")
    capsys.readouterr()
    with filelock.FileLock(locked / "run.lock", is_singleton=False):
        assert resumed().folder == first
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("not resumed: ")]
    reasons = {
        cut: "damaged checkpoint",
        locked: "another process is writing this run",
        damaged: "run.json: Input data was truncated",
        other: "--peak-lr 0.1, this command 0.4",
    }
    assert len(told) == len(reasons)
    for line, (path, words) in zip(told, reasons.items(), strict=True):
        assert str(path) in line and words in line


def test_a_run_that_is_done_is_no_line(home, capsys):
    first = interrupted(None, **SMOKE)
    with record(Run(**SMOKE)) as log:
        an_epoch(log, 0)
    assert resumed().folder == first
    assert "not resumed" not in capsys.readouterr().out


def test_if_nothing_can_be_resumed_it_is_an_error(home):
    with pytest.raises(UsageError, match="no unfinished run"):
        resumed()
    interrupted(None, recipe=replace(RECIPE, peak_lr=0.1), **SMOKE)
    with pytest.raises(UsageError, match="no unfinished run"):
        resumed()


@pytest.mark.parametrize(
    ("file", "error"),
    [("run.json", RecordError), ("checkpoint.safetensors", CheckpointError)],
)
def test_a_named_run_that_is_damaged_is_an_error(out, file, error):
    interrupted(out)
    (out / file).write_bytes(b"{")
    with pytest.raises(error):
        resumed(out=str(out))
    assert (out / file).read_bytes() == b"{"
    with filelock.FileLock(out / "run.lock", is_singleton=False) as lock:
        assert lock.is_locked  # what failed has let it go


# --- What is kept -------------------------------------------------------


def test_initial_weights_and_load_belong_to_the_training(tmp_path):
    given = tmp_path / "given.safetensors"
    save(given, 1)
    first = interrupted(tmp_path / "a", epochs=0, load=str(given))
    second = interrupted(tmp_path / "b", epochs=0, init="shared")
    log = resumed(out=str(first))
    assert log.start == given
    assert log.initial().step == RECIPE.steps_per_epoch
    assert read_run(first).about.run.load == str(given)
    log = resumed(out=str(second))
    assert log.start is None
    start = log.initial()
    assert (start.step, start.recipe, start.framework) == (0, RECIPE, "shared")
    assert read_run(second).about.run.init == "shared"


def test_every_start_is_kept_with_what_it_ran_on(out, monkeypatch):
    commits = iter("abc")
    monkeypatch.setattr(start, "git_commit", lambda: next(commits) * 40)
    moments = iter(f"20260101T00000{n}Z" for n in range(9))
    monkeypatch.setattr(start, "now", lambda: next(moments))
    interrupted(out, epochs=1)
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117
        with record(Run(out=str(out), resume=True)) as log:
            an_epoch(log, 1)
            raise KeyboardInterrupt
    with record(Run(out=str(out), resume=True, mode="compiled")) as log:
        an_epoch(log, 2)
    about = read_run(out).about
    assert [start.epoch for start in about.starts] == [0, 1, 2]
    assert [start.git_commit[0] for start in about.starts] == ["a", "b", "c"]
    modes = [start.mode for start in about.starts]
    assert modes == ["eager", "eager", "compiled"]
    assert all(start.versions["numpy"] for start in about.starts)
    assert about.starts[0].machine.allocator == about.machine.allocator
    assert about.started == about.starts[0].started == "20260101T000000Z"
    assert about.git_commit == "c" * 40


def test_a_run_of_an_earlier_version_keeps_its_first_start(tmp_path):
    out = fake_records.put(tmp_path / "a", status="running")
    recipe = read_run(out).about.recipe
    with record(Run(preset="small", out=str(out), resume=True), recipe):
        pass
    about = read_run(out).about
    assert about.starts[0].started == "20260101T000000Z"
    assert about.starts[0].git_commit == "0" * 40
    assert len(about.starts) == 2


# --- What training starts from ------------------------------------------


def test_the_fields_that_differ_from_those_of_the_file_are_told(
    tmp_path, capsys
):
    given = tmp_path / "given.safetensors"
    save(given, 1, replace(RECIPE, epochs=5, peak_lr=0.1))
    with record(Run(out=str(tmp_path / "a"), load=str(given))) as log:
        log.initial()
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if str(given) in line]
    assert len(told) == 2
    assert "epochs 5; this run goes on with 3" in told[0]
    assert "peak_lr 0.1; this run goes on with 0.4" in told[1]


def test_a_schedule_of_other_steps_is_refused(tmp_path):
    given = tmp_path / "given.safetensors"
    save(given, 1)
    recipe = replace(RECIPE, train_images=1024, epochs=4)
    run = Run(out=str(tmp_path / "a"), load=str(given))
    failing = pytest.raises(CheckpointError, match="--train-images 2048")
    with failing, record(run, recipe) as log:
        log.initial()


def test_without_flags_the_frameworks_own_weights_are_meant(tmp_path):
    with record(Run(out=str(tmp_path / "a"))) as log:
        assert log.initial() is None


# --- Whose a folder is --------------------------------------------------


def test_a_run_that_failed_before_its_first_epoch_is_taken_over(out, capsys):
    failed(out=str(out))
    with record(Run(out=str(out), seed=5)) as log:
        an_epoch(log, 0)
    assert "taking over" in capsys.readouterr().out
    about = read_run(out).about
    assert (about.seed, about.status, len(about.starts)) == (5, "done", 1)
    refused(UsageError, "holds another run", out)


def test_what_a_process_that_was_killed_early_leaves_is_nothing(out):
    out.mkdir()
    (out / "run.lock").touch()
    (out / ".run.json.0123abcd.tmp").write_text("{")
    with record(Run(out=str(out))) as log:
        an_epoch(log, 0)
    assert not [path for path in out.iterdir() if path.suffix == ".tmp"]


def test_temporary_files_of_a_killed_process_go_when_it_is_resumed(out):
    interrupted(out)
    (out / ".checkpoint.safetensors.0123abcd.tmp").write_bytes(bytes(1000))
    (out / ".notes.tmp").write_text("of a person")
    resumed(out=str(out))
    left = {path.name for path in out.iterdir() if path.suffix == ".tmp"}
    assert left == {".notes.tmp"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("filelock.FileLock.acquire", "cannot lock .*run"),
        ("pathlib.Path.iterdir", "cannot remove temporary files from .*run"),
    ],
)
def test_a_disk_that_fails_before_a_run_goes_on_is_told(
    out, monkeypatch, call, words
):
    interrupted(out)
    failing = Mock(side_effect=OSError(errno.EIO, "Input/output error"))
    monkeypatch.setattr(call, failing)
    refused(DiskError, words, out, resume=True)


@pytest.mark.parametrize("content", ["{", '{"format": "other"}', "[]"])
def test_a_run_that_cannot_be_read_is_not_taken_over(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    refused(UsageError, "cannot be read", tmp_path)
    assert (tmp_path / "run.json").read_text() == content


def test_an_evaluation_is_not_taken_over(out):
    with record(Run(out=str(out))) as log:
        log.evaluated({"loss": 1.0, "correct": 1.0})
    refused(UsageError, "holds another run", out)


def test_a_run_that_another_process_has_just_begun_is_not_taken_over(out):
    failed(out=str(out))
    with filelock.FileLock(out / "run.lock", is_singleton=False):
        refused(DiskError, "another process", out)


def begin(place, barrier, told):
    """Start a run at the same time as others; its folder."""
    os.chdir(place)
    barrier.wait()
    with record(Run(**SMOKE)) as log:
        told.put(str(log.folder))


def test_starts_in_the_same_second_each_have_a_folder(home):
    context = multiprocessing.get_context("fork")
    barrier, told = context.Barrier(8), context.Queue()
    processes = [
        context.Process(target=begin, args=(os.getcwd(), barrier, told))
        for _ in range(8)
    ]
    for process in processes:
        process.start()
    folders = {told.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(folders) == 8
    assert {p.as_posix() for p in home.iterdir()} == folders


def test_who_makes_the_folder_has_it(home, monkeypatch):
    monkeypatch.setattr(folder, "now", lambda: "20260101T000000Z")
    names = []
    for _ in range(3):
        with record(Run(**SMOKE)) as log:
            names.append(log.folder.name)
    base = "smoke-seed0-20260101T000000Z"
    assert names == [base, f"{base}-2", f"{base}-3"]


# --- Ends ---------------------------------------------------------------


def test_a_run_beside_the_main_thread_is_recorded_as_it_ended(out):
    """Signals are of the main thread; the real error is not covered."""
    with ThreadPoolExecutor() as pool:
        pool.submit(failed, out=str(out)).result()
    about = read_run(out).about
    assert (about.status, about.reason) == ("failed", "SourceError: no data")


def test_an_error_while_a_run_begins_is_recorded_and_frees_the_folder(
    out, monkeypatch
):
    real = record_module.Record._write_about

    def interrupt(self, **changed):
        real(self, **changed)
        if self.about["status"] == "running":
            raise KeyboardInterrupt("SIGINT")

    with monkeypatch.context() as patch:
        patch.setattr(record_module.Record, "_write_about", interrupt)
        refused(KeyboardInterrupt, "SIGINT", out)
    about = read_run(out).about
    assert about.status == "interrupted"
    assert about.reason == "stopped by SIGINT after 0 epochs"
    with record(Run(out=str(out))):
        pass


def test_a_resume_that_cannot_begin_leaves_the_record_alone(out, monkeypatch):
    interrupted(out)
    before = (out / "run.json").read_bytes()

    fail = Mock(side_effect=DiskError("cannot read /proc/cpuinfo"))
    monkeypatch.setattr(start, "describe_machine", fail)
    with pytest.raises(DiskError):
        resumed(out=str(out))
    assert (out / "run.json").read_bytes() == before


def test_paths_that_are_no_text_leave_a_record_that_can_be_read(out):
    strange = os.fsdecode(b"/data/n\xe4me\n\x1b[31m")
    with record(Run(out=str(out), data_dir=strange)) as log:
        log.data_loaded(strange, {})
        an_epoch(log, 0)
    assert read_run(out).about.run.data_dir.startswith("/data/n?me")
