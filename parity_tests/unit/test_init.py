"""The table of parameters, and the shared initial weights."""

import numpy as np
import pytest
import scipy.stats

from common.init import (
    conv_bn_channels,
    fan_in,
    init_bound,
    parameter_table,
    shared_params,
)
from common.recipe import PRESETS, Recipe

FULL = PRESETS["dawnbench"]
TABLE = {row.name: row for row in parameter_table(FULL)}
# Name of each kernel, its shape at width 64, and how many inputs an output
# sums over; written out, not computed.
KERNELS = {
    "prep.conv.kernel": ((3, 3, 3, 64), 27),
    "layer1.conv_bn.conv.kernel": ((3, 3, 64, 128), 576),
    "layer1.res1.conv.kernel": ((3, 3, 128, 128), 1152),
    "layer1.res2.conv.kernel": ((3, 3, 128, 128), 1152),
    "layer2.conv_bn.conv.kernel": ((3, 3, 128, 256), 1152),
    "layer3.conv_bn.conv.kernel": ((3, 3, 256, 512), 2304),
    "layer3.res1.conv.kernel": ((3, 3, 512, 512), 4608),
    "layer3.res2.conv.kernel": ((3, 3, 512, 512), 4608),
    "linear.kernel": ((512, 10), 512),
}


@pytest.fixture(scope="module")
def start():
    return shared_params(FULL, seed=0)


# --- The table -------------------------------------------------------------


def test_the_network_has_6573120_trained_numbers():
    def count(*roles):
        return sum(row.size for row in TABLE.values() if row.role in roles)

    assert count("kernel") - TABLE["linear.kernel"].size == 6_563_520
    assert count("scale", "bias") == 4_480
    assert TABLE["linear.kernel"].size == 5_120
    trained = [row for row in TABLE.values() if row.trained]
    assert sum(row.size for row in trained) == 6_573_120
    assert len(trained) == 25


def test_the_network_has_4480_running_statistics():
    kept = [row for row in TABLE.values() if not row.trained]
    assert sum(row.size for row in kept) == 4_480
    assert {row.role for row in kept} == {"mean", "var"}
    assert len(kept) == 16


def test_names_shapes_and_order_are_canonical():
    expected = []
    for kernel, (shape, _) in KERNELS.items():
        expected.append((kernel, shape, "kernel"))
        if kernel != "linear.kernel":
            place = kernel.removesuffix(".conv.kernel")
            expected += [
                (f"{place}.bn.{role}", shape[-1:], role)
                for role in ("scale", "bias", "mean", "var")
            ]
    rows = parameter_table(FULL)
    assert [(r.name, r.shape, r.role) for r in rows] == expected


def test_channels_double_from_block_to_block():
    assert conv_bn_channels(Recipe(width=5)) == {
        "prep": (3, 5),
        "layer1.conv_bn": (5, 10),
        "layer1.res1": (10, 10),
        "layer1.res2": (10, 10),
        "layer2.conv_bn": (10, 20),
        "layer3.conv_bn": (20, 40),
        "layer3.res1": (40, 40),
        "layer3.res2": (40, 40),
    }


@pytest.mark.parametrize("name", KERNELS)
def test_fan_in_and_bound_of_each_kernel(name):
    inputs = fan_in(TABLE[name].shape)
    assert inputs == KERNELS[name][1]
    # A square root and a division, each rounded once.
    assert init_bound(inputs) == pytest.approx(inputs**-0.5, rel=1e-15)


# --- The shared initial weights ---------------------------------------------


def test_the_start_has_every_tensor_of_the_table(start):
    assert list(start) == list(TABLE)
    for name, value in start.items():
        assert value.shape == TABLE[name].shape
        assert value.dtype == np.float32


def test_batch_norm_starts_at_one_and_zero(start):
    for name, value in start.items():
        if TABLE[name].role != "kernel":
            one = TABLE[name].role in ("scale", "var")
            assert (value == one).all(), name


def test_one_seed_gives_the_same_bits_each_time(start):
    again = shared_params(FULL, seed=0)
    for name, value in start.items():
        assert value.tobytes() == again[name].tobytes(), name


def test_the_start_of_a_seed_stays_what_it_was():
    """The rule of the streams, written out: records stay repeatable."""
    found = shared_params(Recipe(width=2), seed=7)
    for place, name, fan in (
        (0, "prep.conv.kernel", 27),
        (40, "linear.kernel", 16),
    ):
        bound = 1 / np.sqrt(fan)
        rng = np.random.default_rng([7, place])
        expected = rng.uniform(-bound, bound, found[name].shape)
        np.testing.assert_array_equal(found[name], expected.astype(np.float32))


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_uniform_up_to_their_bound(start, name):
    """Extremes, mean, deviation and the whole distribution.

    Each limit below is passed by chance less than once in 100,000 starts;
    the seed is fixed, so that the answer is always the same.
    """
    shape, fan = KERNELS[name]
    bound, n = fan**-0.5, int(np.prod(shape))
    values = start[name].astype(np.float64).ravel()

    # Rounding to float32 may carry a draw onto the rounded bound.
    assert np.abs(values).max() <= np.float32(bound)
    # All n further in: (1 - 12/n)^n = e^-12.
    assert np.abs(values).max() >= bound * (1 - 12 / n)
    # Deviation b/sqrt(3); standard errors: b/sqrt(3n), and for the
    # deviation, as the fourth moment is b^4/5, a share of sqrt(0.2/n).
    assert abs(values.mean()) <= 4.5 * bound / np.sqrt(3 * n)
    deviation = values.std() / (bound / np.sqrt(3))
    assert abs(deviation - 1) <= 4.5 * np.sqrt(0.2 / n)
    spread = scipy.stats.uniform(-bound, 2 * bound)
    assert scipy.stats.kstest(values, spread.cdf).pvalue >= 1e-5


def correlation(a, b):
    """In standard errors, which are 1/sqrt(n)."""
    n = a.size
    return np.corrcoef(a.ravel(), b.ravel())[0, 1] * np.sqrt(n)


def test_kernels_of_one_shape_are_drawn_apart(start):
    for block in ("layer1", "layer3"):
        first = start[f"{block}.res1.conv.kernel"]
        second = start[f"{block}.res2.conv.kernel"]
        # 4.5 standard errors: by chance once in 150,000.
        assert abs(correlation(first, second)) < 4.5


@pytest.mark.parametrize("name", KERNELS)
def test_seeds_are_drawn_apart(start, name):
    other = shared_params(FULL, seed=1)[name]
    assert abs(correlation(start[name], other)) < 4.5


def test_other_fields_of_the_recipe_do_not_change_the_start():
    one = shared_params(Recipe(width=2), 3)
    two = shared_params(Recipe(width=2, epochs=3, dropout_rate=0.1), 3)
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name])
