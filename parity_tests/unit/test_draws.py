"""The random choices of an epoch: the rule by which they are drawn."""

import dataclasses

import numpy as np
import pytest

from common.draws import Draws, dropout_seed, epoch_draws
from common.recipe import PRESETS, Recipe

FULL = PRESETS["dawnbench"]
FIELDS = [field.name for field in dataclasses.fields(Draws)]


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(train_images=100, batch_size=10),
        dataclasses.replace(FULL, cutout_size=0),
        dataclasses.replace(FULL, pad_each_side=2),
        dataclasses.replace(FULL, pad_each_side=0, cutout_size=32),
    ],
)
def test_the_choices_of_a_seed_and_epoch_stay_what_they_were(recipe):
    """Six streams, each uniform: records stay repeatable."""
    found, n = epoch_draws(7, 3, recipe), recipe.train_images
    children = np.random.SeedSequence([7, 3]).spawn(6)
    order, *streams = map(np.random.default_rng, children)
    crops, holes = 2 * recipe.pad_each_side + 1, 33 - recipe.cutout_size
    wanted = [order.permutation(n).astype(np.int32)]
    for stream, high in zip(
        streams, (crops, crops, 2, holes, holes), strict=True
    ):
        dtype = np.int8 if high == 2 else np.int32
        wanted.append(stream.integers(high, size=n, dtype=dtype))
    wanted[3] = wanted[3].astype(bool)
    for field, values in zip(FIELDS, wanted, strict=True):
        np.testing.assert_array_equal(
            getattr(found, field), values, field, strict=True
        )


def test_batches_are_97_full_ones_and_a_short_one():
    draws = epoch_draws(0, 0, FULL)
    parts = list(draws.batches(512))
    assert [len(part) for part in parts] == [512] * 97 + [336]
    assert len(parts) == FULL.steps_per_epoch
    evenly = epoch_draws(0, 0, PRESETS["smoke"])
    assert [len(part) for part in evenly.batches(512)] == [512] * 4
    for field in FIELDS:
        joined = np.concatenate([getattr(part, field) for part in parts])
        np.testing.assert_array_equal(joined, getattr(draws, field))


def test_the_dropout_seed_of_a_step_stays_what_it_was():
    """A run that is resumed, later and elsewhere, draws the same masks.

    NumPy promises that SeedSequence gives the same numbers for ever.
    """
    found = dropout_seed(7, 3)
    assert type(found) is int
    assert found == np.random.SeedSequence([7, 3]).generate_state(1)[0]
