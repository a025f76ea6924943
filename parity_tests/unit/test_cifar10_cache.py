"""The cache: damage, disks, interruptions, several processes at once."""

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from common.cifar10 import cache, sources
from common.cifar10 import load as load_module
from common.cifar10.load import load_data
from common.errors import DataError, DiskError, SourceError
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


def test_cached_arrays_are_mapped_and_private(arrays, root):
    fill(root, arrays)
    for _ in range(2):
        data = load_data(RECIPE, OFFLINE)
        assert_loaded(data, arrays)
        assert isinstance(data.train.images.base, np.memmap)
        data.train.images[:] = 0  # stays in this process


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setenv("DAVIDNET_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache.cache_root() == Path("/a")
    monkeypatch.delenv("DAVIDNET_CACHE")
    assert cache.cache_root() == Path("/b/davidnet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache.cache_root() == Path("/c/.cache/davidnet")
    monkeypatch.setenv("DAVIDNET_CACHE", "~/d")
    assert cache.cache_root() == Path("/c/d")


# --------------------------------------------------------- a damaged cache


@pytest.mark.parametrize(
    "name", ["x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"]
)
def test_a_flipped_byte_in_the_cache_is_found_offline(
    arrays, root, no_network, name
):
    fill(root, arrays)
    flip(root / "cifar10" / name)
    words = f"cache .*{name[:-4]} is damaged .*; start once without --offline"
    fails(DataError, words, OFFLINE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: flip(f / "x_train.npy"),
        lambda f: os.truncate(f / "x_train.npy", 1_000),
        lambda f: os.truncate(f / "x_test.npy", 0),
        lambda f: (f / "y_test.npy").unlink(),
        lambda f: (f / "manifest.json").write_text("{"),
        lambda f: (f / "manifest.json").write_text("[]"),
        lambda f: (f / "manifest.json").write_text('{"format": 99}'),
        lambda f: shutil.copy(f / "x_test.npy", f / "x_train.npy"),
        lambda f: np.save(f / "y_test.npy", np.array([{}]), True),
    ],
)
def test_a_damaged_cache_is_replaced(toronto, arrays, root, damage):
    fill(root, arrays)
    damage(root / "cifar10")
    fails(DataError, "the cache .* is damaged: ", OFFLINE)
    lines = []
    assert_loaded(load_data(RECIPE, CIFAR10, lines.append), arrays)
    assert "is damaged" in lines[0]
    assert lines[0].endswith("; it will be replaced")
    assert len(toronto.requests) == 1
    assert_loaded(load_data(RECIPE, OFFLINE), arrays)


def test_a_folder_that_is_not_ours_is_not_removed(toronto, arrays, root):
    (root / "cifar10").mkdir(parents=True)
    (root / "cifar10" / "thesis.tex").write_text("all of it")
    fails(DiskError, r"other files in it \(thesis.tex\).* DAVIDNET_CACHE")
    assert (root / "cifar10" / "thesis.tex").read_text() == "all of it"


# --------------------------------------------------------------- bad disks


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
    assert not (root / "cifar10").exists()
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)


def test_a_disk_that_fills_up_while_the_cache_is_written(
    tmp_path, arrays, root
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays))
    with fakes.file_size_limit(100_000):  # x_train needs 153,728
        words = "x_train.npy: .*ulimit.*; set .* DAVIDNET_CACHE"
        fails(DiskError, words, Run(data_dir=str(path)))
    assert os.listdir(root) == ["cifar10.lock"]
    fails(SourceError, "--offline", OFFLINE)


def test_a_full_disk_is_named(tmp_path, arrays, root, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays))
    monkeypatch.setattr(os, "fsync", full)
    words = "the disk is full; set .* DAVIDNET_CACHE .* 0.5 GB of room"
    fails(DiskError, words, Run(data_dir=str(path)))
    assert os.listdir(root) == ["cifar10.lock"]


# ----------------------------------------------------------- interruptions


@pytest.mark.parametrize("written", [0, 1, 3, 4])
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
    assert not (root / "cifar10").exists()
    fails(SourceError, "--offline", OFFLINE)
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)
    # The download was complete: it is not fetched again.
    assert len(toronto.requests) == 1


def test_what_a_killed_fetch_left_is_not_trusted(toronto, arrays, root):
    (root / "cifar10.tmp").mkdir(parents=True)
    (root / "cifar10.tmp" / "x_train.npy").write_bytes(b"half")
    part = root / sources.PART
    part.write_bytes(toronto.content[:10_000])
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)
    assert toronto.requests == [("/c.tar.gz", "bytes=10000-")]
    assert sorted(os.listdir(root)) == ["cifar10", "cifar10.lock"]


# ------------------------------------------------------------ side by side


def test_processes_started_together_fetch_once(toronto, arrays, root):
    toronto.piece, toronto.pause = 30_000, 0.1
    script = textwrap.dedent("""
        import json
        from common.cifar10.load import load_data
        from common.recipe import Recipe, Run
        from parity_tests.unit import cifar10_fakes as fakes
        fakes.accept(fakes.fake_arrays())
        lines = []
        print("ready", flush=True)
        input()
        recipe = Recipe(train_images=30, batch_size=10)
        data = load_data(recipe, Run(), lines.append)
        print(json.dumps([lines, data.sums]))
    """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=Path(load_module.__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [p.stdout.readline() for p in processes] == ["ready\n"] * 3
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    told = [json.loads(output) for output in outputs]
    assert len(toronto.requests) == 1
    waited = "CIFAR-10: another process is fetching it; waiting for that"
    first_lines = sorted(lines[0] for lines, _ in told)
    assert first_lines == [waited, waited, f"CIFAR-10: trying {toronto.url}"]
    wanted = cache.checksums.array_sums(arrays)
    assert all(sums == wanted for _, sums in told)
