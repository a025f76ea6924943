"""The comparison of the frameworks: like with like, in 80 columns."""

from dataclasses import asdict, replace

import pytest

from common.recipe import PRESETS, Run
from common.run import compare
from common.run.about import Machine
from common.run.record import Record
from tools.results.tests.fake_records import put, row, write_rows

MACHINE = {"device": "cpu", "cores": 2, "processor": "made-up"}
RECIPE = replace(PRESETS["small"], epochs=4)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """An empty folder runs/, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    return compare.RUNS


def a_run(framework="pytorch", seed=0, accuracy=0.9, seconds=5.0, **changed):
    """A whole run in runs/: its folder."""
    changed.setdefault("started", f"20260101T00000{seed}Z")
    name = f"small-seed{seed}-{changed['started']}"
    folder = compare.RUNS / framework / name
    put(folder, seed=seed, framework=framework, **changed)
    rows = [
        row(n, test_accuracy=accuracy, train_seconds=seconds * n)
        for n in range(1, 5)
    ]
    write_rows(folder, rows)
    return folder


def shown(folder, capsys):
    compare.print_alike(folder)
    return capsys.readouterr().out.splitlines()


def all_three():
    a_run("tensorflow_eager", accuracy=0.8745, seconds=69.8)
    a_run("jax_flax", accuracy=0.8676, seconds=90.2, mode="compiled")
    return a_run("pytorch", accuracy=0.8665, seconds=48.2)


def test_three_frameworks_are_three_columns(capsys):
    assert shown(all_three(), capsys) == [
        "",
        "small, epochs 4, float32; 2 cores of made-up <&>",
        "               TensorFlow  PyTorch       JAX",
        "test accuracy      87.45%   86.65%    86.76%",
        "test loss          0.6000   0.6000    0.6000",
        "train loss         0.5000   0.5000    0.5000",
        "seconds             279.2    192.8     360.8",
        "images/s              716    1,037       554",
        "mode                eager    eager  compiled",
        "seed                    0        0         0",
        "",
        "`nox -s site` draws these runs, beside the source of the three",
    ]


def test_who_is_missing_is_named(capsys):
    folder = a_run()
    assert shown(folder, capsys)[-1] == (
        "not trained like this yet: TensorFlow and JAX"
    )
    a_run("jax_flax")
    assert shown(folder, capsys)[-1] == "not trained like this yet: TensorFlow"


@pytest.mark.parametrize(
    ("loads", "told"),
    [
        ((0.0, None, 0.5), "24.0"),  # the median of 20 and 28
        ((0.5, 0.5, 0.5), "28.0"),  # better than none
    ],
)
def test_times_beside_other_programs_count_where_there_are_no_others(
    loads, told, capsys
):
    for seed, (seconds, load) in enumerate(zip((5, 7, 9), loads, strict=True)):
        folder = a_run(seed=seed)
        write_rows(
            folder,
            [
                row(n, train_seconds=seconds * n, other_load=load)
                for n in range(1, 5)
            ],
        )
    (line,) = [x for x in shown(folder, capsys) if x.startswith("seconds")]
    assert line.split() == ["seconds", told]


@pytest.mark.parametrize("width", [80, 60, 40, 20])
def test_it_fits_and_no_number_is_cut(width, capsys, monkeypatch):
    monkeypatch.setattr(compare, "columns", lambda stream: width)
    lines = shown(all_three(), capsys)
    assert max(map(len, lines[2:-2])) <= max(width, 25)
    cells = " ".join(lines).split()
    for cell in ("87.45%", "86.65%", "86.76%", "279.2", "192.8", "360.8"):
        assert cell in cells


OTHERS = {
    "recipe": {"recipe": asdict(replace(RECIPE, peak_lr=0.1))},
    "precision": {"recipe": asdict(replace(RECIPE, precision="bfloat16"))},
    "data set": {"run": asdict(Run(dataset="synthetic"))},
    "initial weights": {"run": asdict(Run(init="shared"))},
    "machine": {"machine": MACHINE | {"processor": "another"}},
    "device": {"machine": MACHINE | {"device": "a GPU"}},
    "processes": {"machine": MACHINE | {"processes": 2, "devices": 2}},
    "start": {"run": asdict(Run(load="a.safetensors"))},
    "status": {"status": "interrupted"},
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS)
def test_what_is_not_alike_is_not_in_the_table(changed, capsys):
    folder = a_run(machine=MACHINE)
    a_run("jax_flax", **{"machine": MACHINE} | changed)
    assert "JAX" not in "".join(shown(folder, capsys)[:-1])


@pytest.mark.parametrize("processes", [1, 2])
def test_the_head_says_how_many_processes_and_devices_there_were(
    processes, capsys
):
    machine = MACHINE | {"processes": processes, "devices": 2}
    a_run("jax_flax", machine=machine)
    head = "\n".join(shown(a_run(machine=machine), capsys))
    assert ("2 processes" in head) == (processes == 2)
    assert "2 devices" in head


def test_the_head_says_which_data_and_which_initial_weights(capsys):
    run = asdict(Run(dataset="synthetic", init="shared"))
    head = "\n".join(shown(a_run(run=run), capsys))
    assert "float32, synthetic data, shared initial weights; 2 cores" in head


def test_beside_a_run_that_is_not_done_nothing_is_shown(capsys):
    a_run()
    folder = a_run(seed=1, status="interrupted")
    assert shown(folder, capsys) == []


def test_help_says_which_folders_are_meant(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        compare.main(["--help"])
    assert stop.value.code == 0
    assert "folders with records (default: runs)" in capsys.readouterr().out


def start(**changed) -> dict:
    """One of the starts of a run; the machine is the one of the run."""
    facts = {"started": "20260101T000000Z", "epoch": 0, "mode": "eager"}
    facts |= {"versions": {"made-up": "1.0"}, "git_commit": "0" * 40}
    return facts | {"machine": MACHINE} | changed


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": MACHINE | {"cores": 64}},
        {"mode": "compiled"},
        {"git_commit": "1" * 40},
        {"versions": {"made-up": "2.0"}},
    ],
)
def test_a_run_that_was_resumed_elsewhere_is_no_measurement(changed, capsys):
    a_run(machine=MACHINE, starts=[start(), start()])
    a_run("jax_flax", machine=MACHINE, starts=[start(), start(**changed)])
    assert compare.print_all(compare.RUNS) == 1
    told = capsys.readouterr().out
    assert "not compared:" in told
    assert "it was resumed by other source, libraries, mode or machine" in told


def test_of_several_seeds_the_medians_are_shown(capsys):
    for seed, accuracy in ((0, 0.86), (1, 0.87), (3, 0.875)):
        folder = a_run(seed=seed, accuracy=accuracy)
    a_run("jax_flax", accuracy=0.85)
    lines = shown(folder, capsys)
    assert lines[1].endswith(" (medians)")
    assert [line.split() for line in lines[3:6]] == [
        ["test", "accuracy", "87.00%", "85.00%"],
        ["lowest", "86.00%"],
        ["highest", "87.50%"],
    ]
    assert ["seed", "0", "to", "1,", "3", "0"] in [x.split() for x in lines]


def test_of_a_seed_the_newest_run_counts(capsys):
    folder = a_run(accuracy=0.5)
    a_run(accuracy=0.6, started="20260102T000000Z")
    lines = shown(folder, capsys)
    assert lines[3].split() == ["test", "accuracy", "60.00%"]
    assert not lines[1].endswith("(medians)")


def test_the_modes_of_a_framework_are_columns_of_their_own(capsys):
    folder = a_run()
    a_run(mode="compiled", started="20260102T000000Z", accuracy=0.6)
    lines = shown(folder, capsys)
    assert lines[3].split() == ["test", "accuracy", "60.00%", "90.00%"]
    assert lines[8].split() == ["mode", "compiled", "eager"]


def test_a_training_ends_with_it_wherever_its_record_lies(tmp_path, capsys):
    recipe = replace(PRESETS["smoke"], epochs=1)
    facts = {"device": "cpu", "threads": 2}
    for framework, out in (("pytorch", None), ("jax_flax", "elsewhere")):
        run = Run(preset="smoke", out=out)
        with Record(framework, recipe, run, dict(facts)) as log:
            with log.training():
                pass
            log.end_epoch(0, *[{"loss": 1.0, "correct": 512.0}] * 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "not trained like this yet: TensorFlow"
    last = lines[lines.index("record: elsewhere") :]
    assert last[3].split() == ["PyTorch", "JAX"]
    assert last[4].split() == ["test", "accuracy", "50.00%", "50.00%"]


def test_without_training_all_recipes_are_shown_the_newest_last(capsys):
    all_three()
    a_run(
        started="20260103T000000Z", recipe=asdict(replace(RECIPE, peak_lr=0.1))
    )
    broken = compare.RUNS / "pytorch" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    a_run(started="20260104T000000Z", status="interrupted")
    assert compare.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [line for line in lines if line.startswith("small, ")]
    assert len(heads) == 2
    assert "peak lr 0.1" in heads[1]
    at = lines.index("not compared:")
    assert lines[at + 1].startswith("  pytorch/broken: ")
    assert lines[at + 2].endswith(": interrupted after 4 of 4 epochs")
    assert lines[-1] == compare.SITE


def test_where_nothing_was_trained_it_says_how(capsys):
    assert compare.main([]) == 65
    assert capsys.readouterr().err == (
        "error: no finished training in runs; `nox -s train-tf train-torch "
        "train-jax` makes three\n"
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0], "0"),
        ([2, 0, 1], "0 to 2"),
        ([0, 2], "0, 2"),
        ([1, 2, 3, 7, 9, 10], "1 to 3, 7, 9 to 10"),
    ],
)
def test_seeds_are_shown_in_few_letters(values, text):
    assert compare.numbers(values) == text


@pytest.mark.parametrize(
    ("device", "cores", "name"),
    [
        ("cpu", 1, "1 core of a CPU"),
        ("cpu", 2, "2 cores of a CPU"),
        ("a GPU", 2, "a GPU"),
    ],
)
def test_a_machine_is_named(device, cores, name):
    machine = Machine(device=device, cores=cores, processor="a CPU")
    assert machine.name == name
