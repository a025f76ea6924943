"""Parts of the site that need no library beyond those of common/."""

import pytest

from common.run.records import find_runs
from tools.results.tests import fake_records
from tools.site import errors, groups, report
from tools.site.contract import (
    HEAD,
    ROOT,
    Row,
    cut,
    user,
)
from tools.site.tests import fakes

TEXT = '''"""What it is."""

import os

# --- One ----

# why
A = 1


@decorated
def b():
    return 1


# --- Two ----


def c():
    pass


if __name__ == "__main__":
    c()
'''


def test_every_line_of_a_file_is_in_one_piece():
    found = cut("pytorch", "model.py", TEXT)
    spans = {
        piece.name: (piece.first, piece.first + len(piece.lines) - 1)
        for pieces in found.values()
        for piece in pieces
    }
    assert spans == {HEAD: (1, 3), "A": (7, 8), "b": (11, 13), "c": (19, 24)}


def test_a_name_of_one_framework_stands_behind_what_uses_it():
    text = "# --- S ---\ndef {}():\n    pass\ndef b():\n    {}()\n"
    lone, uses = cut("pytorch", "x.py", text.format("odd", "odd"))["S"]
    rows = [Row("a"), Row("b", {"pytorch": uses})]
    assert user(Row("odd", {"pytorch": lone}, ["why"]), rows) == 1
    # What nobody uses stays where it is: behind the row before it.
    free, before = cut("pytorch", "x.py", text.format("a", "c"))["S"][::-1]
    rows = [Row("a", {"pytorch": before}), Row("z")]
    assert user(Row("b", {"pytorch": free}, ["why"]), rows) == 0


@pytest.fixture
def experiment(tmp_path):
    fakes.three(tmp_path)
    (only,) = groups.experiments(find_runs(tmp_path)[0])
    return only


def test_runs_that_differ_in_the_seed_make_one_group(experiment):
    assert experiment.title == "small, epochs 4"
    assert [len(group.runs) for group in experiment.groups] == [1, 3, 1]
    assert experiment.groups[1].seeds == [0, 1, 2]
    assert experiment.groups[1].label == "PyTorch, eager"


def test_a_band_is_the_range_over_the_seeds(experiment):
    found = report.curve(experiment.groups[1], "test_accuracy", 100)
    assert found["runs"] == [3, 3, 3, 3]
    assert found["low"][0] == pytest.approx(65.0)
    assert found["mid"][0] == pytest.approx(65.2)
    assert found["high"][0] == pytest.approx(65.4)


def test_times_are_of_the_runs_that_were_alone_if_there_are_any(tmp_path):
    """Accuracy is of all three: it does not mind other programs."""
    for seed, (load, seconds) in enumerate(((0.0, 5), (0.4, 9), (0.4, 11))):
        folder = fakes.record(tmp_path, "pytorch", seed)
        changed = {"other_load": load, "test_accuracy": 0.6 + seed / 10}
        times = [seconds * epoch for epoch in (1, 2, 3, 4)]
        rows = [
            fake_records.row(n, train_seconds=at, **changed)
            for n, at in enumerate(times, 1)
        ]
        fakes.write_rows(folder, rows)
    (only,) = groups.experiments(find_runs(tmp_path)[0])
    (group,) = only.groups
    found = report.curve(group, "test_accuracy", 100)
    assert (found["mid"][0], found["seconds"][0]) == (70.0, 5)
    assert report.level_cell(group, 60)["seconds"] == "5.0 s"
    assert report.level_cell(group, 70) == {
        **{"rows": 2, "of": 3, "epoch": "1"},
        "seconds": "10 s",  # the one that was alone did not reach it
    }
    assert report.levels(only)[0]["seconds"] == "20 s"
    group.runs.pop(0)
    assert report.curve(group, "test_accuracy")["seconds"][0] == 10


def test_a_level_that_was_not_reached_is_said(experiment):
    cells = report.levels(experiment)[0]["cells"]
    by_level = dict(zip(report.LEVELS, cells, strict=True))
    assert by_level[60]["epoch"] == "1"
    assert by_level[90]["epoch"] == "4"
    assert by_level[93] == {"rows": 0}


def test_an_interrupted_run_is_a_curve_of_its_own(tmp_path):
    fakes.record(tmp_path, "pytorch")
    cut = fakes.record(tmp_path, "pytorch", 1, status="interrupted")
    fakes.write_rows(cut, [fakes.row(1, 500, 1)])
    (only,) = groups.experiments(find_runs(tmp_path)[0])
    labels = [group.label for group in only.groups]
    assert labels == ["PyTorch, eager", "PyTorch, eager, interrupted"]


def test_what_is_not_one_whole_training_is_apart_from_those(tmp_path):
    """By --load, or resumed by other source: its seconds are of a part."""
    fakes.record(tmp_path, "pytorch")
    run = fake_records.about()["run"] | {"load": "x", "seed": 1}
    fakes.record(tmp_path, "pytorch", 1, run=run)
    found = find_runs(tmp_path)[0]
    (only,) = groups.experiments(found)
    assert [len(group.runs) for group in only.groups] == [1, 1]
    (one,), _ = errors.collect(found)
    assert one.without == 1  # of the whole one


def test_runs_on_one_and_on_eight_devices_are_two_groups(tmp_path):
    fakes.record(tmp_path, "pytorch")
    machine = fake_records.about()["machine"]
    machine |= {"devices": 8, "processes": 8}
    fakes.record(tmp_path, "pytorch", 1, machine=machine)
    (only,) = groups.experiments(find_runs(tmp_path)[0])
    one, eight = (group.label for group in only.groups)
    assert "8 devices, 8 processes" in eight
    assert "devices" not in one
    assert len(only.alike) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.84, "0.8 s"), (50.4, "50 s"), (200, "3 min 20 s"), (7300, "2 h 1 min")],
)
def test_durations_are_for_people(seconds, words):
    assert report.duration(seconds) == words


def test_times_are_compared_of_runs_that_are_alike(tmp_path):
    """Not across machines, precisions, or modes beside the default ones."""
    fakes.three(tmp_path)
    fakes.record(tmp_path, "pytorch", 3, mode="compiled")
    fakes.record(tmp_path, "jax_flax", 4, mode="eager")
    fakes.record(tmp_path, "jax_flax", 5, machine={"device": "a GPU"})
    (only,) = groups.experiments(find_runs(tmp_path)[0])
    found = {
        words: [(group.label, len(group.runs)) for group in alike]
        for words, alike in only.alike.items()
    }
    first, *others = found.values()
    assert first == [
        ("TensorFlow, eager", 1),
        ("PyTorch, eager", 3),
        ("JAX, compiled", 1),
    ]
    assert sorted(others) == [
        [("JAX, compiled", 1)],
        [("JAX, eager", 1)],
        [("PyTorch, compiled", 1)],
    ]


def test_the_line_of_94_percent_is_where_the_recipe_aims_at_it(experiment):
    assert experiment.goal is None
    full, _ = find_runs(ROOT / "results")
    aims = {e.title: e.goal for e in groups.experiments(full)}
    assert aims["dawnbench"] == 94 and aims["small"] is None
