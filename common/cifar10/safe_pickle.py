"""The official pickles of CIFAR-10, read without running anything in them.

A pickle is a program that may call any function it can name. The official
files name three, all of numpy, to rebuild one array. Here those names lead
to stand-ins that only keep what they are given; every other name is refused.
"""

import io
import pickle

import numpy as np

from common.errors import DataError


class _Array:
    """Takes the place of numpy.ndarray: keeps the state it is given."""

    def __setstate__(self, state: tuple) -> None:
        _, self.shape, self.dtype, self.fortran_order, self.content = state

    def to_numpy(self) -> np.ndarray:
        """The array, uint8."""
        if self.fortran_order or self.dtype.code not in ("u1", b"u1"):
            raise ValueError("the array is not of bytes in C order")
        content = self.content
        if isinstance(content, str):
            content = content.encode("latin1")
        return np.frombuffer(content, np.uint8).reshape(self.shape)


class _Dtype:
    """Takes the place of numpy.dtype: keeps its code, such as "u1"."""

    def __init__(self, code: str | bytes, *_: object):
        self.code = code

    def __setstate__(self, state: tuple) -> None:
        """Byte order and the like mean nothing for single bytes."""


def _reconstruct(*_: object) -> _Array:
    """Takes the place of numpy's function of that name."""
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    """Takes the place of _codecs.encode: how Python 3 writes bytes."""
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataError(
                f"asks to call {module}.{name}, which no CIFAR-10 file "
                "does; it was not called"
            ) from None


def read_pickle(content: bytes) -> dict:
    """The dictionary in an official CIFAR-10 pickle.

    Its `data` is an (n, 3072) uint8 array; its keys are text.
    Raises DataError if the pickle names any function it has no need of,
    and, like `pickle`, nearly any other error if it is damaged.
    """
    # Python 2 wrote the files; its strings come out as text, byte for byte.
    batch = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    batch = {
        key.decode("latin1") if isinstance(key, bytes) else key: value
        for key, value in batch.items()
    }
    batch["data"] = batch["data"].to_numpy()
    return batch
