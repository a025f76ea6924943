"""CIFAR-10 out of NumPy's own files, as people save them."""

import numpy as np
import pytest

from parity_tests.unit.cifar10_reading import assert_same, read, refused


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
