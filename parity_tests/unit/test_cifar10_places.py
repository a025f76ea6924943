"""CIFAR-10 where others keep it; a good file of another kind is named."""

import gzip
import os
import tarfile

import numpy as np
import pytest

from common.cifar10 import places
from common.cifar10.places import read_place
from common.errors import DataError, DiskError
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_reading import assert_same, read, refused, write

KERAS3 = "cifar-10-batches-py-target"


def silent(_):
    pass


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
    home = tmp_path / folder
    home.parent.mkdir(parents=True, exist_ok=True)
    write(home, fakes.python_files(arrays))
    found, path = read_place(tmp_path, silent)
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
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(fakes.python_archive(arrays))
    found, path = read_place(tmp_path, silent)
    assert_same(found, arrays)
    assert path == tmp_path / name


def test_the_nearest_complete_folder_is_taken(tmp_path, arrays):
    bad = fakes.python_files(fakes.fake_arrays())
    del bad["test_batch"]
    write(tmp_path / "cifar-10-batches-py", bad)
    write(tmp_path / "deep", {})
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
    folder = tmp_path / "1" / "2" / "3" / "4" / "5"
    folder.mkdir(parents=True)
    write(folder, fakes.python_files(arrays))
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

    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", closed)
    with pytest.raises(DiskError, match=r"cifar10.tar.gz: permission denied"):
        read_place(tmp_path, silent)


# -------------------------------------------------------- other archives


def test_a_plain_tar_is_read(tmp_path, arrays):
    content = gzip.decompress(fakes.python_archive(arrays))
    (tmp_path / "cifar-10-python.tar").write_bytes(content)
    assert_same(read(tmp_path / "cifar-10-python.tar"), arrays)
    assert_same(read(tmp_path), arrays)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_of_each_format_is_read(tmp_path, arrays, format):
    folder = write(tmp_path / "a", fakes.binary_files(arrays))
    with tarfile.open(tmp_path / "b.tar", "w", format=format) as tar:
        tar.add(folder, "cifar-10-batches-bin")
    assert_same(read(tmp_path / "b.tar"), arrays)


@pytest.mark.parametrize("files", [fakes.python_files, fakes.npm_files])
def test_a_zip_is_read(tmp_path, arrays, files):
    path = tmp_path / "cifar10.zip"
    path.write_bytes(fakes.zipped(files(arrays), "cifar-10"))
    assert_same(read(path), arrays)
    assert_same(read(tmp_path), arrays)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("labels", ["uint8", "int64", "int32"])
def test_an_npz_is_read(tmp_path, arrays, save, labels):
    given = {
        # As Keras gives them: labels in a column.
        name: array if array.ndim > 1 else array[:, None].astype(labels)
        for name, array in arrays.items()
    }
    given["x_test"] = np.asfortranarray(given["x_test"])
    save(tmp_path / "cifar10.npz", **given)
    assert_same(read(tmp_path / "cifar10.npz"), arrays)
    assert_same(read(tmp_path), arrays)


def test_four_npy_files_are_read(tmp_path, arrays):
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert_same(read(tmp_path), arrays)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("x_test", np.zeros((20, 3, 32, 32), np.uint8), "expected uint8 of"),
        ("x_test", np.zeros((20, 32, 32, 3), np.float32), "expected at most"),
        ("y_test", np.zeros(20, np.float64), "expected whole numbers"),
        ("y_test", np.full(20, 300), "not a list of 20 digits"),
        ("y_test", np.full(20, -1), "not a list of 20 digits"),
        ("y_test", np.zeros((2, 10), int), "expected whole numbers"),
        ("y_test", np.array([{}], object), "y_test.npy is damaged"),
        ("y_test", np.zeros(20, [("a", int)]), "expected whole numbers"),
        ("y_test", np.zeros(20, int).astype(">i4"), "damaged or not CIFAR"),
    ],
)
def test_arrays_of_another_kind_are_refused(
    tmp_path, arrays, name, array, words
):
    np.savez(tmp_path / "a.npz", **{**arrays, name: array})
    refused(tmp_path / "a.npz", words)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_zip_is_refused(tmp_path, arrays, share):
    content = fakes.zipped(fakes.binary_files(arrays), "a")
    (tmp_path / "a.zip").write_bytes(content[: int(share * len(content))])
    refused(tmp_path / "a.zip", "cut short or damaged .*; fetch it again")


def test_every_flipped_byte_in_the_end_of_a_zip_is_one_line(tmp_path, arrays):
    content = fakes.zipped(fakes.binary_files(arrays), "a")
    path = tmp_path / "a.zip"
    for i in range(1, 400, 3):
        damaged = bytearray(content)
        damaged[-i] ^= 0xFF
        path.write_bytes(damaged)
        try:
            assert_same(read(path), arrays)  # a date, say
        except DataError as error:
            assert "\n" not in str(error)


# ---------------------------------------------------------- other kinds


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PAR1\x15\x04", "this is a Parquet file, as Hugging Face"),
        (b"ARROW1\x00\x00", "this is an Arrow file, as Hugging Face"),
        (b"\xff\xff\xff\xff\x10\x00", "this is an Arrow file"),
        (b"\x89HDF\r\n\x1a\n", "this is an HDF5 file"),
        (b"MATLAB 5.0 MAT-file, Platform", "of the official Matlab version"),
        (b"\x93NUMPY\x01\x00", "this is one NumPy array, of four"),
        (b"\x80\x02}q\x01", "this is a pickle; of the python version"),
        (b"BZh91AY&SY", "this is a bzip2 file, to be unpacked first"),
        (b"\xfd7zXZ\x00\x00", "this is an xz file, to be unpacked first"),
        (b"\x28\xb5\x2f\xfd", "this is a Zstandard file"),
        (b"7z\xbc\xaf\x27\x1c", "this is a 7z archive"),
        (b"\x89PNG\r\n", "this is one picture"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\n <!DOCTYPE html>", "this is a web page"),
        (b"<HTML><head>", "this is a web page"),
        (b"", "this is an empty file"),
        (b"hello", "this is no .tar.gz, .tar, .zip or .npz"),
        (
            gzip.compress(b"hello", mtime=0),
            "no .tar.gz, but something else in gzip",
        ),
        (gzip.compress(b"", mtime=0), "no .tar.gz, but an empty file in gzip"),
        (gzip.compress(b"PAR1", mtime=0), "no .tar.gz, but a Parquet file"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(
    tmp_path, arrays, content, words
):
    (tmp_path / "file").write_bytes(content)
    refused(tmp_path / "file", f"{words}.*; --data-dir takes the official")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["cifar-100-python/train"], "this is CIFAR-100, another data set"),
        (["cifar-100-python.tar.gz"], "this is CIFAR-100, another data set"),
        (["plain_text/train-00000-of-00001.parquet"], "a Parquet file"),
        (["0.0.0/cifar10-train.arrow", "dataset_info.json"], "an Arrow file"),
        (["3.0.2/cifar10-train.tfrecord-00000-of-00001"], "a TFRecord file"),
        (["cifar-10-batches-mat/data_batch_1.mat"], "official Matlab"),
        ([f"train/cat/{i:04}.png" for i in range(100)], "a picture for each"),
    ],
)
def test_a_folder_and_an_archive_of_another_kind_are_called_what_they_are(
    tmp_path, arrays, names, words
):
    place = tmp_path / "place"
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"data")
    refused(place, f"{words}.*; --data-dir takes the official")
    files = dict.fromkeys(names, b"data")
    (tmp_path / "a").write_bytes(fakes.tar_gz(files, "top"))
    (tmp_path / "b").write_bytes(fakes.zipped(files, "top"))
    words = words.replace("this is", "it holds")
    refused(tmp_path / "a", f"no CIFAR-10 in this archive: .*{words}")
    refused(tmp_path / "b", f"no CIFAR-10 in this archive: .*{words}")


def test_a_few_pictures_do_not_say_what_a_folder_is(tmp_path, arrays):
    write(tmp_path, {"a.png": b"", "b.png": b""})
    refused(tmp_path, "no CIFAR-10 here or below; --data-dir takes")


@pytest.mark.parametrize(
    "files", [fakes.python_files, fakes.binary_files, fakes.npm_files]
)
def test_one_file_of_a_form_leads_to_its_folder(tmp_path, arrays, files):
    write(tmp_path, files(arrays))
    for name in files(arrays):
        words = f"one file of the .*; give their folder: --data-dir {tmp_path}"
        refused(tmp_path / name, words)


def test_a_pipe_or_a_device_is_refused_and_not_read(tmp_path, arrays):
    os.mkfifo(tmp_path / "cifar10.tar.gz")
    refused(tmp_path / "cifar10.tar.gz", "a pipe or a device, neither")
    refused(tmp_path, "no CIFAR-10 here or below")
    for name in fakes.python_files(arrays):
        os.mkfifo(tmp_path / name)
    refused(tmp_path, "no CIFAR-10 here or below")
