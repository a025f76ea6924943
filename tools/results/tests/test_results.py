"""What of the records may be published, and how it is told."""

import json

import pytest

from common.run.folder import read_about
from tools.results import publish
from tools.results.trainings import goal


def epochs(*accuracies):
    return [
        {"epoch": n + 1, "test_accuracy": value, "train_seconds": 10.0 * n}
        for n, value in enumerate(accuracies)
    ]


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([epochs(0.5, 0.9399)], "not reached"),
        ([epochs(0.5, 0.94, 0.93, 0.95)], "epoch 2, 10 s"),
        (
            [epochs(0.95), epochs(0.5, 0.5), epochs(0, 0, 0.95)],
            "2 of 3: epoch 2, 10 s",
        ),
    ],
)
def test_the_first_epoch_at_94_percent_is_told(runs, told):
    assert goal(runs) == told


def test_a_ladder_that_did_not_pass_is_not_published(monkeypatch, tmp_path):
    file = tmp_path / "parity.json"
    monkeypatch.setattr(publish, "LADDER", tmp_path / "published.json")
    file.write_text(json.dumps({"verdict": "fail"}))
    with pytest.raises(SystemExit, match="fail, not pass"):
        publish.publish_ladder(file)
    assert not publish.LADDER.exists()


def test_an_interrupted_run_is_not_published(monkeypatch, tmp_path):
    about = read_about(next(publish.RESULTS.glob("*/*/run.json")).parent)
    about["status"] = "interrupted"
    monkeypatch.setattr(publish, "RESULTS", tmp_path / "results")
    (tmp_path / "run.json").write_text(json.dumps(about))
    with pytest.raises(SystemExit, match="interrupted, not done"):
        publish.take(tmp_path)
    assert not publish.RESULTS.exists()
