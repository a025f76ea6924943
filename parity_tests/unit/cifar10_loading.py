"""Loading the small set, and what a test of it looks at."""

import numpy as np
import pytest

from common.cifar10 import cache
from common.cifar10.load import load_data
from common.recipe import Recipe, Run

RECIPE = Recipe(train_images=30, test_images=12, batch_size=10)
CIFAR10, OFFLINE = Run(), Run(offline=True)


def fails(error, words, run=CIFAR10, say=lambda _: None):
    """It ends with one line that has these words, and leaves no half."""
    with pytest.raises(error, match=words) as caught:
        load_data(RECIPE, run, say)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_loaded(data, arrays):
    np.testing.assert_array_equal(data.train.images, arrays["x_train"][:30])
    np.testing.assert_array_equal(data.train.labels, arrays["y_train"][:30])
    np.testing.assert_array_equal(data.test.images, arrays["x_test"][:12])
    np.testing.assert_array_equal(data.test.labels, arrays["y_test"][:12])
    assert data.sha256 == cache.checksums.array_sha256(arrays)


def fill(root, arrays):
    (root / "cifar10").mkdir(parents=True)
    cache.write_cache(root / "cifar10", arrays, "a test")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
