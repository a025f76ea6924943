"""CIFAR-10 out of archives; foreign bytes are not trusted."""

import gzip
import os
import tarfile
import zlib

import pytest

from common.cifar10 import archives
from common.cifar10.archives import read_archive
from common.errors import DataError, DiskError
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_reading import (
    ARCHIVES,
    assert_same,
    read,
    refused,
    write,
)


def a_zip(arrays):
    return fakes.zipped(fakes.binary_files(arrays), "a")


def a_tar(arrays, format=tarfile.GNU_FORMAT):
    return fakes.tar(fakes.binary_files(arrays), "a", format=format)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *ARCHIVES.items(),
        ("cifar-10.tar", a_tar),
        ("cifar-10.tar", lambda arrays: a_tar(arrays, tarfile.USTAR_FORMAT)),
        ("cifar10.zip", a_zip),
        ("cifar10.zip", lambda a: fakes.zipped(fakes.npm_files(a), "a")),
    ],
)
def test_an_archive_of_each_form_is_read(tmp_path, arrays, name, make):
    write(tmp_path, {name: make(arrays)})
    assert_same(read(tmp_path / name), arrays)
    assert_same(read(tmp_path), arrays)


def test_an_archive_is_known_by_its_files(tmp_path, arrays):
    write(tmp_path, {"other.name": fakes.python_archive(arrays)})
    assert_same(read(tmp_path / "other.name"), arrays)


def test_every_flipped_byte_in_the_end_of_a_zip_is_one_line(tmp_path, arrays):
    content, path = a_zip(arrays), tmp_path / "a.zip"
    for i in range(1, 400, 3):
        damaged = bytearray(content)
        damaged[-i] ^= 0xFF
        path.write_bytes(damaged)
        try:
            assert_same(read(path), arrays)  # a date, say
        except DataError as error:
            assert "\n" not in str(error)


DAMAGED = pytest.mark.parametrize("make", [*ARCHIVES.values(), a_zip])


@DAMAGED
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99, 0.999])
def test_a_truncated_archive_is_refused(tmp_path, arrays, make, share):
    content = make(arrays)
    write(tmp_path, {"a": content[: int(share * len(content))]})
    refused(tmp_path / "a", "; fetch it again")


@DAMAGED
def test_a_flipped_byte_in_an_archive_is_refused(tmp_path, arrays, make):
    content = bytearray(make(arrays))
    content[len(content) // 2] ^= 1
    write(tmp_path, {"a": bytes(content)})
    refused(tmp_path / "a", "; fetch it again")


def archive_with(path, member, content=b""):
    """A good archive, but for a first member that is odd."""
    member.size = len(content)
    files = fakes.binary_files(fakes.fake_arrays())
    content = fakes.tar(files, "a", first=[(member, content)])
    path.write_bytes(gzip.compress(content))
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("../climbed", "../data_batch_1.bin", "/tmp/climbed"),
        "cifar-10-batches-bin/../../climbed",
    ],
)
def test_a_path_that_climbs_out_is_refused(tmp_path, arrays, name):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.tar.gz"
    path = archive_with(path, tarfile.TarInfo(name), b"x")
    refused(path, "refused, as .* leads")
    assert os.listdir(tmp_path) == ["in"]
    assert os.listdir(tmp_path / "in") == ["a.tar.gz"]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE],
)
def test_a_link_or_a_device_is_refused(tmp_path, arrays, kind):
    member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    member.type, member.linkname = kind, "/etc/passwd"
    path = archive_with(tmp_path / "a.tar.gz", member)
    refused(path, "is a link or device")


def test_an_archive_that_is_gone_is_a_disk_error(tmp_path):
    words = "cannot read .*a.zip: the folder does not exist; check the file"
    with pytest.raises(DiskError, match=words):
        read_archive(tmp_path / "a.zip")


def test_an_archive_writes_no_file(tmp_path, arrays, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"a.tar.gz": fakes.binary_archive(arrays)})
    read_archive(tmp_path / "a.tar.gz")
    assert os.listdir(tmp_path) == ["a.tar.gz"]


def test_an_archive_that_unpacks_to_too_much_is_given_up(
    tmp_path, arrays, monkeypatch
):
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1_000_000)
    member = tarfile.TarInfo("cifar-10-batches-bin/zeros")
    path = archive_with(tmp_path / "a.tar.gz", member, bytes(2_000_000))
    assert path.stat().st_size < 500_000
    refused(path, "unpacks to over 1,000,000 bytes")


def test_a_file_that_is_no_archive_is_refused(tmp_path, arrays):
    write(tmp_path, {"a": b"hello", "b": zlib.compress(b"hello")})
    for name in "ab":
        refused(tmp_path / name, "this is no .tar.gz, .tar, .zip or .npz; ")


def test_an_archive_of_something_else_is_refused(tmp_path, arrays):
    write(tmp_path, {"a": fakes.tar_gz({"train.bin": b"x"}, "cifar-100")})
    refused(tmp_path / "a", "no CIFAR-10 in this archive")
