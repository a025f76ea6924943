"""The oracle's layers where the whole network does not reach: SciPy, ties.

`test_oracle.py` checks each layer and derivative inside of the network.
"""

import numpy as np
import pytest
import scipy.signal
import scipy.special

from parity_tests.oracle import layers as ol


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# --- Forward ---------------------------------------------------------------


def test_conv_is_scipys_correlation_with_a_border_of_zeros():
    images, kernel = numbers(2, 5, 4, 3), numbers(3, 3, 3, 6, seed=1)
    expected = np.zeros((2, 5, 4, 6))
    for n, i, o in np.ndindex(2, 3, 6):
        expected[n, :, :, o] += scipy.signal.correlate2d(
            images[n, :, :, i], kernel[:, :, i, o], mode="same"
        )
    # 27 products of order 1: rounding near 1e-15.
    np.testing.assert_allclose(
        ol.conv3x3(images, kernel), expected, rtol=0, atol=1e-13
    )


def test_batch_stats_keep_their_digits_beside_a_large_mean():
    small = numbers(4, 4, 4, 2)
    _, var = ol.batch_stats(small + 1e6)
    # Numbers near 1e6 are stored to 1e-10; E[x^2] - E[x]^2 would be off by
    # 1e12 * 2e-16 = 2e-4.
    np.testing.assert_allclose(var, small.var((0, 1, 2)), rtol=1e-8)


def test_cross_entropy_is_the_sum_of_scipys_log_softmax():
    logits, labels = numbers(5, 10), np.array([0, 9, 3, 3, 7])
    expected = -scipy.special.log_softmax(logits, axis=1)
    expected = expected[np.arange(5), labels].sum()
    # Ten terms of order 1.
    assert ol.cross_entropy(logits, labels) == pytest.approx(
        expected, rel=1e-14
    )


def test_cross_entropy_stands_large_logits():
    logits = np.array([[1e4, 0.0, -1e4]])
    assert ol.cross_entropy(logits, np.array([1])) == 1e4
    np.testing.assert_array_equal(
        ol.cross_entropy_grad(logits, np.array([1])), [[1.0, -1.0, 0.0]]
    )


# --- Backward --------------------------------------------------------------


def test_relu_passes_nothing_at_exactly_zero():
    zeros = np.array([0.0, -0.0, 1e-300])
    np.testing.assert_array_equal(
        ol.relu_grad(np.ones(3), zeros), [0.0, 0.0, 1.0]
    )


@pytest.mark.parametrize(
    ("square", "winner"),
    [
        ([[7, 7], [7, 7]], [[1, 0], [0, 0]]),
        ([[1, 7], [7, 7]], [[0, 1], [0, 0]]),
        ([[1, 2], [7, 7]], [[0, 0], [1, 0]]),
        ([[7, 2], [7, 1]], [[1, 0], [0, 0]]),
    ],
)
def test_max_pool_ties_go_to_the_first_in_row_major_order(square, winner):
    images = np.array(square, np.float64).reshape(1, 2, 2, 1)
    grad = ol.max_pool_grad(np.full((1, 1, 1, 1), 3.0), images)
    np.testing.assert_array_equal(grad.reshape(2, 2), np.multiply(winner, 3))


def test_global_max_ties_share_evenly():
    images = np.zeros((1, 4, 4, 2))
    images[0, 0, 1, 0] = images[0, 2, 3, 0] = images[0, 3, 3, 0] = 5.0
    grad = ol.global_max_grad(np.array([[6.0, 16.0]]), images)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[2, 3] = expected[3, 3] = 2.0
    # Thirds are rounded: 6 * (1/3) may miss 2 by its last place.
    np.testing.assert_allclose(grad[0, ..., 0], expected, rtol=1e-15)
    np.testing.assert_array_equal(grad[0, ..., 1], np.ones((4, 4)))
