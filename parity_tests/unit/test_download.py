"""Downloads: https only, resumed, checked, given up when they stall."""

import hashlib

import pytest

from common.cifar10 import download as module
from common.cifar10.answer import FetchError, TooSlow
from common.cifar10.download import download
from common.errors import DiskError
from parity_tests.unit.cifar10_fakes import file_size_limit
from parity_tests.unit.https_server import CONTENT

SIZE = len(CONTENT)


@pytest.fixture
def part(tmp_path):
    return tmp_path / "c.part"


def fetch(url, part, say=print, **options):
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    download(url, part, SIZE, md5, say, **options)


@pytest.mark.parametrize(
    ("before", "ranges", "asked"),
    [
        (b"", True, [None]),
        (CONTENT[:1_000], True, ["bytes=1000-"]),
        (CONTENT[:1_000], False, ["bytes=1000-"]),  # it is sent anew
        (CONTENT, True, []),
        (CONTENT + b"more", True, [None]),
    ],
)
def test_the_file_arrives_whatever_was_there(
    server, part, before, ranges, asked
):
    server.ranges = ranges
    part.write_bytes(before)
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [("/c.tar.gz", start) for start in asked]


def test_it_goes_on_where_a_broken_connection_ended(server, part):
    server.cut_at = 300_000
    with pytest.raises(FetchError, match="connection"):
        fetch(server.url, part)
    assert part.read_bytes() == CONTENT[:300_000]
    server.cut_at = None
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.requests[-1] == ("/c.tar.gz", "bytes=300000-")


PART = CONTENT[:1_000]
OTHER_BYTES = "asked for 'bytes 1000-"


@pytest.mark.parametrize(
    ("server_is", "before", "words"),
    [
        ({"content_range": "bytes 0-1023999/1024000"}, PART, OTHER_BYTES),
        ({"content_range": "bytes 1000-1023999/9"}, PART, OTHER_BYTES),
        ({"content_range": "x"}, PART, OTHER_BYTES),
        ({"status": 416}, PART, "416"),  # the next start fetches it anew
        ({"status": 404}, b"", "404 Not Found"),
        ({"content": CONTENT + b"a"}, b"", "1024001 bytes, expected 1024000"),
        ({"content": b"wrong" + CONTENT[5:]}, b"", "MD5"),
        ({}, b"wrong" * 100, "MD5"),
    ],
)
def test_what_is_not_the_file_is_refused_and_nothing_kept(
    server, part, server_is, before, words
):
    vars(server).update(server_is)
    if before:
        part.write_bytes(before)
    with pytest.raises(FetchError, match=words):
        fetch(server.url, part)
    assert not part.exists()


def test_a_trickle_is_a_stall_and_its_bytes_are_kept(server, part, monkeypatch):
    monkeypatch.setattr(module, "RATE_SECONDS", 0.4)
    server.piece, server.pause = 2_000, 0.05  # 40 kB/s
    with pytest.raises(TooSlow, match="too slow: "):
        fetch(server.url, part)
    kept = part.stat().st_size
    assert 0 < kept < 100_000
    assert part.read_bytes() == CONTENT[:kept]


def test_a_fast_enough_source_is_no_stall(server, part, monkeypatch):
    monkeypatch.setattr(module, "RATE_SECONDS", 0.5)
    server.piece, server.pause = 32_000, 0.05  # 640 kB/s, for 1.6 s
    # With a tenth of SLOW_RATE, lest a busy machine make it slow.
    fetch(server.url, part, slow_rate=20_000)
    assert part.read_bytes() == CONTENT


def test_no_more_bytes_than_expected_are_written(server, part):
    server.content, server.declares = CONTENT * 3, False
    with pytest.raises(FetchError, match="sends more than 1024000"):
        fetch(server.url, part)
    assert part.stat().st_size <= SIZE


def test_fewer_bytes_than_expected_are_not_accepted(server, part):
    server.content, server.declares = CONTENT[:-1], False
    with pytest.raises(FetchError, match="ended at byte 1023999"):
        fetch(server.url, part)


def test_a_disk_that_fills_up_is_a_disk_error(server, part):
    with file_size_limit(500_000), pytest.raises(DiskError, match="ulimit"):
        fetch(server.url, part)
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT


def test_a_file_that_cannot_be_read_back_is_a_disk_error(part):
    part.mkdir()
    there = part.stat().st_size
    with pytest.raises(DiskError, match=r"cannot read .*: there is a folder"):
        download("https://not.asked", part, there, "")


def test_lines_of_progress_where_there_is_no_terminal(
    server, part, monkeypatch
):
    monkeypatch.setattr(module, "PLAIN_LINE_SECONDS", 0.1)
    server.piece, server.pause = 256_000, 0.1
    lines = []
    fetch(server.url, part, lines.append)
    assert 1 <= len(lines) <= 5
    assert lines[0].startswith("CIFAR-10: ")
    assert lines[0].endswith("of 1 MB")


def test_a_bar_where_there_is_a_terminal(server, part, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert "1.0/1.0 MB" in capsys.readouterr().out


def test_no_bar_in_a_log_that_wants_colors(server, part, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    fetch(server.url, part)
    assert capsys.readouterr().out == ""
