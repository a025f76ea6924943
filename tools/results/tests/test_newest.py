"""The newest releases: what is said of each, and what is published."""

import json
from pathlib import Path

import pytest

from parity_tests import compare
from tools import newest
from tools.results import proofs, publish
from tools.results.tests import fake_records


@pytest.mark.parametrize(
    ("code", "failed", "found"),
    [
        (0, (), ("pass", "")),
        (1, ("4 forward", "5 gradients"), ("differs", "4 forward: x")),
        (compare.BAD_TRACE, (), ("no trace to compare", "")),
    ],
)
def test_the_verdict_and_the_lowest_rung_that_fails_are_told(
    tmp_path, monkeypatch, code, failed, found
):
    rows = [{"rung": "0 structure", "what": "x", "verdict": "equal"}]
    rows += [{"rung": r, "what": "x", "verdict": "FAIL"} for r in failed]

    def main(words):
        Path(words[-1]).write_text(json.dumps({"rows": rows}))
        return code

    monkeypatch.setattr(compare, "main", main)
    names = ("a.npz", "b.npz", "b.json")
    assert newest.climb(*(tmp_path / name for name in names)) == found


def test_a_release_that_writes_no_trace_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(newest, "versions", lambda file: {})
    monkeypatch.setattr(newest, "newest_release", lambda package: "9")
    found = newest.row("pytorch", tmp_path)
    assert found["verdict"] == "does not run"
    assert found["kept"] == "not compared"


def test_a_release_that_writes_a_bad_trace_is_a_finding(tmp_path, monkeypatch):
    (tmp_path / "newest").mkdir()
    (tmp_path / "newest" / "pytorch.npz").write_bytes(b"no zip")
    pinned = tmp_path / "pinned" / "pytorch.npz"
    real = newest.versions
    monkeypatch.setattr(
        newest, "versions", lambda file: {} if file == pinned else real(file)
    )
    monkeypatch.setattr(newest, "newest_release", lambda package: "9")
    found = newest.row("pytorch", tmp_path)
    assert (found["verdict"], found["tried"]) == ("no trace to compare", {})


def test_the_newest_is_compared_with_the_kept_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(newest, "versions", lambda file: {})
    monkeypatch.setattr(newest, "newest_release", lambda package: "9")
    monkeypatch.setattr(newest, "KEPT", tmp_path / "kept")
    for part in ("newest", "kept"):
        (tmp_path / part).mkdir()
        name = "trace-pytorch.npz" if part == "kept" else "pytorch.npz"
        (tmp_path / part / name).touch()
    ends = {"pinned": "pass", "newest": "differs"}
    monkeypatch.setattr(
        newest, "climb", lambda here, *_: (ends[here.parent.name], "")
    )
    found = newest.row("pytorch", tmp_path)
    assert (found["verdict"], found["kept"]) == ("pass", "differs")


def test_a_report_is_published_good_or_bad(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "NEWEST", tmp_path / "published.json")
    monkeypatch.setattr(proofs, "NEWEST", tmp_path / "published.json")
    file = tmp_path / "newest.json"
    file.write_text(json.dumps(fake_records.NEWEST))
    publish.publish_newest(file)
    table = proofs.newest_table()
    assert (
        "torch 2.15.0+cpu | 2.15.0 | differs | 4 forward: logits | not compared"
    ) in table
    assert "| none | not known | does not run | not reached |" in table
    assert "on commit 0000000" in table


def test_a_pinned_trace_that_is_missing_is_one_clear_line(tmp_path, capsys):
    assert newest.main([str(tmp_path)]) == compare.BAD_TRACE
    (line,) = capsys.readouterr().err.splitlines()
    assert "no such trace; start again: nox -s newest" in line
    assert not (tmp_path / "newest.json").exists()
