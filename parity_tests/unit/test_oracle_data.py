"""The oracle's image arithmetic against NumPy's own and by hand."""

import dataclasses

import numpy as np
import pytest

from common.draws import epoch_draws
from common.recipe import Recipe
from parity_tests.oracle import data as od

RECIPE = Recipe(train_images=40, batch_size=8, cutout_size=8)


@pytest.fixture(scope="module")
def images():
    """(40, 32, 32, 3) uint8, random: no two places look alike for long."""
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(40, 32, 32, 3), dtype=np.uint8)


def test_normalize_by_hand():
    recipe = Recipe(pixel_mean=(100.0, 50.0, 0.0), pixel_std=(10.0, 4.0, 2.0))
    image = np.array([[[[120, 40, 255]]]], np.uint8)
    out = od.normalize(image, recipe)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, [[[[2.0, -2.5, 127.5]]]])


@pytest.mark.parametrize("each_side", [0, 1, 4, 31])
def test_pad_is_numpys_reflect(images, each_side):
    recipe = dataclasses.replace(RECIPE, pad_each_side=each_side)
    width = (each_side, each_side)
    expected = np.pad(images, ((0, 0), width, width, (0, 0)), mode="reflect")
    np.testing.assert_array_equal(od.pad(images, recipe), expected)


@pytest.mark.parametrize("size", [0, 1, 8, 32])
def test_cutout_blanks_one_square_and_nothing_else(size):
    recipe = dataclasses.replace(RECIPE, cutout_size=size)
    ones = np.ones((3, 32, 32, 3))
    top = np.array([0, (32 - size) // 2, 32 - size])
    left = top[::-1]
    out = od.cutout(ones, top, left, recipe)
    for n in range(3):
        rows, cols, _ = np.nonzero(out[n] == 0)
        assert len(rows) == 3 * size * size
        if size:
            assert (rows.min(), cols.min()) == (top[n], left[n])
            assert (rows.max(), cols.max()) == (
                top[n] + size - 1,
                left[n] + size - 1,
            )
    assert (ones == 1).all(), "the argument was changed"


@pytest.mark.parametrize("cutout_size", [0, 8])
def test_augment_pixel_by_pixel(images, cutout_size):
    """Where each pixel comes from, written as one formula."""
    recipe = dataclasses.replace(RECIPE, cutout_size=cutout_size)
    draws = epoch_draws(0, 0, recipe)
    out = od.augment(images, draws, recipe)
    assert out.dtype == np.float64
    assert 0 < draws.flip.sum() < 40
    assert len({*draws.crop_top}) == len({*draws.crop_left}) == 9

    mean, std = np.array(recipe.pixel_mean), np.array(recipe.pixel_std)
    for n in range(40):
        top, left = draws.crop_top[n] - 4, draws.crop_left[n] - 4
        hole_top, hole_left = draws.cutout_top[n], draws.cutout_left[n]
        expected = np.empty((32, 32, 3))
        for row, col in np.ndindex(32, 32):
            # abs() reflects at the first pixel, 31 - abs(31 - x) at the last.
            seen = 31 - col if draws.flip[n] else col
            y = 31 - abs(31 - abs(row + top))
            x = 31 - abs(31 - abs(seen + left))
            expected[row, col] = (images[n, y, x] - mean) / std
            if (
                0 <= row - hole_top < cutout_size
                and 0 <= col - hole_left < cutout_size
            ):
                expected[row, col] = 0
        np.testing.assert_array_equal(out[n], expected)


def test_augment_leaves_its_argument_alone(images):
    before = images.copy()
    od.augment(images, epoch_draws(0, 0, RECIPE), RECIPE)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "apply",
    [
        lambda images, few: od.crop(images, few, np.zeros(40, int)),
        lambda images, few: od.flip_lr(images, few),
        lambda images, few: od.cutout(images, few, few, RECIPE),
    ],
    ids=["crop", "flip_lr", "cutout"],
)
def test_a_choice_for_every_image_or_an_error(images, apply):
    """Never one draw for many images, nor fewer images than came in."""
    with pytest.raises(ValueError, match="shorter"):
        apply(images, np.zeros(39, int))
