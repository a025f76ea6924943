"""First epochs of one process and of two: what is published, and how told."""

import json

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


def test_first_epochs_are_published_and_told(tmp_path, monkeypatch):
    for module in (publish, scale):
        monkeypatch.setattr(module, "FIRST_EPOCH", tmp_path / "there.json")
    changed = {
        "pytorch-float64-two": 2 + 4e-15,
        "pytorch-float32-two": 2.05,
        "pytorch-float32-native-1": 1.94,
    }
    file = tmp_path / "first-epoch.json"
    file.write_text(json.dumps(report(**changed)))
    publish.publish_first_epoch(file)
    table = scale.first_epoch_table()
    assert (
        "| PyTorch | float64 | 50,000 | 2.0000 | 2.0000 | 2e-15 |  |" in table
    )
    told = "| 50,000 | 2.0000 | 2.0500 | 2.50% | 3.00% and 0e+00 |"
    assert f"| PyTorch | float32 {told}" in table
    assert "| JAX | float64 | 2,560 | 2.0000" in table
    assert "On 2 cores of something, commit 0000000." in table
    assert "any two of the 4 trainings on all images is 2e-15" in table
