"""Loading the small set, and what a test of it looks at."""

import numpy as np
import pytest

from common.cifar10 import cache
from common.cifar10.load import load_data
from common.recipe import Recipe, Run

RECIPE = Recipe(train_images=30, test_images=12, batch_size=10)
KEPT = [
    *("cache.lock", "manifest.json"),
    *("x_test.npy", "x_train.npy", "y_test.npy", "y_train.npy"),
]


def load(say=lambda _: None, data_dir=None, **flags):
    """Load the data with these flags of a run."""
    data_dir = str(data_dir) if data_dir else None
    return load_data(RECIPE, Run(data_dir=data_dir, **flags), say)


def loaded(arrays, say=lambda _: None, **flags):
    """What is loaded with these flags; it is as it should be."""
    data = load(say, **flags)
    np.testing.assert_array_equal(data.train.images, arrays["x_train"][:30])
    np.testing.assert_array_equal(data.train.labels, arrays["y_train"][:30])
    np.testing.assert_array_equal(data.test.images, arrays["x_test"][:12])
    np.testing.assert_array_equal(data.test.labels, arrays["y_test"][:12])
    assert data.sha256 == cache.checksums.array_sha256(arrays)
    return data


def fails(error, words, say=lambda _: None, **flags):
    """It ends with one line that has these words, and leaves no half."""
    with pytest.raises(error, match=words) as caught:
        load(say, **flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fill(root, arrays):
    """A cache with the data, in a folder; its path."""
    (root / "cifar10").mkdir(parents=True)
    cache.write_cache(root / "cifar10", arrays, "a test")
    return root / "cifar10"


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
