"""A set of CIFAR-10's shape, made from a seed: learnable, no download.

Each class is a smooth pattern of colors. An image shows the pattern of its
class, shifted and perhaps flipped, under a weaker one of another class, with
a random brightness and contrast, and noise. The test accuracy of a linear
model is 75 %; that of DavidNet with width 8, after two epochs of 10,000
images, 98 %.
"""

import numpy as np

CLASSES = 10
SIDE = 32
MAX_SHIFT = 8  # pixels, in each direction; twice that of the augmentation
WAVES = 3  # highest frequency of a pattern, in periods per image
TINT = 0.5  # spread of the classes' mean colors, in units of the pattern's
OTHER = 0.4  # highest weight of the other class's pattern
NOISE = 24  # largest change of a pixel, of 255
BLOCK = 1_000  # images made at a time


def make(seed: int, n_train: int, n_test: int) -> dict[str, np.ndarray]:
    """The set of this seed.

    Returns x_train (n_train, 32, 32, 3), y_train (n_train,), x_test and
    y_test, all uint8. The classes look the same in both parts; the images
    are drawn apart. A larger set of the same seed starts with the smaller.
    """
    bank = _views(_patterns(np.random.default_rng([seed, 0])))
    x_train, y_train = _draw(bank, [seed, 1], n_train)
    x_test, y_test = _draw(bank, [seed, 2], n_test)
    return {
        "x_train": x_train,
        "y_train": y_train,
        "x_test": x_test,
        "y_test": y_test,
    }


def _patterns(rng: np.random.Generator) -> np.ndarray:
    """A random sum of waves for each class and color.

    Returns (10, 32, 32, 3) float32 with standard deviation 1 per pattern
    and color, about a tint; what leaves on one side comes in on the other.
    """
    waves = np.zeros((CLASSES, 3, SIDE, SIDE), complex)
    low = np.r_[0 : WAVES + 1, -WAVES:0]
    shape = (CLASSES, 3, len(low), len(low), 2)
    waves[:, :, low[:, None], low] = rng.normal(size=shape) @ [1, 1j]
    waves[:, :, 0, 0] = 0
    images = np.fft.ifft2(waves).real
    images /= images.std(axis=(2, 3), keepdims=True)
    images += TINT * rng.normal(size=(CLASSES, 3, 1, 1))
    # Rounded, so that other versions of NumPy cannot differ in a last bit.
    return (images.transpose(0, 2, 3, 1) * 64).round().astype(np.float32) / 64


def _views(patterns: np.ndarray) -> np.ndarray:
    """Every shift, plain and flipped: (10, 578, 32, 32, 3) float32."""
    shifts = range(-MAX_SHIFT, MAX_SHIFT + 1)
    views = [
        np.roll(plane, (down, right), axis=(1, 2))
        for plane in (patterns, patterns[:, :, ::-1])
        for down in shifts
        for right in shifts
    ]
    return np.stack(views, axis=1)


def _draw(
    bank: np.ndarray, seed: list[int], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """n images of `bank` and their labels, block by block."""
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    labels = np.empty(n, np.uint8)
    for start in range(0, n, BLOCK):
        rng = np.random.default_rng([*seed, start])
        block_images, block_labels = _block(bank, rng)
        rows = slice(start, start + BLOCK)
        images[rows] = block_images[: n - start]
        labels[rows] = block_labels[: n - start]
    return images, labels


def _block(
    bank: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """BLOCK images, (BLOCK, 32, 32, 3) uint8, and labels, (BLOCK,) uint8."""
    labels = rng.integers(CLASSES, size=BLOCK)
    others = (labels + rng.integers(1, CLASSES, size=BLOCK)) % CLASSES
    views = rng.integers(bank.shape[1], size=(2, BLOCK))
    one_each = (BLOCK, 1, 1, 1)
    contrast = rng.uniform(20, 40, one_each).astype(np.float32)
    weight = rng.uniform(0, OTHER, one_each).astype(np.float32)
    light = rng.uniform(-30, 30, (BLOCK, 1, 1, 3)).astype(np.float32)
    noise = rng.integers(
        -NOISE, NOISE + 1, (BLOCK, SIDE, SIDE, 3), dtype=np.int8
    )
    images = bank[labels, views[0]] + weight * bank[others, views[1]]
    images = 128 + light + contrast * images + noise
    return images.clip(0, 255).astype(np.uint8), labels.astype(np.uint8)
