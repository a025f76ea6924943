"""First epochs of one process and of two: what is published, and how told."""

import json

import pytest

from common.environments import FRAMEWORKS
from tools.launch import first_epoch
from tools.results import publish, scale


def report(**losses):
    """Of trainings that all have the loss 2, but for these, by name."""
    plan = first_epoch.plan(tuple(FRAMEWORKS))
    rows = [vars(t) | {"loss": losses.get(t.name, 2.0)} for t in plan]
    return {
        "format": first_epoch.FORMAT,
        "git_commit": "0" * 40,
        "machine": "2 cores of something",
        "flags": first_epoch.RECIPE,
        "rows": rows,
    }


@pytest.fixture
def publish_it(tmp_path, monkeypatch):
    for module in (publish, scale):
        monkeypatch.setattr(module, "FIRST_EPOCH", tmp_path / "there.json")

    def publish_it(content):
        file = tmp_path / "first-epoch.json"
        file.write_text(json.dumps(content))
        publish.publish_first_epoch(file)

    return publish_it


def test_first_epochs_are_published_and_told(publish_it):
    changed = {
        "pytorch-float64-two": 2 + 4e-15,
        "pytorch-float32-two": 2.05,
        "pytorch-float32-native-1": 1.94,
    }
    publish_it(report(**changed))
    table = scale.first_epoch_table()
    assert (
        "| PyTorch | float64 | 50,000 | 2.0000 | 2.0000 | 2e-15 |  |" in table
    )
    told = "| 50,000 | 2.0000 | 2.0500 | 2.50% | 3.00% and 0e+00 |"
    assert f"| PyTorch | float32 {told}" in table
    assert "| JAX | float64 | 2,560 | 2.0000" in table
    assert "On 2 cores of something, commit 0000000." in table
    assert "any two of the 4 trainings on all images is 2e-15" in table


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (report() | {"git_commit": None}, "of changed source"),
        (report() | {"flags": "--preset smoke"}, "of --preset smoke"),
        (report() | {"rows": report()["rows"][1:]}, "not all frameworks"),
        (
            report(**{"jax_flax-float64-two": 2.011}),
            "jax_flax: 5.5e-03 apart in float64",
        ),
        (
            report(**{"jax_flax-float64-two": float("nan")}),
            "not a report to use",
        ),
    ],
)
def test_what_is_no_evidence_is_not_published(publish_it, content, words):
    with pytest.raises(SystemExit, match=words):
        publish_it(content)
    assert not publish.FIRST_EPOCH.exists()
