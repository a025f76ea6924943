"""The official pickles: read, and nothing in them is run."""

import os
import pickle

import numpy as np
import pytest

from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_reading import assert_same, read, refused, write


def test_the_pickles_of_python_2_are_read(tmp_path, arrays):
    files = {
        name: fakes.python2_pickle(fakes.planes(x), y.tolist())
        for name, x, y in fakes.parts(arrays)
    }
    # The fake is what it should be: true unpickling gives the same.
    name, x, _ = next(fakes.parts(arrays))
    truth = pickle.loads(files[name], encoding="latin1")
    np.testing.assert_array_equal(truth["data"], fakes.planes(x))
    assert_same(read(write(tmp_path / "d", files)), arrays)


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
        assert_same(read(place), arrays)
    else:
        # Another way of rebuilding arrays, which no official file uses.
        refused(place, "asks to call numpy")


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
