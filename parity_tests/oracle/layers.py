"""The layers of DavidNet in plain NumPy: each one, and its derivative.

A backward function takes `d_out`, the derivative of the loss by the layer's
output, beside the layer's own inputs, and returns the derivatives by those
inputs, in their order. Nothing is remembered between the two calls.

Images are (N, H, W, C), kernels (H, W, in, out), linear (in, out). What goes
in as float64 comes out as float64.
"""

import numpy as np

Array = np.ndarray
NHW = (0, 1, 2)  # the axes that a channel's statistics run over


# --- Convolution -----------------------------------------------------------


def conv3x3(images: Array, kernel: Array) -> Array:
    """Nine shifted pictures, each times its place in the kernel.

    images: (N, H, W, c_in); kernel: (3, 3, c_in, c_out). Stride 1, one pixel
    of zeros around. Returns (N, H, W, c_out).

    Like every framework's "convolution" it is a correlation: the kernel is
    not flipped, kernel[0, 0] meets the pixel above and to the left.
    """
    n, height, width, c_in = images.shape
    padded = _zero_border(images)
    out = np.zeros((n * height * width, kernel.shape[-1]), images.dtype)
    for row in range(3):
        for col in range(3):
            shifted = padded[:, row : row + height, col : col + width]
            out += shifted.reshape(-1, c_in) @ kernel[row, col]
    return out.reshape(n, height, width, -1)


def conv3x3_grad(
    d_out: Array, images: Array, kernel: Array
) -> tuple[Array, Array]:
    """Each of the nine products, taken back: (d_images, d_kernel)."""
    n, height, width, c_in = images.shape
    d_out = d_out.reshape(n * height * width, -1)
    padded = _zero_border(images)
    d_padded = np.zeros_like(padded)
    d_kernel = np.zeros_like(kernel)
    for row in range(3):
        for col in range(3):
            place = np.s_[:, row : row + height, col : col + width]
            shifted = padded[place].reshape(-1, c_in)
            d_kernel[row, col] = shifted.T @ d_out
            d_shifted = d_out @ kernel[row, col].T
            d_padded[place] += d_shifted.reshape(images.shape)
    # What flowed into the border of zeros ends there.
    return d_padded[:, 1:-1, 1:-1], d_kernel


def _zero_border(images: Array) -> Array:
    return np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))


# --- Batch norm ------------------------------------------------------------


def batch_stats(images: Array) -> tuple[Array, Array]:
    """Mean and *biased* variance (divided by n) of each channel, (C,) both.

    In two passes: E[x^2] - E[x]^2 would lose digits to a large mean.
    """
    mean = images.mean(NHW)
    return mean, np.square(images - mean).mean(NHW)


def batch_norm(
    images: Array,
    mean: Array,
    var: Array,
    scale: Array,
    bias: Array,
    eps: float,
) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias, channel by channel.

    In training, mean and var are those of the batch; in evaluation, the
    running ones.
    """
    return (images - mean) / np.sqrt(var + eps) * scale + bias


def batch_norm_grad(
    d_out: Array, images: Array, scale: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Of the training form: (d_images, d_scale, d_bias).

    With x^ = (x - mean) / sqrt(var + eps), a pixel moves the loss in three
    ways: by itself, by the mean and by the variance of its channel. The last
    two take from d_out its mean, and its share along x^:

        d_x = scale / sqrt(var + eps) * (d_out - <d_out> - x^ <d_out x^>)

    where <> is the mean over the n values of the channel.
    """
    mean, var = batch_stats(images)
    deviation = np.sqrt(var + eps)
    normed = (images - mean) / deviation
    along = d_out - d_out.mean(NHW) - normed * (d_out * normed).mean(NHW)
    d_scale = (d_out * normed).sum(NHW)
    d_bias = d_out.sum(NHW)
    return along * scale / deviation, d_scale, d_bias


def running_stats(
    old_mean: Array, old_var: Array, images: Array, keep: float
) -> tuple[Array, Array]:
    """The running mean and variance after one batch.

    keep: share of the old value. The variance that is kept is the *unbiased*
    one, n/(n - 1) times the one that normalizes: an estimate for the images
    that are still to come.
    """
    mean, var = batch_stats(images)
    n = images[..., 0].size
    unbiased = var * n / (n - 1)
    return (
        keep * old_mean + (1 - keep) * mean,
        keep * old_var + (1 - keep) * unbiased,
    )


# --- ReLU and pooling ------------------------------------------------------


def relu(images: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(images, 0.0)


def relu_grad(d_out: Array, images: Array) -> Array:
    """Passes where the input was more than 0; at 0 itself it is 0."""
    return np.where(images > 0, d_out, 0.0)


def max_pool(images: Array) -> Array:
    """The largest of each 2x2 square: (N, H, W, C) -> (N, H/2, W/2, C)."""
    return squares(images).max(3)


def max_pool_grad(d_out: Array, images: Array) -> Array:
    """All to one winner: on ties the first, left to right, then down."""
    winner = squares(images).argmax(3)  # argmax takes the first of equals
    d_images = np.zeros_like(images)
    for place in range(4):
        row, col = divmod(place, 2)
        d_images[:, row::2, col::2] = np.where(winner == place, d_out, 0.0)
    return d_images


def squares(images: Array) -> Array:
    """The 2x2 squares in row-major order, (N, H/2, W/2, 4, C)."""
    corners = [images[:, r::2, c::2] for r in (0, 1) for c in (0, 1)]
    return np.stack(corners, axis=3)


def global_max(images: Array) -> Array:
    """The largest value of each channel: (N, H, W, C) -> (N, C)."""
    return images.max((1, 2))


def global_max_grad(d_out: Array, images: Array) -> Array:
    """Split evenly between all places that hold the maximum."""
    winners = images == images.max((1, 2), keepdims=True)
    shares = winners / winners.sum((1, 2), keepdims=True)
    return shares * d_out[:, None, None, :]


# --- Linear and loss -------------------------------------------------------


def linear(features: Array, kernel: Array) -> Array:
    """(N, in) times (in, out), no bias."""
    return features @ kernel


def linear_grad(
    d_out: Array, features: Array, kernel: Array
) -> tuple[Array, Array]:
    """(d_features, d_kernel)."""
    return d_out @ kernel.T, features.T @ d_out


def cross_entropy(logits: Array, labels: Array) -> float:
    """*Sum* over the batch of -log(softmax(logits)[label]).

    logits: (N, classes); labels: (N,) integers. The largest logit is taken
    off first, which changes nothing but keeps exp() from overflowing.
    """
    shifted = logits - logits.max(1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(1)) - right).sum())


def cross_entropy_grad(logits: Array, labels: Array) -> Array:
    """softmax(logits), minus 1 at the label."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    d_logits = shifted / shifted.sum(1, keepdims=True)
    d_logits[np.arange(len(labels)), labels] -= 1
    return d_logits


def count_correct(logits: Array, labels: Array) -> int:
    """How many images have their largest logit at the label."""
    return int((logits.argmax(1) == labels).sum())
