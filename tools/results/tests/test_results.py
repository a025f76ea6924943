"""What of the records may be published, and how it is told."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest

from common.cifar10 import checksums
from common.environments import FRAMEWORKS
from common.errors import DiskError
from common.recipe import PRESETS, Run
from common.run.about import Epoch
from common.run.records import find_runs, read_predictions, read_run
from parity_tests.judge.tolerances import CHECKS
from tools.results import proofs, publish, trainings
from tools.results.tests import fake_records
from tools.results.tests.fake_records import BENCH, LADDER, NEWEST, TORTURE
from tools.results.tests.test_gpu_table import REPORT as GPU
from tools.results.tests.test_scale import report as first_epochs
from tools.results.trainings import goal

CHANGED = "0" * 40 + "+"  # a commit, of source that was changed since
FIRST = first_epochs()
APART = first_epochs(**{"jax_flax-float64-two": 2.011})
UNKNOWN = first_epochs(**{"jax_flax-float64-two": float("nan")})


def epochs(*accuracies):
    return [
        Epoch(
            **fake_records.row(
                n + 1, test_accuracy=value, train_seconds=10.0 * n
            )
        )
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


def test_it_is_told_in_how_many_trainings_94_percent_were_reached():
    runs = [epochs(0.5, 0.9399), epochs(0.5, 0.94, 0.93), epochs(0.95)]
    assert trainings.goal_share(runs) == "reached in 2 of 3 trainings"


def test_the_claim_on_accuracy_is_of_the_published_trainings(
    tmp_path, monkeypatch
):
    """The ladder's own report knew fewer of them."""
    claims = [
        {"what": what, "numbers": f"{what} 1; epochs to 2", "verdict": "old"}
        for what in ("counts", "accuracy")
    ]
    file = tmp_path / "parity.json"
    file.write_text(json.dumps(LADDER | {"mission": claims}))
    monkeypatch.setattr(proofs, "LADDER", file)
    monkeypatch.setattr(proofs, "RESULTS", tmp_path)
    for seed in range(3):
        fake_records.put(tmp_path / "pytorch" / str(seed), 8, seed=seed)
    *_, counts, accuracy = proofs.mission_table().splitlines()
    assert counts == "| counts | counts 1; epochs to 2 | old |"
    assert "old" not in accuracy and "accuracy 1" not in accuracy
    assert "TensorFlow none (0), PyTorch 90.00 % (3), JAX none (0)" in accuracy
    assert accuracy.endswith("; epochs to 2 | undecided |")


def test_mutants_by_operators_have_an_interval_where_they_are_a_sample(
    tmp_path, monkeypatch
):
    """A share of all that there are is known; of a sample it is not."""
    survivor = {"line": 1, "change": "a", "judged": "equivalent: b"}
    row = {"file": "common/a.py", "possible": 44, "tried": 11}
    row |= {"killed_by": {"rung 4": 8}, "survivors": [survivor]}
    whole = row | {"file": "frameworks/x/b.py", "possible": 11}
    whole |= {"killed_by": {"rung 4": 9}}
    named = {"mutant": "a", "framework": "pytorch", "equivalent": ""}
    report = {
        "format": "davidnet-mutants-1",
        "named": [named | {"killed_by": "rung 4: x"}],
        "generated": {"share": 0.1, "by_file": [row, whole]},
        "commit_of": {"named": "1" * 40, "generated": "2" * 40},
    }
    report["generated"]["whole"] = ["frameworks/*/b*"]
    monkeypatch.setattr(proofs, "MUTANTS", tmp_path / "mutants.json")

    def told() -> tuple[str, str]:
        proofs.MUTANTS.write_text(json.dumps(report))
        below = " ".join(proofs.mutants_table().partition("\n\n")[2].split())
        return proofs.killed_mutants(), below

    of_all = (
        "Of `frameworks/*/b*` all were tried: 9 of 10 that are not equivalent "
        "were killed, 90.0 %."
    )
    sample = (
        "file a sample of 10 %, and 3 at least: 8 of 10 that are not "
        "equivalent were killed, 80.0 % (95 % interval, as of one simple "
        "sample, by Wilson's formula: 49.0 % to 94.3 %)."  # as in textbooks
    )
    fact, below = told()
    assert " 17 of 20 changes by mutation operators " in fact
    assert fact.endswith("(all in `b*`, 10 % of the rest; on commit 2222222)")
    assert below == f"{of_all} Of every other {sample}"
    report["generated"]["by_file"] = [whole]
    assert told()[1] == of_all
    report["generated"] |= {"by_file": [row], "whole": []}
    fact, below = told()
    assert fact.endswith("(10 % of each file's; on commit 2222222)")
    assert below == f"Of every {sample}"


def test_a_number_and_its_percent_sign_stay_in_one_line():
    assert proofs.fill("up to 97.7 %", 10) == "up to\n97.7 %"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ladder", LADDER | {"verdict": "fail"}, "fail, not pass"),
        ("ladder", LADDER | {"verdict": ["pass"]}, "Expected `str`"),
        ("ladder", LADDER | {"rows": []}, "without "),
        (
            "ladder",
            LADDER
            | {"traces": {"pytorch": {"git_commit": CHANGED, "versions": {}}}},
            "changed source",
        ),
        ("ladder", LADDER | {"format": "x"}, "Invalid enum value 'x'"),
        ("ladder", [], "Expected `object`"),
        ("bench", BENCH | {"quick": True}, "of --quick"),
        ("bench", BENCH | {"git_commit": CHANGED}, "changed source"),
        ("bench", BENCH | {"git_commit": None}, "changed source"),
        ("bench", BENCH | {"git_commit": 3}, "Expected `str | null`"),
        ("bench", {}, "missing required field"),
        (
            "bench",
            BENCH | {"machine": {"noise": 0.11}},
            "moved by 11% during the run, more than 10%: end what else runs",
        ),
        ("torture", TORTURE | {"verdict": "too few"}, "verdict is too few"),
        ("torture", TORTURE | {"git_commit": None}, "of changed source"),
        ("newest", NEWEST | {"git_commit": CHANGED}, "of changed source"),
        ("gpu", GPU | {"wrong": ["a copy"]}, "wrong: a copy"),
        ("gpu", GPU | {"git_commit": CHANGED}, "of changed source"),
        ("gpu", GPU | {"format": "other"}, "not a report"),
        ("first_epoch", FIRST | {"git_commit": None}, "of changed source"),
        ("first_epoch", FIRST | {"flags": "--small"}, "of --small"),
        ("first_epoch", FIRST | {"rows": FIRST["rows"][1:]}, "all frameworks"),
        ("first_epoch", APART, "jax_flax: 5.5e-03 apart in float64"),
        ("first_epoch", UNKNOWN, "not a report to use"),
    ],
)
def test_a_report_that_is_no_proof_is_not_published(
    monkeypatch, tmp_path, name, content, words
):
    file, target = tmp_path / "report.json", tmp_path / "published.json"
    monkeypatch.setattr(publish, name.upper(), target)
    file.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=re.escape(words)):
        publish.PUBLISH[name](file)
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("BENCH", {"scale": [], "world": [], "profiles": []}),
        ("SCALE", {"scale": [{"width": 8}]}),
        ("WORLD", {"world": [{"width": 8}]}),
        ("PROFILE", {"profiles": [{"width": 8}]}),
    ],
)
def test_each_kind_of_bench_has_a_file_of_its_own(
    monkeypatch, tmp_path, name, rows
):
    for target in ("BENCH", "SCALE", "WORLD", "PROFILE"):
        monkeypatch.setattr(publish, target, tmp_path / target)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(BENCH | rows))
    publish.publish_bench(file)
    assert {path.name for path in tmp_path.iterdir()} == {file.name, name}


def test_the_ladder_of_a_gpu_is_published_good_or_bad_beside_that_of_a_cpu(
    monkeypatch, tmp_path
):
    for target in ("LADDER", "GPU_LADDER"):
        monkeypatch.setattr(publish, target, tmp_path / target)
    file = tmp_path / "report.json"
    there = {"git_commit": "0" * 40, "versions": {}, "device": "NVIDIA H200"}
    found = {"verdict": "FAIL", "traces": {"pytorch": there}}
    file.write_text(json.dumps(LADDER | found))
    publish.publish_ladder(file)
    assert (tmp_path / "GPU_LADDER").read_text() == file.read_text()
    assert not (tmp_path / "LADDER").exists()
    table = proofs.ladder_table(tmp_path / "GPU_LADDER")
    assert "Made on NVIDIA H200 with" in table
    both = {"pytorch": there, "jax_flax": there | {"device": "cpu"}}
    file.write_text(json.dumps(LADDER | {"traces": both}))
    with pytest.raises(SystemExit, match="of NVIDIA H200, cpu"):
        publish.publish_ladder(file)


def test_a_report_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SystemExit, match="No such file"):
        publish.publish_ladder(tmp_path / "none.json")


@pytest.fixture
def results(monkeypatch, tmp_path):
    """An empty folder of published records."""
    monkeypatch.setattr(publish, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


DATA = {"source": "made up", "sha256": checksums.EXPECTED.sha256}


def a_run(folder, epochs=4, **about):
    """A record that could be published."""
    return fake_records.put(folder, epochs, **{"data": DATA} | about)


def test_a_whole_training_is_published(results, tmp_path):
    run = a_run(tmp_path / "a")
    (run / "checkpoint.safetensors").write_text("large")
    np.save(run / "predictions.npy", np.arange(10_000, dtype=np.uint8) % 10)
    taken = publish.take(run)
    assert taken == results / "pytorch" / "small-seed0-20260101T000000Z"
    (found,), problems = find_runs(results)
    assert not problems
    mine = read_run(run)
    assert (found.about, found.rows) == (mine.about, mine.rows)
    names = {path.name for path in found.folder.iterdir()}
    assert names == {
        *("run.json", "metrics.jsonl", "dawnbench.tsv", "predictions.npy")
    }
    assert (read_predictions(found) == read_predictions(mine)).all()
    with pytest.raises(SystemExit, match="published already"):
        publish.take(run)


def test_the_trainings_of_a_gpu_check_are_published(results, tmp_path, capsys):
    check = tmp_path / "check"
    for name in ("dawnbench-pytorch-0", "speed-pytorch-eager-bfloat16"):
        a_run(check / "runs" / name)
    a_run(check / "runs" / "dawnbench-pytorch-1", git_commit="0" * 40 + "+")
    [taken] = publish.take_all(check)
    assert taken == results / "pytorch" / "small-seed0-20260101T000000Z"
    assert "dawnbench-pytorch-1: not published" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no full training"):
        publish.take_all(check)  # they are published already


def test_a_second_check_of_a_gpu_is_published_beside_the_first(
    results, tmp_path
):
    taken = []
    for day in ("01", "02"):
        check = tmp_path / day
        started = f"202601{day}T000000Z"
        a_run(check / "runs" / "dawnbench-pytorch-0", started=started)
        taken += publish.take_all(check)
    assert len(set(taken)) == 2


def test_one_damaged_record_of_a_gpu_check_does_not_stop_the_others(
    results, tmp_path, capsys
):
    runs = tmp_path / "check" / "runs"
    for seed in (0, 1):
        a_run(runs / f"dawnbench-pytorch-{seed}", seed=seed)
    (runs / "dawnbench-pytorch-0" / "predictions.npy").write_bytes(b"x")
    [taken] = publish.take_all(tmp_path / "check")
    assert taken.name.startswith("small-seed1-")
    assert "predictions.npy" in capsys.readouterr().out


def test_a_published_record_names_no_path_of_the_machine(results, tmp_path):
    mine = "/home/somebody/secret"
    data = DATA | {"source": mine}
    options = OPTIONS | {"data_dir": mine, "out": mine}
    run = a_run(tmp_path / "a", run=options, data=data)
    target = publish.take(run)
    for path in target.iterdir():
        assert "somebody" not in path.read_text()
    assert read_run(target).about.data.source == "files on the machine"


OPTIONS = fake_records.about()["run"]
START = {
    "started": "20260101T000000Z",
    "epoch": 0,
    "mode": "eager",
    "machine": {"device": "cpu"},
    "versions": {},
}
CLEAN = START | {"git_commit": "0" * 40}
FOUR = {"device": "cpu", "processes": 4, "devices": 8}


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"status": "interrupted"}, "interrupted after 4 of 4"),
        ({"run": OPTIONS | {"dataset": "synthetic"}}, "data are synthetic"),
        ({"run": OPTIONS | {"load": "x.safetensors"}}, "by --load"),
        ({"data": None}, "not known to be CIFAR-10"),
        (
            {"data": DATA | {"sha256": {"x_train": "0" * 64}}},
            "not those of CIFAR-10",
        ),
        ({"git_commit": CHANGED}, "source was changed"),
        ({"git_commit": None}, "source was changed, or is not known"),
        (
            {"starts": [START | {"git_commit": CHANGED}]},
            "source was changed",
        ),
        (
            {"starts": [CLEAN, CLEAN | {"git_commit": "1" * 40}]},
            "resumed by other source",
        ),
        (
            {"starts": [CLEAN, CLEAN | {"machine": {"device": "a GPU"}}]},
            "resumed by other source",
        ),
        (
            {"starts": [CLEAN, CLEAN | {"machine": FOUR}]},
            "resumed by other source",
        ),
        ({"framework": "../../x"}, "Invalid enum value"),
        ({"preset": "of-old"}, "no preset"),
    ],
)
def test_what_is_no_evidence_is_not_published(results, tmp_path, about, reason):
    run = a_run(tmp_path / "a", **about)
    with pytest.raises(SystemExit, match=reason):
        publish.take(run)
    assert not results.exists()


@pytest.mark.parametrize("epochs", [(2, 3, 4), (1, 2, 4), (1, 2, 3), ()])
def test_a_run_with_a_gap_is_not_published(results, tmp_path, epochs):
    run = a_run(tmp_path / "a")
    fake_records.write_rows(run, [fake_records.row(n) for n in epochs])
    with pytest.raises(SystemExit, match="epoch"):
        publish.take(run)
    assert not results.exists()


def test_a_run_that_was_resumed_as_it_began_is_published(results, tmp_path):
    starts = [CLEAN, CLEAN | {"epoch": 2, "started": "20260102T000000Z"}]
    run = a_run(tmp_path / "a", starts=starts)
    assert len(read_run(publish.take(run)).about.starts) == 2


def test_a_full_disk_leaves_no_half_of_a_record(results, tmp_path, monkeypatch):
    def full(path, data):
        raise DiskError("the disk is full")

    run = a_run(tmp_path / "a")
    monkeypatch.setattr(publish, "write_atomic", full)
    with pytest.raises(DiskError):
        publish.take(run)
    assert find_runs(results) == ([], [])
    assert not (results / "pytorch" / "a").exists()


def test_a_folder_without_a_record_is_not_published(results, tmp_path):
    with pytest.raises(SystemExit, match="no such folder"):
        publish.take(tmp_path / "nothing")


def test_a_published_record_that_is_no_evidence_is_told(
    results, tmp_path, monkeypatch
):
    a_run(results / "pytorch" / "a", status="failed", reason="x")
    monkeypatch.setattr(trainings, "RESULTS", results)
    with pytest.raises(SystemExit, match="failed after 4 of 4"):
        trainings.runs_table()


def test_all_published_records_can_be_read_and_are_evidence():
    results = publish.ROOT / "results"
    runs, problems = find_runs(results)
    assert len(runs) == len([*results.glob("*/*/run.json")]) > 0
    assert not problems
    assert [publish.no_evidence(run) for run in runs] == [""] * len(runs)


def test_the_command_of_several_processes_names_them(tmp_path):
    fake_records.put(tmp_path / "a", machine=FOUR)
    command = trainings.command(read_run(tmp_path / "a"))
    assert " --processes 4 --devices 2 " in command


def test_seconds_of_a_training_beside_others_are_not_told(tmp_path):
    rows = []
    for name, load in (("quiet", 0.01), ("busy", 0.5)):
        fake_records.put(tmp_path / name)
        changed = {"test_accuracy": 0.95, "other_load": load}
        made = [fake_records.row(n + 1, **changed) for n in range(4)]
        fake_records.write_rows(tmp_path / name, made)
        rows.append(trainings.row([read_run(tmp_path / name)]))
    quiet, busy = rows
    assert (quiet["training"], busy["training"]) == ("20 s", "not alone")
    assert quiet["94 % after"] == "epoch 1, 5 s"
    assert busy["94 % after"] == "epoch 1"


def test_a_row_is_of_one_machine_and_of_one_release(tmp_path, monkeypatch):
    monkeypatch.setattr(trainings, "RESULTS", tmp_path)
    data = {"source": "made up", "sha256": checksums.EXPECTED.sha256}
    run = asdict(Run(preset="small", dataset="cifar10"))
    for seed, (device, release) in enumerate(
        [("cpu", "1.0"), ("cpu", "1.0"), ("a GPU", "1.0"), ("cpu", "2.0")]
    ):
        fake_records.put(
            tmp_path / "pytorch" / str(seed),
            seed=seed,
            epochs=4,
            machine={"device": device},
            versions={"torch": release},
            **{"data": data, "run": run | {"seed": seed}},
        )
    counts = re.findall(r"\| (\d \(seed .*?\)) \|", trainings.trainings_table())
    assert sorted(counts) == ["1 (seed 2)", "1 (seed 3)", "2 (seed 0, 1)"]


@pytest.mark.parametrize("witness", [None, "2.0e-14"])
def test_the_first_line_has_the_published_errors(
    monkeypatch, tmp_path, witness
):
    """Of David Page's code only once the published ladder has its row."""
    row = dict.fromkeys(("rung", "tensors", "tolerance", "verdict"), "1")
    rows = [row | {"what": proofs.STEPS, "worst error": "1.5e-13"}]
    if witness:
        rows.append(row | {"what": proofs.WITNESS, "worst error": witness})
    file = tmp_path / "parity.json"
    file.write_text(json.dumps(LADDER | {"rows": rows}))
    monkeypatch.setattr(proofs, "LADDER", file)
    words = " ".join(proofs.proof_line().split())
    assert "in float64 equal to 1.5e-13 after 20 steps" in words
    assert ("David Page" in words) == bool(witness)
    assert str(witness or "steps") in words


def test_the_rows_that_the_readme_names_are_checks_of_the_ladder():
    names = {check.what for check in CHECKS}
    assert {proofs.STEPS, proofs.WITNESS} <= names


def test_the_readme_compares_the_runs_of_a_cpu_as_a_visitor_has_them(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(trainings, "RESULTS", tmp_path)
    gpu = fake_records.about()["machine"] | {"device": "NVIDIA H200"}
    for framework in FRAMEWORKS:
        changed = {"framework": framework, "started": "20260102T000000Z"}
        fake_records.put(tmp_path / "a" / framework, 8, **changed)
        changed |= {"machine": gpu, "started": "20260101T000000Z", "seed": 1}
        fake_records.put(tmp_path / "b" / framework, 8, **changed)
    _, title, *_ = trainings.comparison().splitlines()
    assert title.startswith("small, float32; ") and "H200" not in title


def test_what_was_not_trained_in_full_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(trainings, "RESULTS", tmp_path)
    none = trainings.full_trainings()
    assert none.endswith("not measured yet: TensorFlow, PyTorch, JAX, a GPU")
    full = {"preset": "dawnbench", "framework": "jax_flax"}
    recipe = asdict(PRESETS["dawnbench"])
    fake_records.put(tmp_path / "one", **full, recipe=recipe)
    other = recipe | {"dropout_rate": 0.05}  # is not the full recipe
    fake_records.put(tmp_path / "other", **full, recipe=other)
    one = trainings.full_trainings()
    assert "**90.00 % test accuracy** in 1 run (JAX)" in one
    assert one.endswith("not measured yet: TensorFlow, PyTorch, a GPU")
