"""CIFAR-10 is found where others keep it."""

import os
from unittest.mock import Mock

import pytest

from common.cifar10 import places
from common.cifar10.places import read_place
from common.errors import DiskError
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_reading import assert_same, read, refused, write

KERAS3 = "cifar-10-batches-py-target"


# ----------------------------------------------------- where others keep it


@pytest.mark.parametrize(
    "folder",
    [
        "cifar-10-batches-py",  # Keras 2, torchvision
        f"{KERAS3}/cifar-10-batches-py",
        f"datasets/{KERAS3}/cifar-10-batches-py",  # of ~/.keras
        "downloads/extracted/TAR_GZ.cs.toronto.edu/cifar-10-batches-py",
    ],
)
def test_the_files_are_found_below(tmp_path, arrays, folder):
    home = write(tmp_path / folder, fakes.python_files(arrays))
    found, path = read_place(tmp_path, print)
    assert_same(found, arrays)
    assert path == home


@pytest.mark.parametrize(
    "name",
    [
        f"datasets/{KERAS3}_archive",
        f"datasets/{KERAS3}.tar.gz",
        "cs.toronto.edu_kriz_cifar-10-python7EC6VSMX.tar.gz",
        "CIFAR10.tgz",
    ],
)
def test_an_archive_is_found_below_by_its_name(tmp_path, arrays, name):
    file = tmp_path / name
    write(file.parent, {file.name: fakes.python_archive(arrays)})
    found, path = read_place(tmp_path, print)
    assert_same(found, arrays)
    assert path == file


def test_the_nearest_complete_folder_is_taken(tmp_path, arrays):
    bad = fakes.python_files(fakes.fake_arrays())
    del bad["test_batch"]
    write(tmp_path / "cifar-10-batches-py", bad)
    good = write(tmp_path / "deep" / "down", fakes.binary_files(arrays))
    lines = []
    assert read_place(tmp_path, lines.append)[1] == good
    assert not lines


def test_where_one_is_damaged_another_is_taken_and_a_line_says_so(
    tmp_path, arrays
):
    files = fakes.python_files(arrays)
    files["test_batch"] = files["test_batch"][:-9]
    write(tmp_path / "cifar-10-batches-py", files)
    name = "cifar-10-python.tar.gz"
    (tmp_path / name).write_bytes(fakes.python_archive(arrays))
    lines = []
    found, path = read_place(tmp_path, lines.append)
    assert_same(found, arrays)
    assert path == tmp_path / name
    assert len(lines) == 1
    assert "cifar-10-batches-py: test_batch is damaged" in lines[0]


def test_where_all_are_damaged_the_nearest_is_the_reason(tmp_path, arrays):
    files = fakes.python_files(arrays)
    files["test_batch"] = files["test_batch"][:-9]
    write(tmp_path / "cifar-10-batches-py", files)
    write(tmp_path / "below" / "further", {**files, "test_batch": b""})
    lines = []
    refused(tmp_path / "", "/cifar-10-batches-py: test_batch", lines.append)
    assert len(lines) == 2


def test_both_forms_may_lie_in_one_folder(tmp_path, arrays):
    damaged = {name: b"" for name in fakes.binary_files(arrays)}
    write(tmp_path, {**damaged, **fakes.python_files(arrays)})
    assert_same(read(tmp_path), arrays)


def test_links_are_followed_and_those_that_lead_back_end(tmp_path, arrays):
    disk = write(tmp_path / "disk", fakes.python_files(arrays))
    place = tmp_path / "place"
    place.mkdir()
    (place / "again").symlink_to(place)
    (place / "itself").symlink_to(place / "itself")
    (place / "cifar10.tar.gz").symlink_to(place / "cifar10.tar.gz")
    refused(place, "no CIFAR-10 here or below; --data-dir takes")
    (place / "data").symlink_to(disk)
    assert_same(read(place), arrays)


def test_a_huge_folder_is_not_searched_for_ever(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(places, "MAX_ENTRIES", 10)
    write(tmp_path, {f"{i}.txt": b"" for i in range(20)})
    refused(tmp_path, "the search ended after 10 names; ")


def test_folders_too_far_down_are_not_searched(tmp_path, arrays):
    write(tmp_path / "1/2/3/4/5", fakes.python_files(arrays))
    refused(tmp_path, "no CIFAR-10 here or below")
    assert_same(read(tmp_path / "1"), arrays)


def test_a_folder_below_that_cannot_be_read_is_named(
    tmp_path, arrays, monkeypatch
):
    (tmp_path / "closed").mkdir()
    true_scandir = os.scandir

    # Nothing less holds back root, who may run these tests.
    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return true_scandir(path)

    monkeypatch.setattr(places.os, "scandir", scandir)
    refused(tmp_path, "or below; .*closed cannot be read; --data-dir")


def test_an_archive_that_cannot_be_read_is_a_disk_error(
    tmp_path, arrays, monkeypatch
):
    (tmp_path / "cifar10.tar.gz").write_bytes(fakes.python_archive(arrays))

    closed = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr("pathlib.Path.open", closed)
    with pytest.raises(DiskError, match=r"cifar10.tar.gz: permission denied"):
        read_place(tmp_path, print)
