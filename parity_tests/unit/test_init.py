"""The table of parameters, and the shared initial weights."""

import numpy as np
import pytest

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


# --- The table -------------------------------------------------------------


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


@pytest.mark.parametrize(("recipe", "seed"), [(Recipe(width=2), 7), (FULL, 0)])
def test_the_start_of_a_seed_stays_what_it_was(recipe, seed):
    """The rule of the streams, written out: records stay repeatable."""
    found, rows = shared_params(recipe, seed), parameter_table(recipe)
    assert list(found) == [row.name for row in rows]
    for place, row in enumerate(rows):
        wanted = np.full(row.shape, row.role in ("scale", "var"))
        if row.role == "kernel":
            bound = 1 / np.sqrt(np.prod(row.shape[:-1]))
            rng = np.random.default_rng([seed, place])
            wanted = rng.uniform(-bound, bound, row.shape)
        np.testing.assert_array_equal(
            found[row.name], wanted.astype(np.float32), row.name, strict=True
        )
