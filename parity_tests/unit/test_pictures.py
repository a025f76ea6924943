"""Picture files of all kinds, as images of CIFAR-10's kind."""

import numpy as np
import pytest
from PIL import Image

from common import pictures
from common.errors import DataError
from common.pictures import read_picture

RED = (255, 0, 0)


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (64, 200), (300, 31)])
def test_any_size_becomes_32_by_32(tmp_path, size):
    path = saved(tmp_path / "a.png", Image.new("RGB", size, RED))
    found = read_picture(path)
    assert (found.shape, found.dtype) == ((32, 32, 3), np.uint8)
    assert (found == RED).all()


def test_an_image_of_its_own_size_is_not_changed(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    np.testing.assert_array_equal(read_picture(path), pixels)


def test_the_middle_square_is_taken_and_pixels_are_averaged(tmp_path):
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96:2] = 200  # every other column of the middle
    pixels[:, :32] = 77  # beside it
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    assert (read_picture(path) == 100).all()


@pytest.mark.parametrize(
    ("picture", "color"),
    [
        (Image.new("L", (40, 40), 90), (90, 90, 90)),
        (Image.new("1", (40, 40), 1), (255, 255, 255)),
        (Image.new("P", (40, 40), 0), (0, 0, 0)),
        (Image.new("RGBA", (40, 40), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (40, 40), (255, 0, 0, 255)), RED),
        (Image.new("LA", (40, 40), (10, 0)), (255, 255, 255)),
        (Image.new("I;16", (40, 40), 65_535), (255, 255, 255)),
        (Image.new("I;16", (40, 40), 257 * 10), (10, 10, 10)),
    ],
)
def test_gray_transparent_and_deep_pictures(tmp_path, picture, color):
    found = read_picture(saved(tmp_path / "a.png", picture))
    assert (found == color).all()


@pytest.mark.parametrize(("mode", "dtype"), [("I;16", "<u2"), ("I;16B", ">u2")])
def test_16_bits_are_of_65535_in_either_byte_order(tmp_path, mode, dtype):
    gray = np.full((40, 40), 20 << 8, dtype)
    picture = Image.frombytes(mode, (40, 40), gray.tobytes())
    path = saved(tmp_path / "a.tif", picture)
    assert (read_picture(path) == 20).all()


def test_what_is_below_black_is_black(tmp_path):
    values = np.full((40, 40), -5, np.int32)
    values[:, :20] = 100
    path = saved(tmp_path / "a.tif", Image.fromarray(values, "I"))
    found = read_picture(path)
    assert (found[:, 0] == 255).all() and (found[:, -1] == 0).all()


def test_what_the_camera_says_may_be_damaged(tmp_path):
    path = tmp_path / "a.png"
    picture = Image.new("RGB", (40, 40), RED)
    picture.save(path, exif=b"MM\0+")
    with pytest.raises(DataError, match="png: damaged"):
        read_picture(path)


def test_cmyk_animations_and_a_turned_camera(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.new("CMYK", (40, 40), (0, 0, 0, 0)))
    assert (read_picture(path) == 255).all()
    frames = [Image.new("RGB", (40, 40), c) for c in (RED, (0, 0, 255))]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert (read_picture(path) == RED).all()
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16] = 255  # white above, black below
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera stood on its head
    path = saved(tmp_path / "b.png", Image.fromarray(pixels), exif=exif)
    assert (read_picture(path)[:16] == 0).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"<svg></svg>", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "not a picture|damaged"),
    ],
)
def test_what_is_no_picture_is_one_line(tmp_path, content, reason):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as found:
        read_picture(path)
    assert "\n" not in str(found.value)


def test_damaged_missing_and_huge_pictures_are_one_line(tmp_path, monkeypatch):
    whole = saved(tmp_path / "a.jpg", Image.new("RGB", (400, 400), RED))
    for end in range(100, whole.stat().st_size, 97):
        part = tmp_path / "part.jpg"
        part.write_bytes(whole.read_bytes()[:end])
        with pytest.raises(DataError) as found:
            read_picture(part)
        assert "\n" not in str(found.value)
    for place, reason in ((tmp_path, "directory"), ("nowhere", "No such")):
        with pytest.raises(DataError, match=reason):
            read_picture(tmp_path / place)
    monkeypatch.setattr(pictures, "LARGEST", 100)
    with pytest.raises(DataError, match="400 x 400 pixels, more than 100"):
        read_picture(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match="too many pixels"):
        read_picture(whole)
