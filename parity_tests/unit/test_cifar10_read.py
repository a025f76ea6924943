"""CIFAR-10 out of files, in each form; damaged ones are refused."""

import io
import pickle
from itertools import product

import numpy as np
import pytest
from PIL import Image

from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_reading import (
    FOLDERS,
    assert_same,
    read,
    refused,
    write,
)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_each_form_is_read(tmp_path, arrays, name):
    folder = write(tmp_path / name, FOLDERS[name](arrays))
    assert_same(read(folder), arrays)
    assert_same(read(tmp_path), arrays)


def test_nothing_there(tmp_path, arrays):
    refused(tmp_path / "none", "no such file or folder; check --data-dir")
    refused(tmp_path, "no CIFAR-10 here or below; --data-dir takes")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_flipped_byte_in_a_file_is_refused(tmp_path, arrays, name):
    files = FOLDERS[name](arrays)
    for file in files:
        content = bytearray(files[file])
        content[len(content) // 2] ^= 1
        folder = write(tmp_path / name, {**files, file: bytes(content)})
        refused(folder, "; fetch it again")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_missing_file_is_named(tmp_path, arrays, name):
    files = FOLDERS[name](arrays)
    gone = list(files)[3]
    del files[gone]
    words = f"{gone} missing from the (official|npm package)"
    refused(write(tmp_path / name, files), words)


BAD_PICKLES = [
    [1, 2],
    {"data": 1},
    {"labels": [1]},
    {"data": np.zeros((10, 99)), "labels": [0] * 10},
    {"data": np.zeros(5, np.uint8), "labels": [0] * 10},
    {"data": np.zeros((10, 3072), np.uint8), "labels": [10] * 10},
]


STRANGE = [
    *product(["test_lables.json"], [b"[]", b"{}", b"[300]", b"x", b'"a"']),
    *product(["data_batch_1"], [b"", b".", b"garbage"]),
    *[("data_batch_1", pickle.dumps(bad, 2)) for bad in BAD_PICKLES],
]
SHORT = ("test_batch.bin", bytes(61_459))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        *[(file, "is damaged") for file in STRANGE],
        (SHORT, "has 61,459 bytes, expected 61,460;"),
    ],
)
def test_a_strange_file_is_refused(tmp_path, arrays, file, words):
    name, content = file
    forms = (make(arrays) for make in FOLDERS.values())
    files = next(files for files in forms if name in files)
    folder = write(tmp_path / "d", {**files, name: content})
    refused(folder, f"{name} {words}")


def test_a_file_that_is_too_long_is_not_read(tmp_path, arrays):
    files = fakes.python_files(arrays)
    folder = write(tmp_path / "d", files)
    with open(folder / "data_batch_2", "wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing
    refused(folder, "expected at most")


def test_another_set_of_the_same_shape_is_refused(tmp_path, arrays):
    arrays["x_test"][0, 0, 0, 0] ^= 1
    files = fakes.binary_files(arrays)
    refused(write(tmp_path / "d", files), "x_test is damaged or not CIFAR-10")


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("height", "format", "words"),
    [(5_000, "PNG", r"\(1024, 5000\).*expected"), (10, "BMP", "")],
)
def test_another_picture_is_refused_before_it_is_decoded(
    tmp_path, arrays, monkeypatch, height, format, words
):
    """A small file can stand for a huge picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (1024, height)).save(buffer, format)
    files = {**fakes.npm_files(arrays), "data_batch_1.png": buffer.getvalue()}
    folder = write(tmp_path / "package", files)
    for name in ("PIL.Image.Image.load", "PIL.ImageFile.ImageFile.load"):
        monkeypatch.setattr(name, lambda *_: pytest.fail("it was decoded"))
    refused(folder, f"data_batch_1.png is damaged .*{words}")


# ----------------------------------- NumPy's own files, as people save them


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
