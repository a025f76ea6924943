"""A good file of another kind is called what it is."""

import gzip
import os

import pytest

from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_reading import refused, write


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
