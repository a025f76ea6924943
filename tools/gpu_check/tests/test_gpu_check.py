"""tools.gpu_check: what comes next, what is kept, how it ends."""

import json
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from common.run.about import Epoch
from parity_tests.programs.program import wait_until
from tools.gpu_check import __main__ as program
from tools.gpu_check import look, parity, trainings
from tools.gpu_check import summary as page
from tools.gpu_check.stages import ROOT, Stages
from tools.results.tests import fake_records

TWO = ("pytorch", "jax_flax")
FIRST = dict.fromkeys(TWO, 10.0)
PYTHON = dict.fromkeys(TWO, sys.executable)


def epoch(accuracy, seconds):
    row = fake_records.row(1, test_accuracy=accuracy, train_seconds=seconds)
    return Epoch(**row)


def test_the_summary_gives_mean_deviation_and_median():
    found = {
        "pytorch": [epoch(0.940, 9.0), epoch(0.942, 8.0), None],
        "jax_flax": [epoch(0.939, 7.0)],
    }
    assert trainings.summary("dawnbench", found) == [
        (
            *("dawnbench", "pytorch", "2", "94.10 %", "0.14"),
            *("8.5", "8.0 to 9.0", "1"),
        ),
        (
            *("dawnbench", "jax_flax", "1", "93.90 %", ""),
            *("7.0", "7.0 to 7.0", "0"),
        ),
    ]


@pytest.mark.parametrize(
    ("takes", "limit", "made"),
    [
        # In turns, the seeds count up; what does not fit is not started.
        ({}, 35, ["pytorch-0", "jax_flax-0", "pytorch-1"]),
        ({}, 9.9, []),
        # Time that is too short for one is given to the other.
        (
            {"pytorch": 30},
            61,
            ["pytorch-0", "jax_flax-0", "jax_flax-1", "jax_flax-2"],
        ),
        # One that fails twice is left out.
        (
            {"pytorch": None},
            70,
            [
                *("pytorch-0", "jax_flax-0", "pytorch-1", "jax_flax-1"),
                *("jax_flax-2", "jax_flax-3"),
            ],
        ),
    ],
)
def test_seeds_share_the_time(tmp_path, monkeypatch, takes, limit, made):
    stages, done = Stages(tmp_path, 0), []

    def train(stages, flags, name, command, left):
        done.append(name.removeprefix("dawnbench-"))
        took = takes.get(command[0], 10.0)
        stages.minutes -= (took or 10) / 60
        return [epoch(0.9, 5.0)] if took else [], took or 10.0

    monkeypatch.setattr(trainings, "train", train)
    stages.minutes = limit / 60
    pythons = {name: name for name in TWO}
    trainings.seeds(stages, flags(seeds=4), pythons, "dawnbench", 0.0, FIRST)
    assert done == made
    assert ("dawnbench" in stages.tables) == bool(made)


def test_two_epochs_tell_how_long_a_full_training_takes():
    row = {"framework": "pytorch", "mode": "compiled", "precision": "bfloat16"}
    row |= {"images_per_second": 110_000.0, "wall_seconds": 40.0}
    found = trainings.estimates([row], PYTHON, tiny=False)
    assert found["pytorch"] == pytest.approx(40 + 1.3 * 10)
    assert found["jax_flax"] == trainings.UNKNOWN


@pytest.fixture
def stages(tmp_path):
    return Stages(tmp_path, minutes=1)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def noted(stages: Stages) -> list[dict]:
    return json.loads((stages.out / "stages.json").read_text())


def test_each_outcome_is_on_disk_at_once_with_its_log(stages):
    assert stages.run("good", python("print(3)"), 60)[0] == 0
    assert noted(stages)[0]["ok"]
    bad = "print('error: full'); print(); raise SystemExit(7)"
    assert stages.run("bad", python(bad), 60)[0] == 7
    assert [s["ok"] for s in noted(stages)] == [True, False]
    # With what it said last; nothing but the command is in a silent one's log.
    assert "exit code 7: error: full;" in noted(stages)[1]["outcome"]
    stages.run("silent", python("raise SystemExit(7)"), 60)
    assert "exit code 7: no word;" in noted(stages)[2]["outcome"]
    assert (stages.out / "logs" / "good.log").read_text().endswith("\n3\n")
    assert stages.failed


def test_a_program_that_takes_too_long_is_stopped(stages):
    code, seconds = stages.run("slow", python(SLEEP), 0.5)
    assert code is None
    assert seconds < 30
    assert "stopped" in noted(stages)[0]["outcome"]


SLEEP = "import time; print('sleeps', flush=True); time.sleep(300)"


def test_nothing_starts_when_the_time_is_over(stages):
    stages.minutes = 0
    assert stages.run("late", python("print(3)"), 60) == (None, 0.0)
    assert noted(stages)[0]["outcome"].startswith("NOT RUN")


def flags(**changed) -> Namespace:
    known = program.parse(["--out", "x", "--frameworks", *TWO])
    return Namespace(**(vars(known) | changed))


def test_a_framework_that_is_not_there_is_named(stages, monkeypatch):
    monkeypatch.setattr(look, "ROOT", stages.out)  # no environments of nox
    monkeypatch.setattr(look, "PROBE", "raise ImportError('no such thing')")
    assert look.look(stages, flags()) == {}
    found = json.loads((stages.out / "found.json").read_text())
    reason = found["frameworks"]["pytorch"]["not run"]
    assert reason == ["ImportError: no such thing"]
    assert stages.failed


class Fakes(Stages):
    """Stages whose programs do nothing but leave files."""

    def run(self, name, command, limit, environment=None):
        self.note(name, "done", True)
        self.commands = [*getattr(self, "commands", []), command]
        if "parity_tests.trace" in command:
            self.touch(command[command.index("--out") + 1])
        if name.startswith("train"):
            folder = Path(command[command.index("--out") + 1])
            fake_records.put(folder, 1)
            row = {"test_accuracy": 0.5, "train_seconds": 2.0}
            row |= {"images_per_second": 9.0, "compile_seconds": 1.0}
            fake_records.write_rows(folder, [fake_records.row(1, **row)])
            self.touch(f"{folder}/checkpoint.safetensors")
        return 0, 25.0

    def touch(self, path, text=""):
        path = self.out / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_parity_compares_cpu_with_gpu_and_with_what_is_stored(tmp_path):
    stored = tmp_path / "stored"
    stages = Fakes(tmp_path, 1)
    stages.touch(stored / "pytorch.npz")
    parity.parity(stages, flags(stored=stored), PYTHON)
    names = [s["stage"] for s in stages.done]
    assert names == [
        *("trace pytorch gpu", "trace pytorch cpu"),
        *("parity pytorch cpu", "parity pytorch stored"),
        *("trace jax_flax gpu", "trace jax_flax cpu"),
        *("parity jax_flax cpu", "parity jax_flax stored"),
    ]
    assert "NOT COMPARED" in stages.done[-1]["outcome"]
    assert stages.failed
    against = stages.commands[2]
    assert against[3].endswith("pytorch-gpu.npz")
    assert against[5].endswith("pytorch-cpu.npz")


def test_the_speed_of_each_mode_and_precision_is_measured(tmp_path):
    stages = Fakes(tmp_path, 100)
    rows = trainings.speed(stages, flags(), PYTHON)
    kinds = [(r["framework"], r["mode"], r["precision"]) for r in rows]
    assert kinds == [
        *((name, "compiled", "bfloat16") for name in TWO),
        ("pytorch", "eager", "bfloat16"),
        *((name, "compiled", "float32") for name in TWO),
        ("pytorch", "eager", "float32"),
    ]
    row = "| jax_flax | compiled | float32 | 9 | 1 | 25 |"
    assert row in (tmp_path / "summary.md").read_text()


def test_records_are_kept_without_checkpoints_and_summed_up(tmp_path):
    stages = Fakes(tmp_path, 1)
    name = "dropout 0.05, cutout 8"
    trainings.seeds(stages, flags(seeds=1), PYTHON, name, 0.0, FIRST)
    kept = tmp_path / "runs" / "dropout-0.05-cutout-8-pytorch-0"
    assert {p.name for p in kept.iterdir()} == {"metrics.jsonl", "run.json"}
    page_text = (tmp_path / "summary.md").read_text()
    assert "| jax_flax | 1 | 50.00 % |" in page_text
    command = stages.commands[0]
    assert command[command.index("--dropout-rate") + 1] == "0.05"
    assert "--offline" in command


def test_ctrl_c_ends_it_and_leaves_what_was_done(tmp_path):
    out = tmp_path / "results"
    code = (
        "import sys\n"
        "from tools.gpu_check import __main__ as program\n"
        "def work(stages, flags):\n"
        f"    stages.run('long', [sys.executable, '-c', {SLEEP!r}], 60)\n"
        "program.work = work\n"
        "sys.exit(program.main(['--out', sys.argv[1]]))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(out)], cwd=ROOT)
    log = out / "logs" / "long.log"
    wait_until(lambda: log.exists() and "\nsleeps" in log.read_text())
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    assert "interrupted" in (out / "stages.json").read_text()


def test_a_folder_that_exists_is_refused(tmp_path, capsys):
    assert program.main(["--out", str(tmp_path)]) == 2
    assert "it exists" in capsys.readouterr().err


def test_ten_minutes_have_less_of_each():
    quick = program.parse(["--out", "x", "--minutes", "10"])
    assert len(quick.kinds) == 2
    assert quick.rungs == program.QUICK_RUNGS
    named = ["--rungs", "rung5"]
    assert program.parse(["--out", "x", *named]).rungs == ["rung5"]
    assert len(program.parse(["--out", "x"]).kinds) == 4


def test_the_summary_is_a_page_of_what_was_found(tmp_path):
    stages = Fakes(tmp_path, 100)
    found = {
        "gpus": ["NVIDIA H100 80GB HBM3, 81559 MiB, 580.82.07, 9.0"],
        "processor": "a processor",
        "cores": 16,
        "frameworks": {
            "pytorch": {
                "device": "NVIDIA H100",
                "versions": {"torch": "2.13.0"},
            },
            "jax_flax": {"not run": ["no jax"]},
        },
    }
    stages.write("found", found)
    rows = [{"what": "logits", "tensors": "40", "verdict": "pass"}]
    rows.append({"what": "loss", "tensors": "", "verdict": "FAIL"})
    report = {"verdict": "FAIL", "rows": rows}
    stages.write("parity pytorch cpu", report)
    trainings.speed(stages, flags(), PYTHON)
    stages.note("train x", f"exit code 1; see {tmp_path}/x.log", False)
    text = (tmp_path / "summary.md").read_text()
    for words in (
        "# A check of NVIDIA H100 80GB HBM3, 81559 MiB, 580.82.07, 9.0\n",
        "16 cores of a processor",
        "| pytorch | NVIDIA H100 | torch 2.13.0 |",
        "| jax_flax | did not run | no jax |",
        "| pytorch | cpu | 2 | 40 | FAIL | loss |",
        "## Speed\n\n| framework |",
        "- train x: exit code 1; see x.log",
    ):
        assert words in text
    assert str(tmp_path) not in text


def test_a_check_that_found_nothing_has_a_page_too(tmp_path):
    page.write(Stages(tmp_path, 1))
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("# A check of no answer of nvidia-smi\n")
