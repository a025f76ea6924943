"""The bench's pure parts: arithmetic, noise, plan, report, tables."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from common.environments import FRAMEWORKS, TITLES
from common.errors import UsageError, UserError
from common.recipe import Recipe
from tools.bench import __main__ as program
from tools.bench import flags, markdown, plan, report, run, stats, tables
from tools.bench.count import gflop_per_image
from tools.bench.plan import Job
from tools.bench.profile import operation, own_times
from tools.launch.commands import Command

ALL = flags.Flags()


# --- Arithmetic ---------------------------------------------------------


def test_an_image_costs_2_28_gflop_at_width_64():
    # By hand: 9 (3 64 32^2 + 3 * 64 128 32^2 + 4 * 128 128 16^2) and the
    # linear layer's 5,120 multiply-adds, two operations each, three times.
    adds = 9 * (3 * 64 * 1024 + 3 * 64 * 128 * 1024 + 4 * 128 * 128 * 256)
    assert gflop_per_image(Recipe()) == pytest.approx(6e-9 * (adds + 5120))
    assert round(gflop_per_image(Recipe()), 2) == 2.28


# --- Noise --------------------------------------------------------------


def test_noise_is_the_range_over_the_median():
    assert stats.noise([90.0, 100.0, 120.0]) == pytest.approx(0.3)
    assert stats.noise([100.0]) == 0


def test_a_row_is_marked_where_its_repeats_lie_too_far_apart():
    limit = stats.NOISE_LIMIT
    quiet = [100.0, 100.0, 100.0 * (1 + limit) - 1]
    assert stats.shown(quiet) == "100 (100 to 109)"
    loud = [100.0, 100.0, 100.0 * (1 + limit) + 1]
    assert stats.shown(loud) == "~100 (100 to 111)"
    assert stats.shown([1234.5]) == "1,234"


# --- Plan ---------------------------------------------------------------


def test_a_quick_bench_has_own_modes_and_the_large_network_in_float32_only():
    jobs = plan.rows(flags.Flags(quick=True))
    assert {(job.framework, job.mode) for job in jobs} == {
        ("pytorch", "eager"),
        ("tensorflow_eager", "eager"),
        ("jax_flax", "compiled"),
    }
    assert {(job.width, job.precision) for job in jobs} == {
        (16, "float32"),
        (16, "bfloat16"),
        (64, "float32"),
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scale": True, "world": True}, "--scale --world: expected one"),
        ({"peer": True, "scale": True}, "--scale --peer: expected one"),
        ({"quick": True, "seconds": 3.0}, "--quick --seconds: it has seconds"),
        ({"scale": True, "widths": (16,)}, "--scale --widths: it has widths"),
    ],
)
def test_what_is_measured_instead_is_measured_alone(given, words):
    with pytest.raises(UsageError, match=words):
        flags.check(flags.Flags(**given))


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])]
)
def test_threads_are_doubled_up_to_all_cores(cores, counts):
    assert plan.thread_counts(cores) == counts


@pytest.mark.parametrize(
    ("make", "precisions"),
    [(plan.rows, ["float32", "bfloat16"]), (plan.world, ["float32"])],
)
def test_the_limits_of_what_is_measured_are_at_the_start_and_half_way(
    make, precisions
):
    jobs = make(ALL)
    found = plan.with_limits(ALL, jobs)
    half, count = len(jobs) // 2, len(precisions)
    places = [n for n, job in enumerate(found) if job.kind == "limits"]
    begin = [*range(count)]
    assert places == [*begin, *(count + half + n for n in begin)]
    assert [found[n].precision for n in places] == 2 * precisions
    assert [job for job in found if job.kind != "limits"] == jobs


def test_a_quick_bench_times_the_large_network_once():
    small, large = program.sections(flags.Flags(quick=True))
    assert {j.width for j in small[1] if j.kind == "training"} == {16}
    assert {job.width for job in large[1]} == {64}
    assert (small[2], large[2]) == (2, 1)


def test_limits_are_of_the_device_that_is_measured():
    found = plan.with_limits(ALL, plan.world(ALL))
    assert {job.device for job in found} == {"cpu"}


@pytest.mark.parametrize("widths", [(64,), (16, 64)])
def test_a_quick_bench_of_any_width_begins_with_limits(widths):
    sections = program.sections(flags.Flags(quick=True, widths=widths))
    assert [jobs[0].kind for _, jobs, _ in sections] == ["limits"] * len(widths)


def test_a_quick_bench_that_leaves_nothing_to_measure_is_refused():
    given = flags.Flags(
        quick=True, modes=("compiled",), frameworks=("pytorch",)
    )
    with pytest.raises(UsageError, match="leaves nothing"):
        program.sections(given)


def test_repeats_are_interleaved():
    jobs = [Job("training", "pytorch", width=w) for w in (8, 16)]
    order = [
        job.width for job, _ in run.run_all(lambda job: {}, jobs, 3, print)
    ]
    assert order == [8, 16, 8, 16, 8, 16]


# --- Report -------------------------------------------------------------


def limits(gflops: float, precision: str = "float32") -> dict:
    """What the measurement of the machine's limits gives."""
    kinds = ("convolution 1 -> 2, 3x3", "matrix product 2048")
    return {
        "limits": [
            {"precision": precision, "what": kind, "gflops": gflops}
            for kind in kinds
        ]
    }


def whole(monkeypatch, speeds=(100.0, 104.0), limit=(300.0, 310.0)) -> dict:
    """A small bench: PyTorch at width 16 with Keras."""
    monkeypatch.setattr(report, "git_commit", lambda: "0123456789abcdef")
    made = report.Report("nox -s bench", False, len(speeds))
    training = Job("training", "pytorch", width=16, threads=2)
    versions = {"versions": {"torch": "9.9"}, "device": "cpu"}
    for speed, gflops in zip(speeds, limit, strict=True):
        job = Job("limits", "pytorch", threads=2)
        made.take("rows", job, versions | limits(gflops))
        seen = versions | {
            "step": speed,
            "epoch": speed / 1.25,
            "batches": 4,
            "compile_seconds": 1.5,
            "startup_seconds": 6.5,
            "peak_memory_bytes": 2e9,
        }
        made.take("rows", training, seen)
        peer = versions | {"keras fit": speed / 2.5, "compile_seconds": 3.0}
        made.take("rows", Job("peer", "pytorch", width=16, threads=2), peer)
    return made.whole()


def test_a_row_holds_one_number_for_each_repeat(monkeypatch):
    made = json.loads(json.dumps(whole(monkeypatch)))
    assert made["format"] == "davidnet-bench-1"
    step, epoch, keras = made["rows"]
    assert step == {
        "framework": "pytorch",
        "width": 16,
        "mode": "eager",
        "precision": "float32",
        "dropout_rate": 0.0,
        "batch_size": 512,
        "threads": 2,
        "processes": 1,
        "what": "step",
        "images_per_second": [100.0, 104.0],
        "compile_seconds": [1.5, 1.5],
        "startup_seconds": [6.5, 6.5],
        "peak_memory_bytes": [2e9, 2e9],
        "batches": [4, 4],
    }
    assert (epoch["what"], keras["what"]) == ("epoch", "keras fit")
    assert made["limits"][0]["gflops"] == [300.0, 310.0]
    assert not made["scale"]


def test_a_machine_whose_limit_moves_is_not_trusted(monkeypatch):
    quiet = tables.noise_line(whole(monkeypatch))
    assert "too noisy" not in quiet
    made = whole(monkeypatch, limit=(300.0, 360.0))
    assert made["machine"]["noise"] == pytest.approx(60 / 330)
    loud = tables.noise_line(made)
    assert "too noisy to trust: its limit (convolution 1 -> 2" in loud
    assert "moved by 18% during the run" in loud


def test_the_share_of_the_limit_is_arithmetic_over_the_best_convolution(
    monkeypatch,
):
    made = whole(monkeypatch)
    gflop = gflop_per_image(Recipe(width=16))
    share = report.share_of_limit(made["rows"][0], made["limits"])
    assert share == pytest.approx(102.0 * gflop / 305.0)


def test_an_epochs_cost_is_its_time_over_the_bare_steps(monkeypatch):
    made = whole(monkeypatch)
    cost = report.epoch_cost(made["rows"], made["rows"][0])
    assert cost == pytest.approx(0.25)


# --- Tables -------------------------------------------------------------


def test_the_published_tables_say_what_was_measured(monkeypatch):
    text = markdown.figures(whole(monkeypatch))
    assert "| 102 (100 to 104) |" in text
    assert "| +25.0% |" in text
    assert "2.0 times" in text  # 81.6 images/s over Keras's 40.8
    assert "torch 9.9" in text
    assert "`0123456789ab`" in text


def test_every_line_of_a_table_has_as_many_cells_as_heads(monkeypatch):
    made = whole(monkeypatch)
    for sheet in tables.sheets(made):
        assert all(len(cells) == len(sheet.heads) for cells in sheet.rows)


class FakeRunner:
    """Answers every job at once."""

    def python(self, job):
        return sys.executable

    def measure(self, job: Job) -> dict:
        found = {"versions": {"numpy": "9.9"}, "device": "cpu"}
        if job.kind == "limits":
            return found | limits(100.0, job.precision)
        speeds = {"step": 10.0 * job.threads, "epoch": 9.0 * job.threads}
        if job.kind == "peer":
            speeds = {"keras fit": 5.0}
        if job.kind == "usual":
            speeds = {"usual loop": 3.0}
        names = ("compile_seconds", "startup_seconds", "peak_memory_bytes")
        return found | speeds | dict.fromkeys(names, 1.0) | {"batches": 2}


def test_a_bench_of_everything_has_every_row_with_all_its_repeats(capsys):
    given = flags.Flags(peer=True, repeats=3)
    made = program.measure(given, FakeRunner(), Console())
    rows = made["rows"]
    # 3 frameworks x 2 modes x 2 precisions x 2 widths, in their own mode
    # with dropout too; of each a step and an epoch.
    # Keras on three back ends, and the usual loop of PyTorch.
    assert len(rows) == 2 * (24 + 12) + 3 + 1
    assert {len(row["images_per_second"]) for row in rows} == {3}
    assert {len(row["gflops"]) for row in made["limits"]} == {6}
    program.show(made)
    text = capsys.readouterr().out
    assert "The same network elsewhere" in text
    (costs,) = (s for s in tables.sheets(made) if "dropout costs" in s.title)
    assert len(costs.rows) == 12
    assert {row[-1] for row in costs.rows} == {"0%"}
    assert "| PyTorch, a usual loop | 3 |" in markdown.figures(made)
    assert f"| {3 * plan.cores()}.0 times |" in markdown.figures(made)
    assert "Not measured" not in markdown.figures(made)


# --- Scale ---------------------------------------------------------------


def test_every_point_of_scale_is_measured_beside_the_limit(capsys):
    given = flags.Flags(scale=True, repeats=3)
    made = program.measure(given, FakeRunner(), Console())
    assert made["command"] == "nox -s bench -- --scale"
    assert not made["rows"]
    assert {len(row["gflops"]) for row in made["limits"]} == {4}
    steps = [row for row in made["scale"] if row["what"] == "step"]
    assert {len(row["images_per_second"]) for row in steps} == {2}
    assert {row["width"] for row in steps} == set(plan.SCALE_WIDTHS)
    assert {row["batch_size"] for row in steps} == set(plan.SCALE_BATCHES)
    program.show(made)
    assert "Against width, batch and threads" in capsys.readouterr().out
    assert "Not measured" not in markdown.scale(made)
    assert "at commit" in markdown.scale(made)
    assert given.file == Path("traces/scale.json")


# --- World ---------------------------------------------------------------


def test_two_processes_are_measured_beside_one_with_as_many_threads(capsys):
    given = flags.Flags(world=True, widths=(16,), repeats=3)
    made = program.measure(given, FakeRunner(), Console())
    assert made["command"] == "nox -s bench -- --widths 16 --world"
    assert not made["rows"] and not made["scale"]
    steps = [row for row in made["world"] if row["what"] == "step"]
    assert len(steps) == 3 * len(plan.WORLDS)
    program.show(made)
    assert "2 processes, 1 thread each" in capsys.readouterr().out
    # The fake one computes for each thread of a process alone.
    assert markdown.world(made).count("| 50% |") == 6
    assert given.file == Path("traces/world.json")
    assert flags.Flags().file == Path("traces/bench.json")


def test_repeats_of_all_worlds_are_interleaved():
    order = [(job.processes, job.threads) for job in plan.world(flags.Flags())]
    assert order[:6] == [*plan.WORLDS, *plan.WORLDS]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_processes_that_share_a_batch_have_cores_of_their_own(
    framework, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 3, 5})
    bench = run.Runner(tmp_path, Path(sys.executable), tmp_path)
    two = bench.commands(Job("training", framework, processes=2))
    assert [c.words[:3] for c in two] == [
        ["taskset", "-c", "2"],
        ["taskset", "-c", "3"],
    ]
    assert two[0].words[-1] != two[1].words[-1]  # what they found
    assert two[0].variables != two[1].variables
    (one,) = bench.commands(Job("training", framework, threads=2))
    assert one.words[:3] == ["taskset", "-c", "2,3"]
    alone = {"WORLD_SIZE", "TF_CONFIG", "JAX_NUM_PROCESSES"}
    assert not alone & set(one.variables)
    assert alone & set(two[0].variables)


# --- Profile ------------------------------------------------------------


def test_a_kernels_time_is_without_that_of_the_ones_it_calls():
    outer, inner = ("step", 0, 9e6), ("conv", 2e6, 3e6)
    passed_on = ("KernelAndDeviceFunc::Run", 2e6, 2e6)
    python = ("/host:CPU", [outer, inner, passed_on, ("conv", 6e6, 1e6)])
    pool = ("/host:CPU", [("ThreadpoolListener::Record", 0, 1), inner])
    found = own_times([python, pool])
    assert found == {"step": (1, 5.0), "conv": (3, 7.0)}
    device = ("/device:GPU:0", [("sgemm", 0, 2e6)])
    assert own_times([python, device]) == {"sgemm": (1, 2.0)}


def test_a_graphs_operations_are_counted_by_kind():
    assert operation("tape/conv_1/Conv2D:_MklNativeConv2D") == (
        "_MklNativeConv2D"
    )
    assert operation("AddN_1:AddN") == "AddN"
    assert operation("a::B") == "a::B"
    assert operation("EagerLocalExecute: Conv2D") == "EagerLocalExecute: Conv2D"
    waiting = [("update", 0, 9e6), ("FunctionRun", 1e6, 7e6)]
    assert own_times([("/host:CPU", [*waiting, ("Relu", 2e6, 1e6)])]) == {
        "Relu": (1, 1.0)
    }


def test_a_profile_shows_each_frameworks_kernels(capsys):
    row = {"kernel": "conv2d", "calls": 8, "milliseconds": 30.0}
    kernels = {"kernels": [row], "milliseconds": 40.0}
    kernels["step_milliseconds"] = 60.0

    class Profiled(FakeRunner):
        def measure(self, job):
            found = super().measure(job)
            return found | kernels if job.kind == "profile" else found

    given = flags.Flags(profile=True, widths=(16,), precisions=("float32",))
    assert given.file == Path("traces/profile.json")
    made = program.measure(given, Profiled(), Console())
    assert [one["framework"] for one in made["profiles"]] == list(TITLES)
    program.show(made)
    for text in (capsys.readouterr().out, markdown.profiles(made)):
        assert text.count("conv2d") == 3
        assert "JAX, compiled, width 16, float32: a step of 60 ms" in text
        assert "with 40 ms of kernels" in text
        assert "50%" in text


def test_a_profile_of_peers_is_beside_the_mode_that_keras_compares_with():
    given = flags.Flags(profile=True, peer=True, widths=(64,))
    flags.check(given)
    assert flags.command(given) == (
        "nox -s bench -- --widths 64 --peer --profile"
    )
    found = [(j.kind, j.mode) for j in plan.profiles(given) if j.width == 16]
    of_keras = (plan.KERAS, "keras")
    assert found == [("profile", "compiled"), of_keras, of_keras, of_keras]
    row = {"framework": "jax_flax", "mode": "keras", "width": 16}
    row |= {"precision": "float32", "kernels": [], "milliseconds": 2.0}
    title = tables.kernels_sheet(row | {"step_milliseconds": 3.0}).title
    assert title.startswith("JAX, Keras `fit`, width 16, float32: a step of 3")


# --- Processes ----------------------------------------------------------


def test_the_command_in_a_report_names_no_folder_of_this_machine():
    given = flags.Flags(widths=(16,), peer=True, out=Path("/tmp/x.json"))
    assert flags.command(given) == "nox -s bench -- --widths 16 --peer"
    assert flags.command(flags.Flags()) == "nox -s bench"


def test_a_missing_environment_is_told_before_anything_runs(tmp_path):
    bench = run.Runner(tmp_path, None, tmp_path)
    with pytest.raises(UsageError, match="nox -s jax-"):
        bench.python(Job("training", "jax_flax"))
    with pytest.raises(UsageError, match="nox -s keras-pytorch-"):
        bench.python(Job("peer", "pytorch"))


def test_an_unknown_framework_is_one_clear_line(monkeypatch, capsys):
    words = ["bench", "--frameworks", "mxnet"]
    monkeypatch.setattr(sys, "argv", words)
    assert program.main() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --frameworks mxnet: expected some of")
    assert error.count("\n") == 1


def test_a_failed_child_shows_its_output(tmp_path, capsys):
    # No folder of images: the child ends with a traceback.
    bench = run.Runner(tmp_path, Path(sys.executable), tmp_path)
    with pytest.raises(UserError, match="exit code 1"):
        bench.measure(Job("training", "pytorch"))
    assert "Traceback" in capsys.readouterr().err


def test_a_child_does_not_outlive_an_interruption(tmp_path):
    note = tmp_path / "pid"
    text = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid()))"
    words = [sys.executable, "-c", f"{text}; time.sleep(60)"]

    def interrupt():
        while not (note.exists() and note.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run.run([Command(words)], tmp_path)
    thread.join()
    assert not Path(f"/proc/{note.read_text()}").exists()


@pytest.mark.parametrize(("takes", "calls"), [(0.125, 9), (0.75, 4), (60, 2)])
def test_the_limit_is_bounded_in_time_not_in_calls(monkeypatch, takes, calls):
    """One call to make ready; the others for a second, or one if it is slow."""
    clock = [0.0]
    made = []

    def call() -> None:
        made.append(clock[0])
        clock[0] += takes

    monkeypatch.setattr(stats.time, "perf_counter", lambda: clock[0])
    found = stats.gflops(call, 2e9, lambda _: None, seconds=1)
    assert found == pytest.approx(2 / takes)
    assert len(made) == calls
