"""The learning rate: its corners, its lines and the division by the batch."""

import numpy as np
import pytest

from common.recipe import PRESETS, Recipe
from common.schedule import lr_at, lr_table, step_lr, sum_decay

RECIPE = PRESETS["dawnbench"]
# One interpolation and one division in float64: a few units in the last
# place (2e-16).
REL = 1e-15


@pytest.mark.parametrize(
    ("epochs", "peak"), [(4, 1), (8, 1), (9, 2), (24, 5), (30, 6)]
)
def test_the_peak_comes_after_a_fifth(epochs, peak):
    recipe = Recipe(epochs=epochs)
    assert [lr_at(e, recipe) for e in (0, peak, epochs)] == [0, 0.4, 0]
    assert lr_at(peak - 0.01, recipe) < 0.4 > lr_at(peak + 0.01, recipe)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_training_below_four_epochs_only_comes_down(epochs):
    recipe = Recipe(epochs=epochs)
    assert lr_at(0, recipe) == 0.4
    assert lr_at(epochs / 2, recipe) == pytest.approx(0.2, rel=REL)
    assert lr_at(epochs, recipe) == 0


def test_the_table_has_one_rate_for_each_of_2352_updates():
    table = lr_table(RECIPE)
    assert table.shape == (2352,)
    assert table.dtype == np.float64
    assert list(table) == [step_lr(s, RECIPE) for s in range(2352)]


def test_the_table_is_two_straight_lines():
    steps = np.arange(2352)
    up, down = steps / 490, (2352 - steps) / (2352 - 490)
    expected = np.minimum(up, down) * 0.4 / 512
    # Absolute, beside the peak: the end is a small difference.
    np.testing.assert_allclose(
        lr_table(RECIPE), expected, rtol=0, atol=1e-14 * 0.4 / 512
    )


def test_a_short_epoch_counts_its_short_batch():
    """Steps per epoch are 4, not 3.5 or 3: the peak falls on step 4."""
    recipe = Recipe(epochs=4, train_images=350, batch_size=100)
    assert int(lr_table(recipe).argmax()) == 4
    assert len(lr_table(recipe)) == 16


@pytest.mark.parametrize("preset", PRESETS)
def test_the_table_of_every_preset_covers_its_training(preset):
    recipe = PRESETS[preset]
    table = lr_table(recipe)
    assert len(table) == recipe.total_steps
    assert table.max() == recipe.peak_lr / recipe.batch_size
    assert (table[1:] > 0).all()


def test_the_decay_beside_a_sum_counts_every_image():
    assert sum_decay(RECIPE) == 5e-4 * 512
    assert sum_decay(Recipe(weight_decay=0.25, batch_size=8)) == 2.0
