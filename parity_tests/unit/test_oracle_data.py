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


@pytest.mark.parametrize(
    ("pad", "cutout_size"), [(4, 0), (4, 32), (0, 1), (31, 8)]
)
def test_augment_pixel_by_pixel(images, pad, cutout_size):
    """Where each pixel comes from, written as one formula."""
    recipe = dataclasses.replace(
        RECIPE,
        pad_each_side=pad,
        cutout_size=cutout_size,
        pixel_mean=(20.0, 200.0, 90.0),
        pixel_std=(3.0, 70.0, 11.0),
    )
    draws, before = epoch_draws(0, 0, recipe), images.copy()
    out = od.augment(images, draws, recipe)
    np.testing.assert_array_equal(images, before)
    assert out.dtype == np.float64
    assert 0 < draws.flip.sum() < 40

    mean, std = np.array(recipe.pixel_mean), np.array(recipe.pixel_std)
    for n in range(40):
        top, left = draws.crop_top[n] - pad, draws.crop_left[n] - pad
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


def test_cutout_leaves_its_argument_alone(images):
    before = images.copy()
    od.cutout(images, np.zeros(40, int), np.zeros(40, int), RECIPE)
    np.testing.assert_array_equal(images, before)
