"""A picture file of any size, made into an image as CIFAR-10 has them."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from common.draws import IMAGE_SIDE
from common.errors import DataError
from common.files import one_line

# More pixels than a camera's picture: Pillow would take gigabytes for them.
LARGEST = 100_000_000
WHITE = (255, 255, 255, 255)


def read_picture(path: Path) -> np.ndarray:
    """The middle square of a picture, in 32 x 32 pixels. (32, 32, 3) uint8

    It is turned as its camera says; what is transparent becomes white; gray
    becomes equal red, green and blue; of an animation the first picture is
    taken. Raises DataError, in one line, if it is no picture, is damaged, or
    is larger than 100 million pixels.
    """
    try:
        with warnings.catch_warnings():
            # Of sizes that are refused below anyway.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                width, height = picture.size
                if width * height > LARGEST:
                    raise DataError(
                        f"{path}: {width:,} x {height:,} pixels, more than "
                        f"{LARGEST:,}; make it smaller"
                    )
                return _to_image(picture)
    except Image.UnidentifiedImageError as error:
        raise DataError(f"{path}: not a picture that Pillow reads") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: too many pixels; make it smaller") from error
    except OSError as error:
        reason = error.strerror or f"damaged ({one_line(error)})"
        raise DataError(f"{path}: {reason}") from error
    except DataError:
        raise
    # Pillow's readers raise many kinds of errors on bytes of others.
    except Exception as error:
        raise DataError(f"{path}: damaged ({one_line(error)})") from error


def _to_image(picture: Image.Image) -> np.ndarray:
    """An open picture as (32, 32, 3) uint8."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        # 16 bits a pixel, which Pillow would cut off at 255.
        gray = np.asarray(picture, np.float64)
        deep = picture.mode.startswith("I;16")
        top = 65_535.0 if deep else max(gray.max(), 1.0)
        gray = (gray * (255 / top)).round().clip(0, 255)  # some are signed
        picture = Image.fromarray(gray.astype(np.uint8))
    picture = picture.convert("RGBA")
    ground = Image.new("RGBA", picture.size, WHITE)
    picture = Image.alpha_composite(ground, picture).convert("RGB")
    # BOX takes the mean of the pixels that become one.
    side = (IMAGE_SIDE, IMAGE_SIDE)
    return np.asarray(ImageOps.fit(picture, side, Image.Resampling.BOX))
