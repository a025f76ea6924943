"""The cases of the ladder go beyond what a training is usually given."""

from dataclasses import fields, replace

import pytest

from common.recipe import PRESETS, Recipe
from parity_tests.harness.cases import NET, RECIPES
from parity_tests.rungs import rung2_data, rung4_forward, rung6_optimizer
from parity_tests.rungs.rung4_dropout import RATES

OF_THE_LADDER = [
    *RECIPES.values(),
    rung2_data.OTHER,
    *(replace(NET, dropout_rate=rate) for rate in RATES),
    *(recipe for _, recipe in rung4_forward.BEYOND.values()),
    *(recipe for recipe, _ in rung6_optimizer.plans().values()),
]


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_each_field_of_a_recipe_has_a_value_that_no_preset_has(field):
    """Else a framework could have the presets' number in its place."""
    usual = {getattr(recipe, field) for recipe in PRESETS.values()}
    assert {getattr(recipe, field) for recipe in OF_THE_LADDER} - usual
