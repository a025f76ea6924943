"""The oracle's layers: forward against SciPy and by hand, backward against
finite differences, ties and zeros by hand."""

import numpy as np
import pytest
import scipy.signal
import scipy.special

from parity_tests.oracle import layers as ol

# Central differences with step h are off by h^2/6 f''' = 2e-11 f''' and by
# rounding of the sum, 2e-16 |f| / h = 2e-10 for |f| = 10. Every layer here
# has values and derivatives of order 1. Seen: 5e-11; 1e-9 leaves a factor of
# 20, and a wrong term or factor shows at 1e-3 or more.
STEP = 1e-5
DIFFERENCE = 1e-9


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def apart(*shape, seed=0):
    """Values that differ by 0.01 or more, also from 0: no kink near by."""
    count = int(np.prod(shape))
    values = (np.arange(count) - count // 2 + 0.5) / 100
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def differences(function, value):
    """d function() / d value, entry by entry, changing value in place."""
    out = np.zeros_like(value)
    for place in np.ndindex(value.shape):
        middle = value[place]
        value[place] = middle + STEP
        above = function()
        value[place] = middle - STEP
        below = function()
        value[place] = middle
        out[place] = (above - below) / (2 * STEP)
    return out


def assert_backward(layer, grad, *inputs):
    """grad(d_out, *inputs) agrees with differences, input by input.

    The loss is a weighted sum of the outputs, with all weights different.
    """
    weights = numbers(*layer(*inputs).shape, seed=99)
    found = grad(weights, *inputs)
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(inputs)
    for value, derivative in zip(inputs, found, strict=True):
        expected = differences(lambda: (layer(*inputs) * weights).sum(), value)
        assert derivative.shape == value.shape
        error = np.abs(derivative - expected).max()
        assert error <= DIFFERENCE * np.abs(expected).max()


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


@pytest.mark.parametrize(
    ("keep", "out"),
    [(np.array([True, False, True]), [2, 0, 6]), (None, [1, 2, 3])],
)
def test_dropout_zeroes_what_is_not_kept_and_scales_the_rest(keep, out):
    """Without a mask it is off, whatever the rate."""
    found = ol.dropout(np.array([1.0, 2.0, 3.0]), keep, 0.5)
    np.testing.assert_array_equal(found, out)


def test_batch_stats_divide_by_n():
    images = np.array([1.0, 3.0, 5.0, 7.0]).reshape(2, 2, 1, 1)
    mean, var = ol.batch_stats(images)
    assert mean == [4.0]
    assert var == [5.0]  # (9 + 1 + 1 + 9) / 4


def test_batch_stats_keep_their_digits_beside_a_large_mean():
    small = numbers(4, 4, 4, 2)
    _, var = ol.batch_stats(small + 1e6)
    # Numbers near 1e6 are stored to 1e-10; E[x^2] - E[x]^2 would be off by
    # 1e12 * 2e-16 = 2e-4.
    np.testing.assert_allclose(var, small.var((0, 1, 2)), rtol=1e-8)


def test_batch_norm_by_hand():
    images = np.array([1.0, 5.0]).reshape(1, 2, 1, 1)
    out = ol.batch_norm(images, 3.0, 12.0, 6.0, 7.0, 4.0)
    # (1 - 3) / sqrt(12 + 4) * 6 + 7, and (5 - 3) / 4 * 6 + 7
    np.testing.assert_array_equal(out.ravel(), [4.0, 10.0])


def test_batch_norm_treats_channels_apart():
    images = numbers(2, 3, 3, 2)
    stats = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    affine = np.array([5.0, 6.0]), np.array([7.0, 8.0])
    out = ol.batch_norm(images, *stats, *affine, 0.1)
    for c in range(2):
        alone = ol.batch_norm(
            images[..., c], stats[0][c], stats[1][c], affine[0][c],
            affine[1][c], 0.1,
        )  # fmt: skip
        np.testing.assert_array_equal(out[..., c], alone)


def test_running_variance_is_the_unbiased_one_at_tiny_n():
    images = numbers(2, 3, 3, 4)  # n = 18: the two differ by 6 %
    mean, var = ol.running_stats(
        np.full(4, 10.0), np.full(4, 20.0), images, 0.9
    )
    new_mean = images.mean((0, 1, 2))
    new_var = images.var((0, 1, 2), ddof=1)
    # One multiplication and addition apart: a few units in the last place.
    np.testing.assert_allclose(mean, 9 + 0.1 * new_mean, rtol=1e-14)
    np.testing.assert_allclose(var, 18 + 0.1 * new_var, rtol=1e-14)


def test_max_pool_takes_squares_of_two_by_two():
    images = np.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(
        ol.max_pool(images).reshape(2, 2), [[5, 7], [13, 15]]
    )


def test_global_max_is_by_image_and_channel():
    images = apart(3, 4, 4, 2)
    expected = [[images[n, ..., c].max() for c in (0, 1)] for n in range(3)]
    np.testing.assert_array_equal(ol.global_max(images), expected)


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


def test_count_correct_counts():
    logits = np.array([[1.0, 2.0], [4.0, 3.0], [5.0, 6.0]])
    assert ol.count_correct(logits, np.array([1, 0, 0])) == 2


# --- Backward --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("conv3x3", [numbers(2, 4, 5, 2), numbers(3, 3, 2, 3, seed=1)]),
        ("relu", [apart(2, 3, 3, 2)]),
        ("max_pool", [apart(2, 4, 6, 2)]),
        ("global_max", [apart(3, 4, 4, 2)]),
        ("linear", [numbers(3, 4), numbers(4, 5, seed=1)]),
    ],
)
def test_backward(name, inputs):
    assert_backward(getattr(ol, name), getattr(ol, f"{name}_grad"), *inputs)


@pytest.mark.parametrize("off", [False, True])
def test_dropout_backward(off):
    keep = None if off else numbers(2, 3, 3, 2, seed=1) > 0
    assert_backward(
        lambda x: ol.dropout(x, keep, 0.3),
        lambda d, x: ol.dropout_grad(d, keep, 0.3),
        numbers(2, 3, 3, 2),
    )


def test_batch_norm_backward_through_mean_and_variance():
    eps = 0.5  # as large as the variance: a slip with it would show

    def layer(images, scale, bias):
        stats = ol.batch_stats(images)
        return ol.batch_norm(images, *stats, scale, bias, eps)

    def grad(d_out, images, scale, bias):
        return ol.batch_norm_grad(d_out, images, scale, eps)

    assert_backward(
        layer,
        grad,
        numbers(2, 3, 3, 2) * [1.0, 0.7] + [0.0, 3.0],
        np.array([1.5, -0.5]),
        np.array([0.1, 0.2]),
    )


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


def test_cross_entropy_backward():
    logits, labels = numbers(4, 10), np.array([0, 9, 3, 3])
    expected = differences(lambda: ol.cross_entropy(logits, labels), logits)
    np.testing.assert_allclose(
        ol.cross_entropy_grad(logits, labels), expected, rtol=0, atol=DIFFERENCE
    )
