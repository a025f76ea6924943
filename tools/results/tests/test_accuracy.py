"""The tables of accuracies and of killed trainings, from published reports."""

import json
import re

from common.environments import FRAMEWORKS
from common.run.records import find_runs
from parity_tests.judge.recorded_runs import FEWEST, FULL, SMALL, Judged
from tools.results import accuracy, proofs, publish
from tools.results.tests import fake_records


def published(root, loads=(0.01,) * 8) -> None:
    """The seeds of all three, JAX the slowest by half."""
    for framework in FRAMEWORKS:
        for seed in range(FEWEST):
            folder = root / framework / f"small-{seed}"
            changed = {"framework": framework, "seed": seed}
            fake_records.put(folder, 8, **changed)
            slow = 1.5 if framework == "jax_flax" else 1.0
            rows = [
                fake_records.row(
                    epoch,
                    test_accuracy=min(0.6 + 0.05 * epoch, 0.8 + seed / 1e4),
                    train_seconds=10.0 * epoch * slow,
                    other_load=load,
                )
                for epoch, load in enumerate(loads, 1)
            ]
            fake_records.write_rows(folder, rows)


def test_ten_seeds_that_agree_are_equivalent(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    published(tmp_path)
    pairs, _, times = accuracy.accuracy_tables().split("\n\n")[2:5]
    (line,) = [x for x in pairs.splitlines() if "PyTorch, JAX" in x]
    assert "| 10 | +0.00 (+0.00 to +0.00) |" in line
    assert line.count("equivalent") == 3
    assert "2 and 2 / 4 and 4 / never and never" in line
    rows = {x.split(" | ")[0]: x for x in times.splitlines()}
    assert "| 80.05 (80.00 to 80.09) |" in rows["| JAX"]
    assert rows["| JAX"].endswith(
        "| 2 | 4 | never | 10 | 1.50 | not measured |"
    )
    assert "| 1.00 |" in rows["| PyTorch"]


def test_a_recipe_shows_the_levels_of_another_that_it_reached(
    tmp_path, monkeypatch
):
    """`small` is judged at 85 % too, and never got there; nor to 94 %."""
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    published(tmp_path)
    runs, _ = find_runs(tmp_path)
    few = Judged(SMALL.name, (0.94,))
    head = accuracy.times_table(runs, few).splitlines()[0]
    assert re.findall(r"epochs to (\d+)%", head) == ["70", "80", "94"]
    assert head.count("| seconds to") == 0  # of the first level none are told
    head = accuracy.times_table(runs, SMALL).splitlines()[0]
    assert re.findall(r"epochs to (\d+)%", head) == ["70", "80", "85"]


def test_seconds_of_a_run_beside_others_are_not_told(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    published(tmp_path, (0.01,) * 7 + (0.5,))
    assert "| 0 | not measured | not measured |" in accuracy.accuracy_tables()


def test_seconds_of_two_machines_are_not_compared(tmp_path, monkeypatch):
    """TensorFlow's runs are on a GPU, the others on a CPU."""
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    published(tmp_path)
    for file in (tmp_path / "tensorflow_eager").glob("*/run.json"):
        about = json.loads(file.read_text())
        about["machine"]["device"] = "a GPU"
        file.write_text(json.dumps(about))
    text = accuracy.accuracy_tables()
    small, _ = text.split(f"**`{FULL.name}`**")
    rows = {x.split(" | ")[0]: x for x in small.splitlines()}
    assert rows["| TensorFlow"].endswith("| 0 | not measured | not measured |")
    assert "| 10 | 1.50 |" in rows["| JAX"]
    assert "on 2 cores of made-up" in text


def test_survived_kills_are_published_and_told(tmp_path, monkeypatch):
    for module in (publish, proofs):
        monkeypatch.setattr(module, "TORTURE", tmp_path / "published.json")
    file = tmp_path / "torture.json"
    file.write_text(json.dumps(fake_records.TORTURE))
    publish.publish_torture(file)
    assert proofs.torture_line().replace("\n", " ") == (
        "114 interruptions (TensorFlow 0, PyTorch 114, JAX 0; by INT, KILL), "
        "0 differences in 18 trainings, on commit 0000000."
    )


def test_trained_mistakes_are_told_beside_runs_without(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    monkeypatch.setattr(accuracy, "MUTANTS", tmp_path / "mutants.json")
    published(tmp_path)
    killed = {"mutant": "a", "killed_by": "rung 4: x", "equivalent": ""}
    report = {
        "format": "davidnet-mutants-1",
        "named": [killed | {"framework": "pytorch"}],
        "generated": {"share": 0.02, "by_file": []},
        "commit_of": {"trained": "1" * 40},
    }
    accuracy.MUTANTS.write_text(json.dumps(report))
    assert "No trainings" in accuracy.trained_mutants_table()
    row = {"mutant": "a", "train_loss": 0.52}  # 0.5 without
    rows = [row | {"seed": n, "accuracy": 79.5 + n} for n in (0, 1, 99)]
    accuracy.MUTANTS.write_text(json.dumps(report | {"trained": rows}))
    assert (
        "| `a` | 2 | 80.00 (79.50 to 80.50) | -0.01 | +4.0 | rung 4 |"
        in accuracy.trained_mutants_table()
    )
    told = "Within the margins of 0.30 points and 2 %: "
    table = accuracy.trained_mutants_table()
    assert table.endswith(f"{told}none; beyond: `a`.")  # by its loss
    assert accuracy.within_margins({"a": True, "b": False, "c": False}) == (
        f"{told}a; beyond: b, c."
    )
