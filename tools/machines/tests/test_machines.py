"""The matrix of machines: what it must have, and what it must refuse."""

import re

import numpy as np
import pytest

from parity_tests.harness.tracefile import TraceError
from parity_tests.judge.checks import (
    Check,
    Measure,
    Traces,
    equal_tensors,
    run_check,
)
from parity_tests.judge.guard import guard, read_spread
from parity_tests.judge.tolerances import CHECKS
from parity_tests.rungs import RUNGS
from tools.machines import judge, report
from tools.machines.__main__ import chosen, main, parse, run_id
from tools.machines.matrix import CAPS, CORE, MACHINES, QUICK


def row(share=0.1, tolerance=1e-4, **more) -> dict:
    """As judge.py gives one."""
    found = {"rung": "5 gradients", "what": "gradients, float32"}
    found |= {"error": share * tolerance, "tolerance": tolerance}
    found |= {"share": share, "tensor": "5/x", "who": "a, b"}
    return found | {"failed": False, "problem": "", "counted": False} | more


def said(*rows: dict, bits: str = "0") -> dict:
    """All that judge.py says of a machine."""
    double = {"error": 1e-13, "tensor": "4/float64/x", "numbers": 7}
    return {
        "rows": list(rows),
        "rounding": {"pytorch": bits},
        "double": double,
        "facts": {"pytorch": {"versions": {}}},
    }


def test_there_are_twelve_machines_and_more_of_every_kind():
    names = [machine.name for machine in MACHINES]
    assert len(set(names)) == len(names) >= 12
    assert {machine.threads for machine in MACHINES} == {1, 2, 3, 8}
    assert {machine.cap for machine in MACHINES} == set(CAPS)
    assert any(machine.order for machine in MACHINES)
    assert len({machine.variant for machine in MACHINES}) >= 3
    wanted = "AVX2", "avx2", "--xla_cpu_max_isa=AVX2", "Haswell"
    assert set(wanted) == set(CAPS["avx2"].values())
    climbed = {rung for machine in MACHINES for rung in machine.rungs}
    assert {*climbed, *sum(QUICK.values(), ())} < set(RUNGS)
    half = [m for m in MACHINES if "rung4_bfloat16" in m.rungs]
    assert {machine.cap for machine in half} == {"native", "eigen"}


def test_a_machine_has_the_threads_and_the_cases_of_its_name():
    found = {machine.name: machine.environment for machine in MACHINES}
    assert found["avx2-3"]["OMP_NUM_THREADS"] == "3"
    assert found["native-2-order1"]["DAVIDNET_PARITY_ORDER"] == "1"
    assert found["avx2-1-seeds2"]["DAVIDNET_PARITY_VARIANT"] == "2"
    ids = {run_id(machine, CORE) for machine in MACHINES}
    assert len(ids) == len(MACHINES)


def test_quick_is_a_machine_that_is_not_the_default(tmp_path, capsys):
    found = {m.name: (m, rungs) for m, rungs in chosen(parse(["--quick"]))}
    assert {name: rungs for name, (_, rungs) in found.items()} == QUICK
    for machine, _ in found.values():
        assert machine.threads == 3
        assert machine.environment["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert main(["--only", "vax", "--environments", str(tmp_path)]) == 2
    assert "no such machine" in capsys.readouterr().err


def test_a_cap_that_does_not_take_hold_is_told(monkeypatch):
    """By its bits; this processor's own may be those of a cap."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    bits = {"native-1": "1", "avx2-1": "1", "avx-1": "2", "sse-1": "3"}
    found = {name: said(row(0.1), bits=b) for name, b in bits.items()}
    assert report.failures(report.summary(found)) == []
    found["sse-1"] = said(row(0.1), bits="2")
    lines = report.failures(report.summary(found))
    assert lines and all("a cap did not take hold" in line for line in lines)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert report.failures(report.summary(found)) == []


def test_the_worst_of_all_machines_is_reported():
    found = {"a": said(row(0.1)), "b": said(row(0.2), bits="1")}
    found["c"] = said(row(0.15))
    made = report.summary(found)
    [worst] = made["rows"]
    assert (worst["share"], worst["machine"], worst["on"]) == (0.2, "b", 3)
    assert made["roundings"] == {"pytorch": 2}
    assert report.failures(made) == []
    text = report.markdown(made | {"git_commit": "0" * 40})
    assert "| 5 gradients | gradients, float32 | 3 | 2.0e-05 |" in text
    assert "on each of 3 machines, is 1.0e-13" in text


@pytest.mark.parametrize("width", [80, 60, None])
def test_the_report_fits_the_terminal(width, monkeypatch, capsys):
    monkeypatch.setattr(report, "columns", lambda stream: width)
    report.show(report.summary({"a": said(row(0.2))}))
    _title, head, line, *_ = capsys.readouterr().out.splitlines()
    assert width is None or max(len(head), len(line)) <= width
    assert ("tolerance" in head) == ("1.0e-04" in line)
    assert "2.0e-05" in line
    assert ("where" in head) == ("a: " in line) == (width is None)


@pytest.mark.parametrize(
    ("one", "fails"),
    [
        (row(0.3), False),
        (row(0.4), True),  # 2.5 times below its tolerance
        (row(0.4, counted=True), False),
        (row(0.1, failed=True), True),
    ],
)
def test_a_row_nearer_than_three_times_fails_on_any_machine(one, fails):
    made = report.summary({"a": said(row(0.1)), "b": said(one)})
    lines = report.failures(made)
    assert bool(lines) == fails
    assert all(
        "gradients, float32" in line and "on b" in line for line in lines
    )


def test_a_row_that_failed_on_one_machine_is_not_forgotten_for_another():
    rows = said(row(0.01, failed=True)), said(row(0.3)), said(row(0.1))
    made = report.summary(dict(zip("abc", rows, strict=True)))
    assert report.failures(made)


def test_a_tensor_that_one_trace_lacks_is_no_missing_row(monkeypatch):
    check = equal_tensors(4, "x", "4/*", 1e-4, "rounding")
    monkeypatch.setattr(judge, "CHECKS", [check])
    one = {"4/float32/a": np.ones(2), "4/float32/b": np.ones(2)}
    traces = Traces({"pytorch": one, "jax_flax": dict(one)}, {})
    assert len(judge.climbed(traces)) == 1
    del traces.arrays["jax_flax"]["4/float32/b"]
    with pytest.raises(TraceError, match="4/float32/b is not in both"):
        judge.climbed(traces)


def test_a_tensor_that_no_row_looks_at_is_refused(monkeypatch):
    check = equal_tensors(4, "x", "4/float32/a", 1e-4, "rounding")
    monkeypatch.setattr(judge, "CHECKS", [check])
    one = {"4/float32/a": np.ones(2), "4/float32/b": np.ones(2)}
    with pytest.raises(TraceError, match="no rung compares 1 tensors"):
        judge.climbed(Traces({"pytorch": one, "jax_flax": one}, {}))


def test_another_last_bit_is_another_rounding():
    one = {"5/float32/x": np.ones(2, np.float32), "5/float64/x": np.ones(2)}
    other = one | {"5/float64/x": np.zeros(2)}
    assert judge.digest(one) == judge.digest(other)  # float32 alone
    other["5/float32/x"] = np.nextafter(one["5/float32/x"], np.float32(2))
    assert judge.digest(one) != judge.digest(other)


@pytest.mark.parametrize(
    ("tolerance", "seen", "here", "word"),
    [
        (1e-4, 1e-5, 1e-6, ""),
        (1e-4, 1e-7, 1e-7, "more than 300 times"),
        (1e-4, 5e-5, 1e-6, "less than 3 times"),  # on another machine
        (1e-4, 1e-5, 9e-5, ""),  # passes here: a processor not seen yet
        # No matrix has the row: one run tells only of what is far too wide.
        (1e-4, None, 9e-5, ""),
        (1e-4, None, 2e-7, ""),
        (1e-4, None, 0.9e-7, "more than 1000 times .*, and no reason"),
    ],
)
def test_the_guard_judges_all_machines_not_one_run(tolerance, seen, here, word):
    def measure(traces):
        yield Measure(here, "x", "a", 0, "b", 0)

    def guarded(reason: str = "") -> list[str]:
        check = Check(4, "x", tolerance, "why", measure, reason)
        return guard([run_check(check, Traces({"a": {}}, {}))], spread)

    spread = {(4, "x"): {"error": seen, "share": 0}} if seen else {}
    assert bool(guarded()) == bool(word)
    assert all(re.search(word, line) for line in guarded())
    assert guarded("a reason beside it is enough") == []


def test_a_published_matrix_is_of_all_machines_and_of_rows_that_exist():
    """Where one is published; rows made since are judged by their own run."""
    spread = read_spread()
    known = {(check.rung, check.what) for check in CHECKS}
    assert len(spread.keys() & known) >= 0.8 * len(spread)
