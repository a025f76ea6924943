"""The synthetic set: CIFAR-10's shape, fixed by its seed, learnable."""

import numpy as np
import pytest

from common.cifar10 import synthetic
from common.cifar10.checksums import array_sha256


@pytest.fixture(scope="module")
def arrays():
    return synthetic.make(seed=0, n_train=3_000, n_test=1_000)


def test_shapes_and_types_are_those_of_cifar10(arrays):
    assert {name: a.shape for name, a in arrays.items()} == {
        "x_train": (3_000, 32, 32, 3),
        "y_train": (3_000,),
        "x_test": (1_000, 32, 32, 3),
        "y_test": (1_000,),
    }
    assert {a.dtype for a in arrays.values()} == {np.dtype(np.uint8)}


def test_a_seed_means_the_same_images_on_every_machine():
    sums = array_sha256(synthetic.make(seed=7, n_train=20, n_test=10))
    assert sums["x_train"].startswith("3979ca66fa338afd")
    assert sums["y_test"].startswith("0b4ef7786501622a")


def test_a_larger_set_starts_with_the_smaller(arrays):
    small = synthetic.make(seed=0, n_train=1_234, n_test=5)
    for name, array in small.items():
        np.testing.assert_array_equal(array, arrays[name][: len(array)])


def test_seeds_and_parts_differ(arrays):
    other = synthetic.make(seed=1, n_train=1_000, n_test=1)
    assert (other["x_train"] != arrays["x_train"][:1_000]).mean() > 0.9
    assert (arrays["x_test"] != arrays["x_train"][:1_000]).mean() > 0.9


def test_every_class_is_there_about_equally_often(arrays):
    # 300 expected, standard deviation 16.4: 5 of them.
    counts = np.bincount(arrays["y_train"], minlength=10)
    assert len(counts) == 10
    assert abs(counts - 300).max() < 82


def accuracy_of_a_linear_model(train, y_train, test, y_test):
    """Ridge regression on the pixels."""

    def rows(images):
        flat = images.reshape(len(images), -1) / 64.0 - 2.0
        return np.c_[flat, np.ones(len(images))]

    a = rows(train)
    targets = np.eye(10)[y_train]
    weights = a.T @ np.linalg.solve(a @ a.T + 100 * np.eye(len(a)), targets)
    return ((rows(test) @ weights).argmax(1) == y_test).mean()


def test_a_linear_model_beats_chance_and_is_not_enough(arrays):
    # Measured: 0.70 with 3,000 images, 0.76 with 10,000.
    accuracy = accuracy_of_a_linear_model(*arrays.values())
    assert 0.4 < accuracy < 0.9


def best_match(images):
    """The class whose pattern fits best anywhere, flipped or not."""
    patterns = synthetic._patterns(np.random.default_rng([0, 0]))
    patterns = patterns - patterns.mean(axis=(1, 2), keepdims=True)
    waves = np.fft.fft2(images, axes=(1, 2))
    scores = []
    for pattern in patterns:
        found = []
        for view in (pattern, pattern[:, ::-1]):
            product = waves * np.fft.fft2(view, axes=(0, 1)).conj()
            match = np.fft.ifft2(product, axes=(1, 2)).real.sum(axis=3)
            found.append(match.max(axis=(1, 2)))
        scores.append(np.maximum(*found))
    return np.argmax(scores, axis=0)


@pytest.mark.parametrize(("top", "step"), [(4, 1), (0, -1), (8, -1)])
def test_crop_and_flip_keep_the_class(arrays, top, step):
    # The recipe's augmentation: 4 reflected pixels, a crop, a flip.
    images, labels = arrays["x_test"][:300], arrays["y_test"][:300]
    sides = [(0, 0), (4, 4), (4, 4), (0, 0)]
    padded = np.pad(images, sides, mode="reflect")
    moved = padded[:, top : top + 32, 8 - top : 40 - top][:, :, ::step]
    # Measured: 0.99 or more.
    assert (best_match(moved) == labels).mean() > 0.95
