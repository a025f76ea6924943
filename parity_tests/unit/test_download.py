"""Downloads: https only, resumed, checked, given up when they stall."""

import hashlib

import pytest

from common.cifar10 import download as module
from common.cifar10.answer import FetchError, TooSlow
from common.cifar10.download import download
from common.errors import DiskError
from parity_tests.unit.cifar10_fakes import file_size_limit
from parity_tests.unit.https_server import https_server

CONTENT = bytes(range(256)) * 4_000  # 1 MB
SIZE = len(CONTENT)


@pytest.fixture
def server(tmp_path, monkeypatch):
    with https_server(tmp_path) as (server, bundle):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        server.content = CONTENT
        yield server


@pytest.fixture
def part(tmp_path):
    (tmp_path / "down").mkdir()
    return tmp_path / "down" / "c.part"


def fetch(url, part, say=print, **options):
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    download(url, part, SIZE, md5, say, **options)


def test_the_file_arrives(server, part):
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [("/c.tar.gz", None)]


def test_a_complete_part_needs_no_request(server, part):
    part.write_bytes(CONTENT)
    fetch(server.url, part)
    assert not server.requests


def test_it_goes_on_where_a_broken_connection_ended(server, part):
    server.cut_at = 300_000
    with pytest.raises(FetchError, match="connection"):
        fetch(server.url, part)
    assert part.read_bytes() == CONTENT[:300_000]
    server.cut_at = None
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.requests[-1] == ("/c.tar.gz", "bytes=300000-")


def test_a_server_without_ranges_sends_it_anew(server, part):
    server.ranges = False
    part.write_bytes(CONTENT[:1_000])
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "stated", ["bytes 0-1023999/1024000", "bytes 1000-1023999/9", "x"]
)
def test_other_bytes_than_asked_for_are_refused(server, part, stated):
    server.content_range = stated
    part.write_bytes(CONTENT[:1_000])
    with pytest.raises(FetchError, match="asked for 'bytes 1000-"):
        fetch(server.url, part)
    assert not part.exists()


def test_a_range_that_the_server_does_not_have_starts_anew_later(server, part):
    server.status = 416
    part.write_bytes(CONTENT[:1_000])
    with pytest.raises(FetchError, match="416"):
        fetch(server.url, part)
    assert not part.exists()


def test_a_part_that_is_too_long_is_dropped(server, part):
    part.write_bytes(CONTENT + b"more")
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT


def test_a_wrong_part_does_not_survive(server, part):
    part.write_bytes(b"wrong" * 100)
    with pytest.raises(FetchError, match="MD5"):
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
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT


def test_a_file_of_another_size_is_refused_before_it_is_read(server, part):
    server.content = CONTENT + b"more"
    with pytest.raises(FetchError, match="1024004 bytes, expected 1024000"):
        fetch(server.url, part)
    assert not part.exists()


def test_no_more_bytes_than_expected_are_written(server, part):
    server.content, server.declares = CONTENT * 3, False
    with pytest.raises(FetchError, match="sends more than 1024000"):
        fetch(server.url, part)
    assert part.stat().st_size <= SIZE


def test_fewer_bytes_than_expected_are_not_accepted(server, part):
    server.content, server.declares = CONTENT[:-1], False
    with pytest.raises(FetchError, match="ended at byte 1023999"):
        fetch(server.url, part)


def test_an_error_page_is_not_taken_for_the_file(server, part):
    server.status = 404
    with pytest.raises(FetchError, match="404 Not Found"):
        fetch(server.url, part)
    assert not part.exists()


def test_a_disk_that_fills_up_is_a_disk_error(server, part):
    with file_size_limit(500_000), pytest.raises(DiskError, match="ulimit"):
        fetch(server.url, part)
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT


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
