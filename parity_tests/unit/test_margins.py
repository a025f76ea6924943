"""Margins: what is measured, and that a case near a tie is not taken."""

import numpy as np
import pytest

from parity_tests import calm
from parity_tests.harness.cases import (
    SMALL,
    calm_seeds,
    random_images,
    random_labels,
    random_params,
)
from parity_tests.judge.check_margins import CHECKS_5, LIMIT
from parity_tests.judge.checks import Traces, run_check
from parity_tests.oracle import network as oracle
from parity_tests.oracle.margins import PLACES, lead, margins, nearest, places
from parity_tests.rungs import rung5_gradients as rung5
from parity_tests.rungs.rung4_forward import Case

CASE = rung5.calm_case("plain", calm_seeds()["5/plain"])


def test_every_float32_case_is_calm():
    found = dict(calm.look(calm_seeds()))
    assert len(found) == len(rung5.CASES) + 20
    assert all(set(one) == set(PLACES) for one in found.values())
    assert calm.refusals(calm_seeds()) == []


def test_a_case_with_biases_near_0_is_refused():
    """As those of rung 5 were: some of 50,000 ReLUs are near a tie."""
    params = random_params(SMALL, 2)
    case = Case(params, random_images(4, 16, 2), random_labels(4, 2))
    line = calm.refusal("5/plain", calm.calm_of(case))
    assert "5/plain: not calm" in line
    assert f"expected {calm.LEAST} times" in line


def test_a_seed_that_is_not_calm_is_refused():
    seeds = calm_seeds()
    seeds["7/batches"] = [seed + 1 for seed in seeds["7/batches"][:3]]
    seeds["5/zeros"] += 1
    lines = calm.refusals(seeds)
    assert lines
    assert any(line.startswith("7/") for line in lines)
    assert all("not calm" in line for line in lines)


def test_a_bias_that_brings_a_relu_to_its_tie_is_refused():
    """One number of 80,000, moved to 1e-6 from 0."""
    net = oracle.forward(CASE.params, CASE.images, SMALL, True)
    normed = net.inside["layer2.conv_bn"][2][..., 3]
    shift = normed.flat[np.abs(normed).argmin()] - 1e-6
    params = {n: a.astype(np.float64) for n, a in CASE.params.items()}
    params["layer2.conv_bn.bn.bias"][3] -= shift
    found = calm.calm_of(Case(params, CASE.images, CASE.labels))
    assert found["layer2.conv_bn"] < 1
    assert "in layer2.conv_bn" in calm.refusal("5/plain", found)


def test_the_margin_is_the_smallest_distance_that_is_not_0():
    assert nearest(np.array([0.0, -0.25, 3.0])) == 0.25
    assert nearest(np.zeros(3)) == np.inf
    assert lead(np.array([[1.0, 4.0, 3.5, 4.0]]), 1) == 0.5
    assert lead(np.ones((2, 4)), 1) == np.inf


@pytest.mark.parametrize("name", rung5.FLAT)
def test_deliberate_ties_are_exact_in_float32_too(name):
    """They are no matter of rounding: the same bits in both types."""
    case = rung5.calm_case(name, calm_seeds()[f"5/{name}"])
    (where, *_), bias = rung5.FLAT[name]
    for dtype in (np.float64, np.float32):
        net = oracle.forward(case.params, case.images, SMALL, True, dtype=dtype)
        assert (net.inside[where][2][..., ::2] == dtype(bias)).all()
    assert min(margins(net).values()) > 0


@pytest.mark.parametrize(("noise", "fails"), [(1e-9, False), (1e-3, True)])
def test_the_ladder_refuses_a_noise_that_comes_near_a_tie(noise, fails):
    """Whatever the framework or the processor that makes it."""
    net = oracle.forward(CASE.params, CASE.images, SMALL, True)
    judge, mine = {}, {}
    for place, value in places(net.activations).items():
        judge[f"5/float32/plain/inside/{place}"] = value
        mine[f"5/float32/plain/inside/{place}"] = value + noise
    for place, value in margins(net).items():
        judge[f"5/float32/plain/margin/{place}"] = np.array(value)
    row = run_check(CHECKS_5[0], Traces({"pytorch": mine}, judge))
    assert row.failed == fails
    assert (row.worst.error > LIMIT) == fails
