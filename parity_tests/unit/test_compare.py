"""The comparison itself: what it must refuse, and what it must say.

The traces are small and made here; no framework is needed.
"""

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

from common.recipe import Recipe
from parity_tests import compare
from parity_tests.harness import digest, tracefile
from parity_tests.harness.cases import ROOT, recipe_hash, source_hash
from parity_tests.judge import (
    check_dropout,
    check_margins,
    check_repeat,
    collect,
    report,
)
from parity_tests.judge.checks import (
    Check,
    Measure,
    Traces,
    equal_tensors,
    relative_error,
    run_check,
)
from parity_tests.judge.diagnosis import diagnose
from parity_tests.judge.tolerances import CHECKS, RUNGS
from parity_tests.judge.traps import TRAPS, looks_like
from parity_tests.rungs import rung4_forward

NAMES = ("0/float32/full/counts", "4/float64/plain/logits")
CHECK = equal_tensors(4, "logits", "4/*", 1e-12, "rounding")
COUNTS = equal_tensors(0, "counts", "0/*", 0, "exact")


def facts(framework: str, **changed) -> dict:
    """What stands in a good trace."""
    known = {"versions": {}, "device": "", "machine": "", "seconds": 1.0}
    known |= {"git_commit": None}
    known |= {"part": "main", "run_id": "r", "framework": framework}
    known |= {"recipe_hash": recipe_hash(), "source_hash": source_hash()}
    return known | changed


def numbers(noise: float = 0.0) -> dict[str, np.ndarray]:
    """Two tensors; noise: relative."""
    logits = np.linspace(1, 2, 6).reshape(2, 3) * (1 + noise)
    return dict(zip(NAMES, (np.array([3, 4]), logits), strict=True))


@pytest.fixture
def ladder(tmp_path, monkeypatch):
    """Three good traces that differ by rounding, and a short ladder."""
    monkeypatch.setattr(compare, "CHECKS", [COUNTS, CHECK])
    monkeypatch.setattr(compare, "read_spread", dict)
    monkeypatch.setattr(collect, "expected", numbers)
    monkeypatch.chdir(tmp_path)
    for place, name in enumerate(collect.FRAMEWORKS):
        put(tmp_path, name, numbers(place * 1e-14))
    return tmp_path


def put(folder: Path, name: str, arrays: dict, **changed) -> Path:
    """Write a trace."""
    path = folder / f"{name}.npz"
    tracefile.write(path, facts(name, **changed), arrays)
    return path


def run(folder: Path, capsys, *flags: str) -> tuple[int, str, str]:
    """Compare all traces of a folder."""
    paths = [str(p) for p in sorted(folder.glob("*.npz"))]
    code = compare.main([*paths, *flags])
    out, err = capsys.readouterr()
    return code, out, err


def fails(folder: Path, capsys) -> str:
    """The comparison fails; what it prints."""
    code, out, _ = run(folder, capsys)
    assert code == 1
    return out


def refused(folder: Path, capsys, *words: str, flags=()) -> None:
    """It ends with one line of these words, and not well."""
    code, out, err = run(folder, capsys, *flags)
    assert code == compare.BAD_TRACE
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


def test_good_traces_pass_and_are_written_down(ladder, capsys):
    flags = ("--json", "a.json", "--html", "a.html")
    code, out, _ = run(ladder, capsys, *flags)
    assert code == 0
    assert "all rungs pass" in out
    assert "page: a.html" in out
    assert '"verdict": "pass"' in Path("a.json").read_text()
    page = Path("a.html").read_text()
    assert "logits" in page
    assert "http" not in page  # it needs nothing from elsewhere


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (None, ()),
        (150, ()),
        (80, ("floor", "tensors")),
        (60, ("floor", "tensors", "tolerance", "worst error")),
    ],
)
def test_the_ladder_fits_and_no_number_is_cut(width, left_out, monkeypatch):
    row = ["7 trajectory", "native: mean, deviation, neighbors", "1396"]
    row += ["1.3e-13", "1.0e-11", "2.0e-13", "pass", ""]
    monkeypatch.setattr(report, "cells", lambda given: given)
    head, *lines = report.ladder([row, row], width)
    assert width is None or len(lines[0]) <= width
    shown = dict(zip(report.HEAD, row, strict=True))
    for name, cell in list(shown.items())[2:-1]:
        assert (cell in lines[0].split()) == (name not in left_out)
        assert (name in head) == (name not in left_out)
    assert "neighbors" in lines[0]


def test_the_ladder_is_a_line_for_each_row(ladder, capsys, monkeypatch):
    monkeypatch.setattr(compare, "columns", lambda stream: 50)
    _, out, _ = run(ladder, capsys)
    head, *lines = out.splitlines()
    assert head.startswith("rung  what")
    assert lines[0].startswith("0     counts")
    assert lines[1].startswith("4     logits")
    assert max(map(len, (head, *lines[:2]))) <= 50


def test_a_missing_framework_is_refused(ladder, capsys):
    (ladder / "pytorch.npz").unlink()
    refused(ladder, capsys, "no trace of pytorch")


NO_ELEMENTS = {NAMES[1]: np.zeros((0, 3))}
NAN, INFINITE = numbers(), numbers()
NAN[NAMES[1]][1, 2] = np.nan
INFINITE[NAMES[1]][1, 2] = np.inf


@pytest.mark.parametrize(
    ("arrays", "fact", "words"),
    [
        (numbers(), {"recipe_hash": "0123"}, ["another recipe"]),
        (numbers(), {"source_hash": "0123"}, ["stale"]),
        (numbers(), {"run_id": "yesterday"}, ["stale", "yesterday"]),
        (NAN, {}, [NAMES[1], "NaN or infinite", "[1, 2]"]),
        (INFINITE, {}, [NAMES[1], "NaN or infinite", "[1, 2]"]),
        ({}, {}, ["empty"]),
        (numbers() | NO_ELEMENTS, {}, ["no elements"]),
    ],
)
def test_a_trace_that_proves_nothing_is_refused(
    ladder, capsys, arrays, fact, words
):
    put(ladder, "pytorch", arrays, **fact)
    refused(ladder, capsys, "pytorch", *words)


def test_a_run_id_that_was_asked_for_is_demanded(ladder, capsys):
    refused(ladder, capsys, "stale", "today", flags=("--run-id", "today"))


def test_another_format_is_refused(ladder, capsys, monkeypatch):
    monkeypatch.setattr(tracefile, "FORMAT", "davidnet-trace-0")
    path = put(ladder, "pytorch", numbers())
    monkeypatch.undo()
    with pytest.raises(tracefile.TraceError, match="davidnet-trace-0"):
        tracefile.read(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_trace_is_refused(ladder, capsys, share):
    path = ladder / "pytorch.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(ladder, capsys, "pytorch.npz", "make it anew")


def test_two_traces_of_one_framework_are_refused(ladder, capsys):
    path = ladder / "twice.npz"
    tracefile.write(path, facts("pytorch"), numbers())
    refused(ladder, capsys, "second trace")


def test_no_trace_at_all_is_refused(tmp_path, capsys):
    assert compare.main([str(tmp_path / "none.npz")]) == compare.BAD_TRACE
    assert "no such trace" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_tensor_fails_its_rung(ladder, capsys, name):
    arrays = numbers()
    del arrays[name]
    put(ladder, "pytorch", arrays)
    first = fails(ladder, capsys).splitlines()[:2]
    assert first[0].startswith(f"FAIL at rung {name[0]}")
    assert f"{name} is missing in the trace of pytorch" in first[1]


def test_comparing_nothing_fails():
    check = equal_tensors(4, "nothing", "no/such/*", 1, "none")
    row = run_check(check, Traces({"a": numbers(), "b": numbers()}, {}))
    assert row.failed
    assert "nothing was compared" in row.problem


def test_a_tensor_that_no_rung_looks_at_is_told(ladder, capsys):
    for name in collect.FRAMEWORKS:
        put(ladder, name, numbers() | {"9/new/tensor/x": np.ones(1)})
    words = "no rung compares 1 tensors, first 9/new/tensor/x"
    assert words in fails(ladder, capsys)


def test_another_shape_fails(ladder, capsys):
    put(ladder, "pytorch", numbers() | {NAMES[1]: np.ones((2, 1))})
    assert "shape (2, 1)" in fails(ladder, capsys)


def test_a_wide_tolerance_is_guarded(ladder, capsys, monkeypatch):
    wide = equal_tensors(4, "logits", "4/*", 1e-12 * 10_000, "rounding")
    monkeypatch.setattr(compare, "CHECKS", [COUNTS, wide])
    assert "more than 1000 times" in fails(ladder, capsys)


def test_a_comparison_needs_only_what_every_environment_has():
    """On a GPU machine it runs in the environment of each framework."""
    code = "import sys; sys.modules['scipy'] = None;"
    code += "import parity_tests.compare"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_against_a_trace_made_elsewhere(ladder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "read_runs", None)  # which may need SciPy
    other = tmp_path / "far" / "gpu.npz"
    changed = {"run_id": "other", "source_hash": "other", "device": "GPU"}
    tracefile.write(other, facts("pytorch", **changed), numbers(2e-14))
    here = str(ladder / "pytorch.npz")
    assert compare.main([here, "--against", str(other)]) == 0
    tracefile.write(other, facts("pytorch", **changed), numbers(1e-6))
    assert compare.main([here, "--against", str(other)]) == 1
    assert f"pytorch ({other})" in capsys.readouterr().out
    tracefile.write(other, facts("jax_flax", **changed), numbers())
    assert compare.main([here, "--against", str(other)]) == 65


def test_a_trace_made_elsewhere_is_compared_on_what_it_has(
    ladder, capsys, tmp_path, monkeypatch
):
    """Of a quick check of a GPU some rungs; never none of them."""
    monkeypatch.setattr(compare, "read_runs", None)
    other = tmp_path / "far" / "gpu.npz"
    here = put(tmp_path / "near", "pytorch", {NAMES[1]: numbers()[NAMES[1]]})
    tracefile.write(other, facts("pytorch"), {NAMES[1]: numbers()[NAMES[1]]})
    assert compare.main([str(here), "--against", str(other)]) == 0
    out = capsys.readouterr().out
    assert "not compared: counts" in out
    assert "pass, 1 of 2 rows compared" in out
    for path, name in ((other, "pytorch"), (here, "pytorch")):
        tracefile.write(path, facts(name), {"x": np.ones(3)})
    words = [str(here), "--against", str(other)]
    assert compare.main(words) == compare.BAD_TRACE
    assert "no row of the ladder" in capsys.readouterr().err


def test_two_traces_made_elsewhere_are_two(ladder, capsys, tmp_path):
    words = [str(ladder / "pytorch.npz"), "--against"]
    for place, noise in (("a", 1e-6), ("b", 2e-14)):
        path = tmp_path / place / "pytorch.npz"
        tracefile.write(path, facts("pytorch"), numbers(noise))
        words.append(str(path))
    assert compare.main(words) == 1  # the first of them is not lost
    assert compare.main([*words, words[-1]]) == compare.BAD_TRACE
    assert "named twice" in capsys.readouterr().err


def test_every_trap_shows_in_a_tensor_that_there_is():
    """A pattern that matches no name is a hint that nobody ever sees."""
    path = ROOT / "results" / "trace-pytorch.npz"
    names = [*digest.unpacked(path, tracefile.read(path)).arrays]
    # Which stay on one machine, and are in no digest.
    names.append("7/float64/exchange/pytorch/end/velocity.prep.conv.kernel")
    dead = [
        (slug, pattern)
        for slug, trap in TRAPS.items()
        for pattern in trap["shows"]
        if not any(fnmatchcase(name, pattern) for name in names)
    ]
    assert not dead


@pytest.mark.parametrize("wrong", [np.ones((3, 2)), np.full((2, 3), np.inf)])
def test_a_check_that_cannot_compute_is_a_row_that_failed(wrong):
    """Not a traceback in place of the diagnosis."""
    arrays = {"4/float32/plain/logits": wrong}
    oracle = {"4/float32/plain/logits": np.linspace(0, 1, 6).reshape(2, 3)}
    check = check_margins.CHECKS_4[0]
    row = run_check(check, Traces({"pytorch": arrays}, oracle))
    assert row.failed


def test_an_error_that_is_no_number_is_diagnosed():
    arrays = {"4/x": np.array([1.0])}
    nan = Measure(float("nan"), "4/x", "pytorch", 0.0, "law", 1.0)
    check = Check(4, "a law", 1.0, "why", lambda traces: iter([nan]))
    row = run_check(check, Traces({"pytorch": arrays}, {}))
    assert row.failed
    assert any("4/x" in line for line in diagnose([row]))


def repeated(who: str, device: str, error: float, unequal: int) -> Traces:
    """A trace of two runs that differ by this much."""
    arrays = {"7/float32/floor/weights": np.array([0.0, 1e-6])}
    for precision in ("float64", "float32"):
        arrays[f"7/{precision}/repeat/unequal"] = np.array(unequal)
        arrays[f"7/{precision}/repeat/error"] = np.array(error)
    return Traces({who: arrays}, {}, {who: {"device": device}})


@pytest.mark.parametrize(
    ("device", "error", "unequal", "fails"),
    [
        ("cpu", 0.0, 0, False),
        ("cpu", 1e-16, 1, True),
        ("NVIDIA H200", 1e-13, 7, False),
        ("NVIDIA H200", 1e-9, 7, True),  # more than rounding of float64
    ],
)
def test_two_runs_are_equal_on_a_cpu_and_near_on_a_gpu(
    device, error, unequal, fails
):
    traces = repeated("pytorch", device, error, unequal)
    assert run_check(check_repeat.CHECKS[0], traces).failed == fails


@pytest.mark.parametrize(
    ("framework", "device", "case", "error", "fails"),
    [
        ("jax_flax", "NVIDIA H200", "6/float64/decay/0", 5e-8, False),
        ("jax_flax", "NVIDIA H200", "6/float64/decay/0", 7e-8, True),
        ("jax_flax", "NVIDIA H200", "6/float64/random/0", 5e-8, True),
        ("jax_flax", "cpu", "6/float64/decay/0", 5e-8, True),
        ("pytorch", "NVIDIA H200", "6/float64/decay/0", 5e-8, True),
    ],
)
def test_only_jax_on_a_gpu_may_round_the_decay_of_a_weight_to_float32(
    framework, device, case, error, fails
):
    [check] = [c for c in CHECKS if c.what == "impulse, decay, random"]
    name = f"{case}/weights"
    traces = Traces(
        {framework: {name: np.array([1.0, 1 + error])}},
        {name: np.ones(2)},
        {framework: {"device": device, "framework": framework}},
    )
    assert run_check(check, traces).failed == fails
    other = f"{framework} (there)"  # beside one made elsewhere
    traces.arrays[other] = traces.oracle
    traces.facts[other] = {"device": "cpu", "framework": framework}
    traces = Traces(traces.arrays, {}, traces.facts)
    assert run_check(check, traces).failed == fails


@pytest.mark.parametrize(
    ("framework", "device", "factor", "fails"),
    [
        ("jax_flax", "NVIDIA H200", float(np.float32(4 / 3)), False),
        ("jax_flax", "NVIDIA H200", 4 / 3 * (1 + 7e-8), True),
        ("jax_flax", "cpu", float(np.float32(4 / 3)), True),
        ("tensorflow_eager", "NVIDIA H200", float(np.float32(4 / 3)), True),
        ("tensorflow_eager", "cpu", 4 / 3, False),
    ],
)
def test_only_jax_on_a_gpu_may_round_the_factor_of_dropout_to_float32(
    monkeypatch, framework, device, factor, fails
):
    monkeypatch.setattr(check_dropout, "DOUBLE", {0.25: "4/float64/dropout-0"})
    arrays = {}
    for layer in check_dropout.LAYERS:
        n = check_dropout.IMAGES * check_dropout.SIDES[layer] ** 2
        value = check_dropout.VALUE[layer]
        mean, square = 0.75 * factor, 0.75 * factor**2  # of 1, kept or not
        var = (square - mean**2) * n / (n - 1)
        moments = np.array([[mean * value], [var * value**2]])
        arrays[f"4/float64/dropout-0/first/{layer}"] = moments
    facts = {framework: {"device": device, "framework": framework}}
    traces = Traces({framework: arrays}, {}, facts)
    [check] = [c for c in CHECKS if c.what == "dropout: place and factor"]
    assert run_check(check, traces).failed == fails


def test_a_changed_eps_is_named_in_the_first_lines():
    """TensorFlow's eps of 1e-3 on the rung, the tensor, and as bn-eps."""
    small = Recipe(width=2, batch_size=4, weight_decay=0.0)
    case = rung4_forward.cases(small)["lowvar-3"]
    prefix = "4/float64/lowvar-3"
    good = rung4_forward.expected_case(prefix, case, small)
    broken_recipe = Recipe(width=2, batch_size=4, bn_eps=1e-3)
    broken = rung4_forward.expected_case(prefix, case, broken_recipe)
    arrays = {"pytorch": good, "tensorflow_eager": broken, "jax_flax": good}
    rows = compare.climb(Traces(arrays, good), [COUNTS, CHECK])
    assert rows[1].failed
    lines = diagnose(rows[1:])
    assert lines[0].startswith("FAIL at rung 4")
    text = "\n".join(lines[:8])
    assert prefix in text
    assert "tensorflow_eager" in text
    assert "tolerance 1e-12" in text
    assert "bn-eps" in text
    assert rows[1].worst.left_value != rows[1].worst.right_value


def test_the_error_is_relative_to_the_largest_number():
    assert relative_error(np.array([1.0, 5]), np.array([1.0, 4]))[0] == 0.25
    assert relative_error(np.zeros(3), np.zeros(3)) == (0.0, 0)
    assert relative_error(np.ones(3), np.zeros(3))[0] == np.inf
    text = np.array(["a", "b"]), np.array(["a", "c"])
    assert relative_error(*text) == (np.inf, 1)


def test_every_rung_has_checks_and_every_trap_a_pattern():
    assert {check.rung for check in CHECKS} == set(RUNGS)
    assert all(check.why for check in CHECKS)
    assert all(trap["line"] and trap["shows"] for trap in TRAPS.values())
    slugs = [slug for slug, _ in looks_like("4/float64/lowvar-6/train/prep")]
    assert slugs[0] == "bn-eps"
