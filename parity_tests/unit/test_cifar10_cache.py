"""The cache: damage, disks, interruptions, several processes at once."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest

from common.cifar10 import cache
from common.cifar10 import load as load_module
from common.errors import DataError, DiskError
from parity_tests.unit.cifar10_loading import (
    KEPT,
    fails,
    fill,
    flip,
    load,
    loaded,
)


def test_cached_arrays_are_mapped_and_private(arrays, root):
    fill(root, arrays)
    for _ in range(2):
        data = loaded(arrays, offline=True)
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


@pytest.mark.parametrize("name", KEPT[2:])
def test_a_flipped_byte_in_the_cache_is_found_offline(
    arrays, root, no_network, name
):
    flip(fill(root, arrays) / name)
    words = f"cache .*{name[:-4]} is damaged .*; start once without --offline"
    fails(DataError, words, offline=True)


NPY_HEAD = b"\x93NUMPY\x01\x00v\x00"


def swap(path, make):
    path.unlink()
    make(path)


def zip_of_nothing(path):
    zipfile.ZipFile(path, "w").close()


def manifest(text):
    """Damage: another content of the manifest."""
    content = os.fsencode(text)
    return lambda folder: (folder / "manifest.json").write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: flip(f / "x_train.npy"),
        lambda f: os.truncate(f / "x_train.npy", 1_000),
        lambda f: os.truncate(f / "x_test.npy", 0),
        lambda f: (f / "y_test.npy").unlink(),
        *map(
            manifest,
            [
                *("{", "[]", "", "[" * 60_000),
                '{"format": 99}',
                '{"format": 99, "source": "a test"}',
                '{"format": 1}',
                '{"format": 1, "source": [1]}',
                '{"format": 1, "source": "a\\nb"}',
                '{"source": "\udcff"}',
            ],
        ),
        lambda f: os.truncate(f / "manifest.json", 1 << 40),
        lambda f: swap(f / "manifest.json", os.mkfifo),
        lambda f: swap(f / "x_train.npy", os.mkfifo),
        lambda f: swap(f / "x_train.npy", zip_of_nothing),
        lambda f: (f / "x_train.npy").write_bytes(NPY_HEAD + b"(" * 100),
        lambda f: (f / "x_train.npy").write_bytes(
            NPY_HEAD
            + b"{'descr': '|u1', 'fortran_order': False, "
            b"'shape': (50, 32, 32, -3), }".ljust(117)
            + b"\n"
        ),
        lambda f: shutil.copy(f / "x_test.npy", f / "x_train.npy"),
        lambda f: np.save(f / "y_test.npy", np.array([{}]), True),
    ],
)
def test_a_damaged_cache_is_replaced(toronto, arrays, root, damage):
    damage(fill(root, arrays))
    fails(DataError, "the cache .* is damaged: ", offline=True)
    lines = []
    loaded(arrays, lines.append)
    assert "is damaged" in lines[0]
    assert lines[0].endswith("; it will be replaced")
    assert len(toronto.requests) == 1
    loaded(arrays, offline=True)


def test_other_files_in_the_cache_stay_as_they_are(toronto, arrays, root):
    (root / "cifar10").mkdir(parents=True)
    (root / "cifar10" / "thesis.tex").write_text("all of it")
    loaded(arrays)
    assert (root / "cifar10" / "thesis.tex").read_text() == "all of it"


# ------------------------------------------------------------------- links


@pytest.mark.parametrize("content", ["no folder", "nothing", "damage", "data"])
def test_a_cache_that_is_a_link_is_written_through_it(
    tmp_path, toronto, arrays, root, content
):
    disk = tmp_path / "disk" / "data"
    root.mkdir()
    (root / "cifar10").symlink_to(disk)
    if content != "no folder":
        disk.mkdir(parents=True)
    if content in ("damage", "data"):
        cache.write_cache(disk, arrays, "a test")
    if content == "damage":
        flip(disk / "x_test.npy")
    loaded(arrays)
    assert (root / "cifar10").is_symlink()
    assert os.listdir(root) == ["cifar10"]
    loaded(arrays, data_dir=disk)
    assert len(toronto.requests) == (0 if content == "data" else 1)


def test_a_cache_folder_that_is_a_link_is_followed(
    tmp_path, toronto, arrays, root
):
    root.symlink_to(tmp_path / "disk")
    loaded(arrays)
    assert root.is_symlink()
    assert (tmp_path / "disk" / "cifar10" / "manifest.json").is_file()


def test_a_link_that_leads_to_itself_is_a_disk_error(toronto, arrays, root):
    root.mkdir()
    (root / "cifar10").symlink_to(root / "cifar10")
    fails(DiskError, "cannot make and lock the cache .*; set .* DAVIDNET_CACHE")
    assert not toronto.requests


# ------------------------------------------------------------ side by side


def test_processes_started_together_fetch_once(toronto, arrays, root):
    toronto.piece, toronto.pause = 30_000, 0.3
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
        print(json.dumps([lines, data.sha256]))
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
    wanted = cache.checksums.array_sha256(arrays)
    assert all(sums == wanted for _, sums in told)


def test_a_password_that_an_older_version_kept_is_not_passed_on(arrays, root):
    text = '{"format": 1, "source": "https://anna:secret@host/c?key=secret"}'
    manifest(text)(fill(root, arrays))
    assert load(offline=True).source == "https://host/c"
