"""Damaged run records: each is refused with a reason, and costs itself only."""

import errno
import io
import json
import os
import random
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from common.errors import RecordError
from common.run import records
from common.run.about import ABOUT, METRICS, About
from common.run.records import (
    LARGEST,
    find_runs,
    read_predictions,
    read_run,
    recipe_title,
)
from tools.results.tests import fake_records
from tools.results.tests.fake_records import about, row

# One field, and a value that it cannot have.
FIELDS = {
    "format": (1, None, "davidnet-run-2", []),
    "framework": ("../../x", "caffe", None, 3),
    "preset": (None, 3, "a\x1b[31m", "x" * 2_000, []),
    "seed": (-1, 2**31, 0.5, "0", True, None, 10**400),
    "mode": ("fast", None),
    "precision": (8, None),
    "recipe": (None, [], "small", 3, {"width": "16"}, {"width": 0}),
    "run": (None, [], {}, {"dataset": "mnist"}, {"dataset": None}),
    "status": ("fine", None, True),
    "started": ("yesterday", 20260101, "20261301T000000Z", None),
    "finished": ("20260230T000000Z", 3),
    "machine": (
        *(None, [], {}, {"device": 3}, {"device": "cpu", "cores": -1}),
        *({"device": "cpu", "processes": n} for n in (0, 2**60)),
    ),
    "versions": (None, ["torch"], {"torch": 2}),
    "git_commit": (3, "HEAD", "0" * 39, "0" * 40 + "-"),
    "data": ([], {}, {"source": "x", "sha256": {"x_train": "00"}}),
    "evaluation": ([], {"loss": "low"}),
    "starts": ({}, [{}], [None]),
    "reason": (3, "x" * 20_000),
}
RECIPES = {
    "epochs": (0, "4", 10**9, None),
    "batch_size": (0, 60_000),
    "width": (10**9,),
    "pixel_std": ([1, 2], 3, ["a", "b", "c"], [0, 1, 1]),
    "precision": ("float8",),
    "peak_lr": ("high", None),
}
COLUMNS = {
    "epoch": (0, 1.5, "1", None, 5, 10**30),
    "step": (0, 3, "98"),
    "lr": (-1, "x"),
    "train_loss": ("low", None, [1]),
    "test_accuracy": (1.5, -0.1, "90%"),
    "train_seconds": (-1, 1e300, None),
    "images_per_second": ("fast",),
}
REQUIRED = (
    *("format", "framework", "preset", "seed", "mode", "precision", "recipe"),
    *("run", "status", "started", "machine", "versions"),
)


def damages():
    """What is done to a record, by name: the bytes of its two files."""
    good = json.dumps(about()).encode()
    rows = [json.dumps(row(n)).encode() for n in range(1, 5)]
    lines = b"\n".join(rows)
    for name, values in FIELDS.items():
        for value in values:
            text = json.dumps(about() | {name: value}).encode()
            yield f"{name} {value!r:.60}", text, lines
    for name, values in RECIPES.items():
        for value in values:
            recipe = about()["recipe"] | {name: value}
            text = json.dumps(about(recipe=recipe)).encode()
            yield f"recipe {name} {value!r:.60}", text, lines
    for name in REQUIRED:
        less = {key: v for key, v in about().items() if key != name}
        yield f"no {name}", json.dumps(less).encode(), lines
    for name, values in COLUMNS.items():
        for value in values:
            bad = json.dumps(row(2) | {name: value}).encode()
            text = b"\n".join([rows[0], bad, *rows[2:]])
            yield f"row {name} {value!r:.60}", good, text
    for name in row(1):
        less = {key: v for key, v in row(1).items() if key != name}
        yield f"row without {name}", good, json.dumps(less).encode()
    for share in (0.0, 0.1, 0.5, 0.9):
        cut = good[: int(len(good) * share)]
        yield f"run.json cut at {share}", cut, lines
        cut = rows[0] + b"\n" + rows[1][: int(len(rows[1]) * share)]
        if share:
            yield f"metrics cut at {share}", good, cut
    whole = {
        "null": b"null",
        "a list": b"[]",
        "a number": b"3",
        "zeros": bytes(4096),
        "latin-1": good.replace(b"small", b"sm\xe4ll"),
        "UTF-16": good.decode().encode("utf-16"),
        "a surrogate": good.replace(b"small", b"\\ud800"),
        "deep lists": b"[" * 200_000,
        "a deep field": good[:-1] + b', "x": ' + b"[" * 200_000,
        "two texts": good + good,
        "NaN": good.replace(b"0.4", b"NaN"),
        "an infinite number": good.replace(b"0.4", b"1e999"),
        "large": good + b" " * LARGEST[ABOUT],
    }
    for name, text in whole.items():
        yield f"run.json is {name}", text, lines
    whole = {
        "null": b"null",
        "a list": b"[]",
        "zeros": bytes(4096),
        "deep lists": b"[" * 200_000,
        "NaN": rows[0].replace(b"0.9", b"NaN"),
        "an epoch twice": b"\n".join([*rows, rows[0]]),
        "epochs in turn": b"\n".join(rows[::-1]),
        "an empty line": b"\n".join([rows[0], b"", rows[1]]),
        "large": lines + b" " * LARGEST[METRICS],
    }
    for name, text in whole.items():
        yield f"metrics is {name}", good, text


DAMAGES = {name: files for name, *files in damages()}


def test_no_damage_hides_another_behind_its_name():
    assert len(DAMAGES) == sum(1 for _ in damages())


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_record_is_refused_with_one_line(name, tmp_path):
    text, lines = DAMAGES[name]
    (tmp_path / ABOUT).write_bytes(text)
    (tmp_path / METRICS).write_bytes(lines)
    with pytest.raises(RecordError) as caught:
        read_run(tmp_path)
    reason = str(caught.value)
    assert reason.startswith(str(tmp_path))
    assert reason.isprintable()
    assert len(reason) < len(str(tmp_path)) + 300


def test_flipped_bytes_give_a_record_or_a_reason(tmp_path):
    """Whatever the bytes are, no other error comes of them."""
    fake_records.put(tmp_path / "run")
    rng = random.Random(0)
    refused = 0
    for name in (ABOUT, METRICS):
        path = tmp_path / "run" / name
        good = path.read_bytes()
        for _ in range(300):
            bad = bytearray(good)
            for _ in range(rng.randint(1, 4)):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            path.write_bytes(bad)
            try:
                read_run(tmp_path / "run")
            except RecordError:
                refused += 1
        path.write_bytes(good)
    assert refused > 300


def test_a_damaged_record_costs_its_own_row_only(tmp_path):
    good = fake_records.put(tmp_path / "runs" / "pytorch" / "good")
    for place, (text, lines) in enumerate(DAMAGES.values()):
        folder = tmp_path / "runs" / "pytorch" / f"bad-{place}"
        folder.mkdir()
        (folder / ABOUT).write_bytes(text)
        (folder / METRICS).write_bytes(lines)
    runs, problems = find_runs(tmp_path / "runs", tmp_path / "missing")
    assert [run.folder for run in runs] == [good]
    assert len(problems) == len(DAMAGES)
    assert all(bad.reason and "/" not in bad.name[8:] for bad in problems)
    assert not any(str(tmp_path) in bad.reason for bad in problems)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / ABOUT)
    with pytest.raises(RecordError, match="not an ordinary file"):
        read_run(tmp_path)


def test_folders_without_a_record_are_listed(tmp_path):
    home = tmp_path / "runs" / "pytorch"
    whole = fake_records.put(home / "whole")
    (whole / "tensorboard").mkdir()  # a part of the record, none itself
    (whole / "tensorboard" / "events").touch()
    (home / "empty").mkdir()
    (tmp_path / "runs" / "jax_flax").mkdir()  # no run yet: nothing is wrong
    (home / "locked").mkdir()
    (home / "locked" / "run.lock").touch()
    (home / os.fsdecode(b"n\xe4me")).mkdir()
    (home / ".DS_Store").touch()
    (home / "again").symlink_to(home)  # a ring of folders
    runs, problems = find_runs(tmp_path / "runs")
    assert {run.name for run in runs} >= {"pytorch/whole"}
    reasons = {bad.name: bad.reason for bad in problems}
    assert reasons["pytorch/empty"] == "empty: the folder holds nothing"
    assert "no run.json" in reasons["pytorch/locked"]
    assert "pytorch/n\ufffdme" in reasons
    assert "runs/jax_flax" not in reasons


def test_a_folder_that_may_not_be_read_is_listed(tmp_path, monkeypatch):
    """As root every folder may be read, so the refusal is made here."""
    locked = fake_records.put(tmp_path / "runs" / "locked")
    real = os.scandir

    def refuse(path):
        if os.fspath(path) == str(locked):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    def refuse_content(path, limit):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(records, "read_limited", refuse_content)
    runs, problems = find_runs(tmp_path / "runs")
    assert not runs
    assert [bad.folder for bad in problems] == [locked]
    assert "Permission denied" in problems[0].reason


def test_a_record_in_two_places_counts_once(tmp_path):
    for place in ("results", "runs"):
        fake_records.put(tmp_path / place / "pytorch" / "a")
    runs, problems = find_runs(tmp_path / "results", tmp_path / "runs")
    assert [run.folder.parts[-3] for run in runs] == ["results"]
    assert not problems


def test_two_records_of_one_name_are_two_runs(tmp_path):
    for place, day in (("one", 1), ("two", 2)):
        started = f"2026010{day}T000000Z"
        fake_records.put(tmp_path / place / "pytorch" / "a", started=started)
    runs, _ = find_runs(tmp_path / "one", tmp_path / "two")
    assert len(runs) == 2


def test_a_damaged_record_hides_no_good_one_of_its_name(tmp_path):
    damaged = fake_records.put(tmp_path / "one" / "pytorch" / "a")
    (damaged / "run.json").write_text("{")
    fake_records.put(tmp_path / "two" / "pytorch" / "a")
    runs, problems = find_runs(tmp_path / "one", tmp_path / "two")
    assert len(runs) == len(problems) == 1


def test_what_a_newer_program_adds_is_passed_over(tmp_path):
    folder = fake_records.put(tmp_path / "a", new_field={"a": [1]})
    fake_records.write_rows(folder, [row(1, gpu_memory=3)])
    assert read_run(folder).rows[0].epoch == 1


def test_a_record_is_of_typed_things(tmp_path):
    run = read_run(fake_records.put(tmp_path / "pytorch" / "a"))
    assert run.name == "pytorch/a"
    assert run.title == "small, epochs 4"
    assert run.problem == ""
    assert f"{run.started:%Y-%m-%d %H:%M %Z}" == "2026-01-01 00:00 UTC"
    assert run.about.recipe.steps_per_epoch == 98
    assert run.about.machine.cores == 2
    assert recipe_title("of-old", run.about.recipe) == "of-old"
    # It stands beside the title, wherever that is shown.
    half = replace(run.about.recipe, precision="bfloat16")
    assert recipe_title("small", half) == "small, epochs 4"


def test_a_preset_of_an_earlier_version_has_the_name_of_today(tmp_path):
    recipe = about()["recipe"] | {"dropout_rate": 0.05, "cutout_size": 0}
    text = json.dumps(about(preset="notebook", recipe=recipe))
    (tmp_path / ABOUT).write_text(text)
    assert records.read_about(tmp_path).preset == "dropout"


def saved(array) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


CLASSES = np.arange(10_000, dtype=np.uint8) % 10


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"\x93NUMPY\x01", "damaged"),
        (saved(CLASSES)[:-1], "damaged"),
        (saved(np.array([{}])), "damaged"),  # a pickle: nothing is run
        (saved(CLASSES[:-1]), "not a class"),
        (saved(CLASSES[None]), "not a class"),
        (saved(CLASSES.astype(np.int64)), "not a class"),
        (saved(CLASSES + np.uint8(1)), "not a class"),
    ],
)
def test_predictions_are_whole_or_refused(tmp_path, content, reason):
    run = read_run(fake_records.put(tmp_path / "pytorch" / "a"))
    assert read_predictions(run) is None
    path = run.folder / "predictions.npy"
    path.write_bytes(saved(CLASSES))
    assert (read_predictions(run) == CLASSES).all()
    path.write_bytes(content)
    with pytest.raises(RecordError, match=reason) as found:
        read_predictions(run)
    assert "\n" not in str(found.value)


def test_a_record_of_an_earlier_version_was_of_one_process_and_device():
    """It does not tell how many, nor has it a list of its starts."""
    found = msgspec.json.decode(json.dumps(about()), type=About)
    machine = found.machine
    assert (machine.processes, machine.devices) == (1, 1)
    (start,) = found.all_starts
    assert (start.started, start.epoch) == (found.started, 0)
