"""The random choices of an epoch.

Statistical limits here are passed by chance at most once in 10,000 tries
(a p-value of 1e-4; 4.5 standard errors: 7e-6). The seeds are fixed: a test
that passes today passes always, and a biased draw fails it by far.
"""

import dataclasses

import numpy as np
import pytest
import scipy.stats

from common.draws import Draws, dropout_seed, epoch_draws
from common.recipe import PRESETS, Recipe

FULL = PRESETS["dawnbench"]
N = 50_000
FALSE_ALARM = 1e-4
FIELDS = [field.name for field in dataclasses.fields(Draws)]


@pytest.fixture(scope="module")
def draws():
    return epoch_draws(0, 0, FULL)


def assert_uniform(cells, count):
    """Chi-square of integers 0 to count - 1, all equally likely."""
    seen = np.bincount(cells, minlength=count)
    assert len(seen) == count, "a value above the range"
    assert seen.min() > 0, "a value that never comes"
    assert scipy.stats.chisquare(seen).pvalue > FALSE_ALARM


def assert_independent(a, b):
    """Chi-square of how often each pair of values comes."""
    count = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(count, (a, b), 1)
    assert scipy.stats.chi2_contingency(count).pvalue > FALSE_ALARM


@pytest.mark.parametrize("field", FIELDS)
def test_every_image_has_a_choice_of_its_own(draws, field):
    value = getattr(draws, field)
    assert value.shape == (N,)
    assert value.dtype == (bool if field == "flip" else np.int32)
    # One draw for a batch, or for all, would be constant over long runs;
    # of neighbors, no more than half agree (flip), and 4.5 errors.
    agree = (value[1:] == value[:-1]).mean()
    assert agree < 0.5 + 4.5 * 0.5 / np.sqrt(N)
    assert len(draws) == N


def test_the_order_is_a_permutation_of_all_images(draws):
    np.testing.assert_array_equal(np.sort(draws.order), np.arange(N))
    # Unrelated to the order on disk; the standard error is 1/sqrt(n).
    related = np.corrcoef(draws.order, np.arange(N))[0, 1]
    assert abs(related) < 4.5 / np.sqrt(N)


@pytest.mark.parametrize(("name", "places"), [("crop", 9), ("cutout", 25)])
def test_all_places_are_equally_likely(draws, name, places):
    """Of cutout's 8 pixels in 32: rows 0 to 24, wholly inside."""
    top, left = (getattr(draws, f"{name}_{side}") for side in ("top", "left"))
    assert_uniform(top * places + left, places**2)
    assert (top.min(), top.max()) == (0, places - 1)
    assert (left.min(), left.max()) == (0, places - 1)


def test_half_of_the_images_are_flipped(draws):
    assert abs(draws.flip.mean() - 0.5) < 4.5 * 0.5 / np.sqrt(N)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (one, other)
        for place, one in enumerate(FIELDS[1:])
        for other in FIELDS[place + 2 :]
    ],
)
def test_the_choices_of_an_image_do_not_hang_together(draws, one, other):
    assert_independent(
        *(getattr(draws, name).astype(int) for name in (one, other))
    )


@pytest.mark.parametrize("field", FIELDS[1:])
def test_the_choices_of_neighbours_do_not_hang_together(draws, field):
    value = getattr(draws, field).astype(int)
    # Pairs that do not overlap: independent, as the test wants them.
    assert_independent(value[0::2], value[1::2])


def test_the_same_seed_and_epoch_give_the_same_choices(draws):
    again = epoch_draws(0, 0, FULL)
    for field in FIELDS:
        np.testing.assert_array_equal(
            getattr(draws, field), getattr(again, field)
        )


@pytest.mark.parametrize("field", FIELDS)
def test_other_seeds_and_epochs_give_other_choices(draws, field):
    """They agree with seed 0, epoch 0 and each other as often as chance."""
    options = {"order": N, "flip": 2, "crop_top": 9, "crop_left": 9}
    chance = 1 / options.get(field, 25)
    limit = chance + 4.5 * np.sqrt(chance / N) + 5 / N  # 5: for the order
    found = [
        getattr(epoch_draws(seed, epoch, FULL), field)
        for seed, epoch in ((1, 0), (0, 1), (1, 2), (2, 1), (23, 0))
    ]
    found.append(getattr(draws, field))
    for place, one in enumerate(found):
        for other in found[:place]:
            assert (one == other).mean() < limit


def test_the_choices_of_a_seed_and_epoch_stay_what_they_were():
    """The rule of the streams, written out: records stay repeatable."""
    recipe = Recipe(train_images=100, batch_size=10)
    found = epoch_draws(7, 3, recipe)
    streams = [
        np.random.default_rng(child)
        for child in np.random.SeedSequence([7, 3]).spawn(6)
    ]
    np.testing.assert_array_equal(found.order, streams[0].permutation(100))
    crop = [(1, "crop_top", 9), (2, "crop_left", 9)]
    cutout = [(4, "cutout_top", 25), (5, "cutout_left", 25)]
    for stream, field, high in crop + cutout:
        expected = streams[stream].integers(high, size=100, dtype=np.int32)
        np.testing.assert_array_equal(getattr(found, field), expected)
    expected = streams[3].integers(2, size=100, dtype=np.int8)
    np.testing.assert_array_equal(found.flip, expected)


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({"cutout_size": 0}, ["cutout_top", "cutout_left"]),
        ({"pad_each_side": 2}, ["crop_top", "crop_left"]),
        ({"batch_size": 64}, []),
        ({"width": 8, "epochs": 2, "dropout_rate": 0.05}, []),
    ],
    ids=str,
)
def test_a_field_of_the_recipe_changes_only_its_own_draws(draws, change, moved):
    other = epoch_draws(0, 0, dataclasses.replace(FULL, **change))
    for field in FIELDS:
        same = np.array_equal(getattr(draws, field), getattr(other, field))
        assert same == (field not in moved), field


@pytest.mark.parametrize(
    ("name", "change"),
    [("crop", {"pad_each_side": 0}), ("cutout", {"cutout_size": 32})],
)
def test_where_only_one_place_is_it_is_taken(name, change):
    draws = epoch_draws(0, 0, dataclasses.replace(FULL, **change))
    assert not getattr(draws, f"{name}_top").any()
    assert not getattr(draws, f"{name}_left").any()


def test_batches_are_97_full_ones_and_a_short_one(draws):
    parts = list(draws.batches(512))
    assert [len(part) for part in parts] == [512] * 97 + [336]
    assert len(parts) == FULL.steps_per_epoch
    evenly = epoch_draws(0, 0, PRESETS["smoke"])
    assert [len(part) for part in evenly.batches(512)] == [512] * 4
    for field in FIELDS:
        joined = np.concatenate([getattr(part, field) for part in parts])
        np.testing.assert_array_equal(joined, getattr(draws, field))


def test_a_part_of_the_draws_is_every_field_from_start_to_stop(draws):
    part = draws.part(3, 10)
    assert len(part) == 7
    for field in FIELDS:
        np.testing.assert_array_equal(
            getattr(part, field), getattr(draws, field)[3:10]
        )


# --- The seed of the dropout masks -----------------------------------------


def test_each_step_and_run_has_a_dropout_seed_of_its_own():
    """2,352 steps of two runs; 32 bits collide by chance once in 400."""
    seeds = [dropout_seed(run, step) for run in (0, 1) for step in range(2352)]
    assert len(set(seeds)) == len(seeds)
    assert dropout_seed(1, 2) != dropout_seed(2, 1)


def test_a_dropout_seed_is_a_plain_integer_that_uses_all_32_bits():
    seeds = [dropout_seed(0, step) for step in range(2352)]
    assert all(type(seed) is int for seed in seeds)
    assert min(seeds) >= 0
    assert max(seeds) < 2**32
    # All of 2,352 below 99 %, or above 1 %: 1e-10 by chance.
    assert max(seeds) > 0.99 * 2**32
    assert min(seeds) < 0.01 * 2**32


def test_the_dropout_seed_of_a_step_stays_what_it_was():
    """A run that is resumed, later and elsewhere, draws the same masks.

    NumPy promises that SeedSequence gives the same numbers for ever.
    """
    expected = np.random.SeedSequence([7, 3]).generate_state(1)
    assert dropout_seed(7, 3) == expected[0]
