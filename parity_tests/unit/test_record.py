"""The run folder: what is written, who owns it, how a run is taken up."""

from dataclasses import replace
from types import SimpleNamespace

import filelock
import numpy as np
import pytest
from msgspec import structs

from common.checkpoint import read_step
from common.errors import CheckpointError, DiskError, LossNotFinite, UsageError
from common.recipe import Run
from common.run.about import Data, Evaluation
from common.run.record import Record
from common.run.records import read_predictions, read_run
from common.schedule import step_lr
from common.world import World
from parity_tests.unit.recording import (
    GOOD,
    RECIPE,
    an_epoch,
    interrupted,
    record,
    refused,
    save,
)

SHA256 = "0" * 64
NAN = {"loss": float("nan"), "correct": 0.0}


def test_every_number_of_a_record_is_what_it_is_called(out, monkeypatch):
    """By clocks that say 10, 13, 20, 22, ... s, with 2 processors."""
    clock = iter([10, 13, 20, 22, 30, 34, 40, 48])
    others = iter([1.0, 2.0, 5.0, 5.0, 7.0, 99.0])
    told = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr("common.run.record.time", told)
    monkeypatch.setattr("common.run.record.other_seconds", lambda: next(others))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with record(Run(preset="smoke", out=str(out))) as log:
        with log.warming_up():
            pass
        for epoch in log.epochs(0):
            an_epoch(log, epoch)
    images = RECIPE.train_images
    for number, row in enumerate(read_run(out).rows):
        step = (number + 1) * RECIPE.steps_per_epoch
        # an_epoch has these sums over all images
        assert structs.asdict(row) == {
            "epoch": number + 1,
            "step": step,
            "lr": step_lr(step - 1, RECIPE) * RECIPE.batch_size,
            "train_loss": GOOD["loss"] / images,
            "train_accuracy": GOOD["correct"] / images,
            "test_loss": GOOD["loss"] / 2 / RECIPE.test_images,
            "test_accuracy": GOOD["correct"] / 2 / RECIPE.test_images,
            "train_seconds": (2, 6, 14)[number],
            "compile_seconds": 3,
            "images_per_second": images / (2, 4, 8)[number],
            "other_load": (1 / 4, 0, 1)[number],
        }
    assert (out / "dawnbench.tsv").read_text().splitlines() == [
        "epoch\thours\ttop1Accuracy",
        f"1\t{2 / 3600:.8f}\t25.00",
        f"2\t{6 / 3600:.8f}\t25.00",
        f"3\t{14 / 3600:.8f}\t25.00",
    ]


def test_a_whole_run_is_recorded(out, capsys):
    with record(Run(preset="smoke", seed=7, out=str(out))) as log:
        assert read_run(out).about.status == "running"
        log.data_loaded("a source", {"x_train": SHA256})
        with log.warming_up():
            pass
        for epoch in log.epochs(0):
            an_epoch(log, epoch)
    about = read_run(out).about
    assert about.status == "done"
    assert about.reason is None
    assert about.framework == "pytorch"
    assert about.preset == "smoke"
    assert about.seed == 7
    assert about.recipe.epochs == 3
    assert about.versions["numpy"]
    assert about.machine.device == "cpu"
    assert about.machine.threads == 2
    assert about.data == Data("a source", {"x_train": SHA256})
    rows = read_run(out).rows
    assert [row.epoch for row in rows] == [1, 2, 3]
    assert rows[1].step == 2 * RECIPE.steps_per_epoch
    assert rows[1].lr == step_lr(7, RECIPE) * RECIPE.batch_size
    printed = capsys.readouterr().out
    assert "test accuracy 25.00% after 3 epochs" in printed
    assert f"record: {out}" in printed


@pytest.mark.parametrize(("train", "test"), [(NAN, GOOD), (GOOD, NAN)])
def test_a_loss_that_is_not_finite_ends_the_run(out, train, test):
    with pytest.raises(LossNotFinite, match="in epoch 2") as error:  # noqa: SIM117
        with record(Run(out=str(out))) as log:
            an_epoch(log, 0)
            with log.training():
                pass
            log.end_epoch(1, train, test)
    assert str(log.checkpoint) in str(error.value)
    assert read_step(log.checkpoint) == RECIPE.steps_per_epoch
    about = read_run(out).about
    assert about.status == "failed"
    assert "LossNotFinite" in about.reason
    assert [row.epoch for row in read_run(out).rows] == [1]


def test_an_interrupted_run_says_how_to_go_on_and_does(out, capsys):
    interrupted(out, epochs=2)
    assert read_run(out).about.status == "interrupted"
    assert f"--resume --out {out}" in capsys.readouterr().out
    with record(Run(out=str(out), resume=True)) as log:
        assert log.start == log.checkpoint
        # The checkpoint is of epoch 1: the second line was written before
        # its checkpoint could be.
        save(log.checkpoint, 1)
        left = log.epochs(log.initial().step)
        assert list(left) == [1, 2]
        for epoch in left:
            an_epoch(log, epoch)
    assert [row.epoch for row in read_run(out).rows] == [1, 2, 3]
    assert read_run(out).about.status == "done"


@pytest.mark.parametrize(
    ("recipe", "flags", "words"),
    [
        (replace(RECIPE, peak_lr=0.1), {}, "--peak-lr 0.4"),
        (replace(RECIPE, width=8), {}, "--width 4"),
        (RECIPE, {"seed": 5}, "--seed 0"),
        (RECIPE, {"dataset": "synthetic"}, "--dataset cifar10"),
        (RECIPE, {"init": "shared"}, "--init native"),
        (RECIPE, {"load": "x"}, "--load None"),
    ],
)
def test_another_training_is_not_taken_up(out, recipe, flags, words):
    interrupted(out)
    before = (out / "run.json").read_text()
    refused(UsageError, words, out, recipe, resume=True, **flags)
    assert (out / "run.json").read_text() == before


def test_a_finished_run_is_not_taken_up(out):
    with record(Run(out=str(out))) as log:
        an_epoch(log, 0)
    refused(UsageError, "is done", out, resume=True)


def test_out_that_holds_another_run_is_refused(out):
    refused(UsageError, "holds another run", interrupted(out))


def test_out_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    refused(UsageError, "not empty", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_out_that_cannot_be_made_is_a_disk_error(tmp_path):
    (tmp_path / "file").write_text("")
    refused(DiskError, "cannot write", tmp_path / "file" / "run")


def test_a_second_process_is_refused(out):
    interrupted(out)
    # Another lock object on the same file is what another process has.
    with filelock.FileLock(out / "run.lock", is_singleton=False):
        refused(DiskError, "another process", out, resume=True)


def test_a_run_by_load_starts_after_the_epochs_of_the_checkpoint(
    out, tmp_path, capsys
):
    given = tmp_path / "given.safetensors"
    save(given, 2)
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117
        with record(Run(out=str(out), load=str(given))):
            raise KeyboardInterrupt
    with record(Run(out=str(out), resume=True)) as log:
        an_epoch(log, 2)
    assert [start.epoch for start in read_run(out).about.all_starts] == [2, 2]
    assert f"resuming {out} after epoch 2 of 3" in capsys.readouterr().out


def test_a_damaged_checkpoint_is_told_and_recorded(out, tmp_path):
    given = tmp_path / "given.safetensors"
    given.write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match="damaged"):  # noqa: SIM117
        with record(Run(out=str(out), load=str(given))) as log:
            log.initial()
    assert read_run(out).about.status == "failed"


def test_every_batch_is_passed_on_in_its_order(out):
    with record(Run(out=str(out))) as log:
        assert list(log.progress([1, 2], 0)) == [1, 2]
        an_epoch(log, 0)
        assert list(log.progress(iter([3]), 1)) == [3]


def test_the_likeliest_class_of_each_image_is_kept(out):
    images = RECIPE.test_images
    probabilities = np.full((images, 10), 0.1)
    classes = np.arange(images) % 10
    probabilities[np.arange(images), classes] = 0.2
    with record(Run(out=str(out))) as log:
        log.predicted(probabilities)
    assert np.array_equal(read_predictions(read_run(out)), classes)


def test_an_evaluation_that_is_not_finite_is_an_error(out):
    with pytest.raises(LossNotFinite, match="test loss is nan"):  # noqa: SIM117
        with record(Run(out=str(out))) as log:
            log.evaluated({"loss": float("nan"), "correct": 1.0})
    assert read_run(out).about.status == "failed"


def test_a_checkpoint_in_mid_epoch_is_of_another_recipe(out):
    with record(Run(out=str(out))) as log:
        with pytest.raises(CheckpointError, match="5 updates"):
            log.epochs(5)
        with pytest.raises(CheckpointError, match="16 updates"):
            log.epochs(16)
        assert list(log.epochs(12)) == []
        log.evaluated({"loss": 1024.0, "correct": 512.0})
    about = read_run(out).about
    assert about.evaluation == Evaluation(1.0, 0.5)


def test_without_the_flag_there_are_no_event_files(out):
    with record(Run(out=str(out))) as log:
        an_epoch(log, 0)
    assert not (out / "tensorboard").exists()


def test_a_record_tells_who_trained_together(out):
    run, facts = Run(out=str(out)), {"device": "cpu", "threads": 1}
    with Record("pytorch", RECIPE, run, facts, World(0, 3, 2, "gloo")) as log:
        an_epoch(log, 0)
    machine = read_run(out).about.machine
    told = machine.processes, machine.devices, machine.backend
    assert told == (3, 6, "gloo")


def test_the_load_beside_several_processes_is_not_known(out, monkeypatch):
    """They would count as other programs."""
    others = iter(range(10))
    monkeypatch.setattr("common.run.record.other_seconds", lambda: next(others))
    run, facts = Run(out=str(out)), {"device": "cpu", "threads": 1}
    for world, known in ((World(), True), (World(0, 2), False)):
        log = Record("pytorch", RECIPE, run, facts, world)
        with log.training():
            pass
        assert (log.other_load is not None) == known
