"""Digests of traces: small, true to the tensors, and no proof of others."""

import re

import numpy as np
import pytest

from common.environments import FRAMEWORKS
from parity_tests import compare
from parity_tests.harness import digest, tracefile
from parity_tests.harness.error import relative_error
from parity_tests.harness.tracefile import TraceError
from parity_tests.judge.checks import Check, equal_tensors
from parity_tests.unit.test_compare import facts
from tools.results import publish

RNG = np.random.default_rng(0)
LARGE = {
    "4/float64/plain/logits": RNG.normal(size=(30, 40)),
    "4/float32/plain/logits": RNG.normal(size=999).astype(np.float32),
    "2/uint8/images": RNG.integers(0, 256, (9, 9, 3), np.uint8),
    "0/float32/names": np.array(["a", "b"]),
    "0/float32/counts": np.array(7),
}


def read(path) -> tracefile.Trace:
    return digest.unpacked(path, tracefile.read(path))


@pytest.mark.parametrize("place", range(0, 1200, 7))
def test_a_digest_moves_by_no_more_than_its_tensor(place):
    """Wherever one number is another, however far it is off."""
    before = LARGE["4/float64/plain/logits"]
    for change in (1e-9, -1e-3, 0.5, 10.0):
        after = before.copy()
        after.flat[place] += change
        whole, _ = relative_error(after, before)
        small, _ = relative_error(digest.digest(after), digest.digest(before))
        assert 0 < small <= whole * (1 + 1e-6)


def test_what_is_written_is_read_again_and_is_small(tmp_path):
    path = tmp_path / "pytorch.npz"
    trace = tracefile.Trace("pytorch", facts("pytorch"), LARGE)
    digest.write(path, trace)
    found = read(path)
    assert found.name == "pytorch"
    assert found.facts["part"] == "digest"
    assert found.arrays.keys() == LARGE.keys()
    for name, array in LARGE.items():
        np.testing.assert_array_equal(
            found.arrays[name], digest.digest(array), strict=True
        )
    assert found.arrays["4/float32/plain/logits"].dtype == np.float32
    assert found.arrays["0/float32/names"].tolist() == ["a", "b"]


def test_a_damaged_digest_is_refused(tmp_path):
    path = tmp_path / "pytorch.npz"
    for names in ('[["a", "<f8", [99]]]', '[["a", "<f4", [1]]]', "{", "[7]"):
        arrays = {"<f8": np.ones(3), "names": np.array(names)}
        tracefile.write(path, facts("pytorch", part="digest"), arrays)
        with pytest.raises(TraceError, match="names do not fit"):
            read(path)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A trace from here, its digest of long ago, and a ladder of 3 rows."""
    checks = [
        equal_tensors(4, "logits", "4/float64/*", 1e-12, "rounding"),
        equal_tensors(4, "an old row", "9/*", 1e-12, "rounding"),
        Check(3, "a law", 1, "why", lambda traces: iter(())),
    ]
    monkeypatch.setattr(compare, "CHECKS", checks)
    here, old = tmp_path / "pytorch.npz", tmp_path / "old.npz"
    tracefile.write(here, facts("pytorch"), LARGE)

    def keep(**changed) -> list[str]:
        arrays = LARGE | changed
        of = facts("pytorch", source_hash="old", run_id="old")
        digest.write(old, tracefile.Trace("pytorch", of, arrays))
        return [str(here), "--against", str(old), "--runs", str(tmp_path)]

    return keep


def test_a_trace_is_compared_with_a_digest(kept, capsys):
    assert compare.main(kept()) == 0
    out = capsys.readouterr().out
    assert re.search(r"4 forward +logits", out)
    assert "not compared: an old row, a law" in out
    assert "pass, 1 of 3 rows compared" in out
    more = {"5/float64/of an older ladder": np.ones(3)}
    assert compare.main(kept(**more)) == 0
    name = "4/float64/plain/logits"
    assert compare.main(kept(**{name: LARGE[name] + 1e-9})) == 1
    assert "old.npz)" in capsys.readouterr().out


def test_a_digest_without_a_tensor_in_common_proves_nothing(
    kept, tmp_path, capsys
):
    words = kept()
    tracefile.write(
        tmp_path / "pytorch.npz", facts("pytorch"), {"x": RNG.random(3)}
    )
    assert compare.main(words) == compare.BAD_TRACE
    assert "no tensor of it is on this ladder" in capsys.readouterr().err


def test_digests_of_committed_traces_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "RESULTS", tmp_path / "kept")
    arrays = {"4/float64/x": np.arange(99.0)}

    def write(commit: str | None) -> None:
        for framework in FRAMEWORKS:
            path = tmp_path / f"{framework}.npz"
            more = {"git_commit": commit}
            tracefile.write(path, facts(framework, **more), arrays)

    with pytest.raises(SystemExit, match="no such trace"):
        publish.publish_traces(tmp_path)
    write(None)
    with pytest.raises(SystemExit, match="of changed source"):
        publish.publish_traces(tmp_path)
    write("0" * 40)
    publish.publish_traces(tmp_path)
    kept = read(tmp_path / "kept" / "trace-pytorch.npz")
    assert kept.arrays["4/float64/x"].max() == 98
