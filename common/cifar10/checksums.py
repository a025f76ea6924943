"""What CIFAR-10 is: four arrays, known by their checksums.

Data from any source are accepted if and only if the bytes of these arrays
have these SHA-256 checksums.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Arrays = dict[str, np.ndarray]  # by name, as in Expected.shapes


@dataclass(frozen=True)
class Expected:
    """The sizes of the set, and the checksum of each array."""

    train_images: int
    test_images: int
    sha256: Mapping[str, str]  # of its bytes, by name

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array by name; all are uint8, in C order."""
        return {
            "x_train": (self.train_images, 32, 32, 3),
            "y_train": (self.train_images,),
            "x_test": (self.test_images, 32, 32, 3),
            "y_test": (self.test_images,),
        }


EXPECTED = Expected(
    train_images=50_000,
    test_images=10_000,
    sha256={
        "x_train": (
            "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a"
        ),
        "y_train": (
            "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253"
        ),
        "x_test": (
            "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04"
        ),
        "y_test": (
            "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5"
        ),
    },
)


def array_sha256(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The SHA-256 of the bytes of each array, in C order, by name."""
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        for name, array in arrays.items()
    }


def what_is_wrong(arrays: Mapping[str, np.ndarray]) -> str:
    """Why `arrays` are not CIFAR-10, in half a sentence; "" if they are."""
    for name, shape in EXPECTED.shapes().items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.uint8:
            return (
                f"{name} is {array.dtype} of shape {array.shape}, "
                f"expected uint8 of shape {shape}"
            )
    for name, found in array_sha256(arrays).items():
        wanted = EXPECTED.sha256[name]
        if found != wanted:
            return (
                f"{name} is damaged or not CIFAR-10: its SHA-256 is "
                f"{found[:12]}..., expected {wanted[:12]}..."
            )
    return ""
