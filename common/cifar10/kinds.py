"""What a file or folder is, if it is not CIFAR-10 as this project reads it.

A good file of another kind is called by its name: to fetch it again, as one
would a damaged file, would not help.
"""

import re
from collections.abc import Collection

HEAD = 512  # bytes of a file that tell its kind
TAKES = (
    "--data-dir takes the official python or binary version, as files or as "
    "an archive, or an .npz of x_train, y_train, x_test and y_test"
)

_PARQUET = "a Parquet file, as Hugging Face publishes data sets"
_ARROW = "an Arrow file, as Hugging Face keeps data sets"
_HDF5 = "an HDF5 file"
_MATLAB = "a file of the official Matlab version"
_PICTURES = "a picture for each image, which leaves out their order"

# Kinds by how their files begin; the first that fits.
_STARTS = (
    (b"PAR1", _PARQUET),
    (b"ARROW1", _ARROW),
    (b"\xff\xff\xff\xff", _ARROW),
    (b"\x89HDF\r\n\x1a\n", _HDF5),
    (b"MATLAB 5.0 MAT-file", _MATLAB),
    (b"\x93NUMPY", "one NumPy array, of four that are needed"),
    (b"\x80", "a pickle; of the python version all six are needed"),
    (b"BZh", "a bzip2 file, to be unpacked first"),
    (b"\xfd7zXZ\x00", "an xz file, to be unpacked first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file, to be unpacked first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, to be unpacked first"),
    (b"Rar!", "a RAR archive, to be unpacked first"),
    (b"\x89PNG", "one picture"),
    (b"\xff\xd8\xff", "one picture"),
    (
        b"version https://git-lfs",
        "the pointer of Git LFS to a file, which `git lfs pull` fetches",
    ),
    (b"<!doctype html", "a web page, perhaps of a failed download"),
    (b"<html", "a web page, perhaps of a failed download"),
)

# Kinds by the names of files, in a folder or in an archive.
PICTURES = 100  # fewer may be there for another reason
_NAMES = (
    (r"cifar[-_]?100(?!\d)", "CIFAR-100, another data set"),
    (r"\.parquet$", _PARQUET),
    (r"\.arrow$", _ARROW),
    (r"\.tfrecord", "a TFRecord file, as TensorFlow Datasets keeps them"),
    (r"\.(h5|hdf5)$", _HDF5),
    (r"\.mat$", _MATLAB),
    (r"\.(png|jpe?g)$", _PICTURES),
)


def kind_of_file(head: bytes) -> str:
    """What a file is that begins so; "" if that is not known."""
    start = head.lstrip().lower() if head.lstrip()[:1] == b"<" else head
    kinds = (kind for begin, kind in _STARTS if start.startswith(begin))
    return next(kinds, "") if head else "an empty file"


def kind_of_names(names: Collection[str]) -> str:
    """What the files of these names are, with an example; "" if unknown."""
    for pattern, kind in _NAMES:
        found = [n for n in names if re.search(pattern, n, re.IGNORECASE)]
        if len(found) >= (PICTURES if kind == _PICTURES else 1):
            return f"{kind} ({min(found)})"
    return ""
