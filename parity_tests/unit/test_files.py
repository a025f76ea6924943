"""A file is written wholly or not at all, and errors say what to do."""

import argparse
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock

import pytest
import tyro

from common import files
from common.errors import DiskError, UsageError
from common.files import (
    atomic_writer,
    disk_errors,
    one_line,
    user_path,
    write_atomic,
)
from common.run.usage import PathFlag
from parity_tests.unit.cifar10_fakes import file_size_limit


def test_writes_and_leaves_no_temporary_file(tmp_path):
    write_atomic(tmp_path / "a", b"one")
    write_atomic(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a"]


def test_the_file_has_ordinary_permissions(tmp_path):
    write_atomic(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with atomic_writer(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_block_that_raises_changes_nothing(tmp_path, error):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(error), atomic_writer(tmp_path / "a") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_the_kernel_refuses_to_grow_changes_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with file_size_limit(10_000), pytest.raises(DiskError, match="ulimit"):
        write_atomic(tmp_path / "a", bytes(100_000))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_disk_that_fills_up_at_the_flush_changes_nothing(
    tmp_path, monkeypatch
):
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(files.os, "fsync", Mock(side_effect=full))
    with pytest.raises(DiskError, match="disk is full; free some space"):
        write_atomic(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []


def test_a_full_device_is_named():
    full = pytest.raises(DiskError, match=r"^cannot write x: the disk is full")
    with full, disk_errors("x"), open("/dev/full", "wb") as file:
        file.write(b"a")


@pytest.mark.parametrize(
    ("number", "words", "advice"),
    [
        (errno.EROFS, "file system is read-only; choose another place", ""),
        (errno.EACCES, "permission denied; choose another place", ""),
        (errno.EDQUOT, "quota is used up; free some space", ""),
        (errno.EIO, "Input/output error", ""),
        (errno.ENOSPC, "the disk is full; set THIS$", "set THIS"),
    ],
)
def test_each_cause_is_one_line_with_advice(number, words, advice):
    caught = pytest.raises(DiskError, match=words)
    with caught as error, disk_errors("x", advice):
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 74


def test_a_cause_without_a_number_is_told_in_its_own_words():
    caught = pytest.raises(DiskError, match="write x: no number; choose")
    with caught, disk_errors("x"):
        raise OSError("no number")


def test_what_a_library_says_is_one_line_of_letters():
    assert one_line("a\x1b[31m  b\nc") == "a?[31m b c"
    assert one_line(300 * "x") == 250 * "x"


@pytest.mark.parametrize(
    ("folder", "words"),
    [("none", "folder does not exist"), ("file", "is a file, not a folder")],
)
def test_what_is_no_folder_is_named(tmp_path, folder, words):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=words):
        write_atomic(tmp_path / folder / "a", b"")


def test_a_tilde_is_a_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert user_path("~/x") == Path("/home/anna/x")
    assert user_path("~") == Path("/home/anna")
    assert user_path("a/~/b") == Path("a/~/b")  # only at the start
    with pytest.raises(UsageError, match="~nobody-here/x: no home folder"):
        user_path("~nobody-here/x")


@dataclass
class Options:
    """Of a command."""

    out: PathFlag


def by_tyro(words: list[str]) -> None:
    tyro.cli(Options, args=words)


def by_argparse(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=user_path)
    parser.parse_args(words)


@pytest.mark.parametrize("parse", [by_tyro, by_argparse])
def test_a_home_that_nobody_has_is_a_usage_error_of_any_command(parse, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(["--out", "~nobody-here/x"])
    assert stop.value.code == 2
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "~nobody-here/x: no home folder is known for its ~" in told
