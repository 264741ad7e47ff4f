"""A stranger's file, read within bounds, and what is in it: a picture opened safely, the header of an array.

Whatever cannot be used raises `InvalidInput` with a sentence that says what was wrong and what to do; its field is the
one that the caller names.
"""

import io
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from ganlab.config import InvalidInput

MOST_BYTES = 20 << 20
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 16_384  # pixels of an uploaded picture
FORMATS = ("PNG", "JPEG", "WEBP")  # named, so that Pillow's readers of EPS, PSD, TIFF and others are never reached
ORIENTATION = ExifTags.Base.Orientation
NO_PICTURE = "is not a readable PNG, JPEG or WebP picture; it may be damaged or of another kind"


def read_file(path: str | os.PathLike[str], field: str) -> bytes:
    """The whole of a regular file of at most 20 MB; a larger one is refused before it is read."""
    try:
        status = os.stat(path)
        regular, size = stat.S_ISREG(status.st_mode), status.st_size
        data = Path(path).read_bytes() if regular and size <= MOST_BYTES else b""
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        raise InvalidInput(field, "could not be opened; choose it again") from None
    if not regular:
        raise InvalidInput(field, "is not a file; choose a single file")
    if size > MOST_BYTES:
        raise InvalidInput(field, f"is {size / 2**20:,.1f} MB large; at most 20 MB are read")
    if not data:
        raise InvalidInput(field, "is empty (0 bytes)")
    return data


def open_picture(data: bytes, field: str, enough: int) -> Image.Image:
    """The first frame of a PNG, JPEG or WebP picture of at most 40 megapixels, turned as its EXIF says.

    Of mode L or RGB, or RGBA where something can be seen through; 16 bits are scaled to 8. A JPEG may come at a
    fraction of its size, which is quicker to decode, with both sides at least `enough` pixels long.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:  # reads the header only
            width, height = image.size
            if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
                raise InvalidInput(
                    field, f"has {width:,} x {height:,} pixels; at most 40 megapixels are read: make it smaller"
                )
            image.draft(None, (enough, enough))
            image.load()
            turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
            plain = eight_bits(image)
            return plain if turn is None else plain.transpose(turn)
    except InvalidInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidInput(field, "has too many pixels; at most 40 megapixels are read: make it smaller") from None
    except Exception as error:  # on damaged files Pillow raises nearly every kind there is
        raise InvalidInput(field, NO_PICTURE) from error


def eight_bits(image: Image.Image) -> Image.Image:
    """A loaded picture of any mode as L, RGB or RGBA."""
    if image.mode.startswith("I"):  # 16 bits
        grey = (np.asarray(image).astype(np.float64) / 257).round().clip(0, 255)
        return Image.fromarray(grey.astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def on_white(image: Image.Image) -> Image.Image:
    """A picture without transparency: what lies behind it is white."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def npy_header(stream: io.BufferedIOBase, field: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the real numbers that a .npy file says to hold; nothing of that size is made yet."""
    try:
        version = np.lib.format.read_magic(stream)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = reader[version](stream)
    except Exception as error:  # a header is Python source, and numpy raises nearly all that its tokenizer does
        raise InvalidInput(field, "is a damaged .npy file, or one of an unknown version; save it again") from error
    if dtype.hasobject:
        raise InvalidInput(field, "is a .npy file of Python objects, which are not read; save an array of numbers")
    if dtype.kind not in "fiu":
        raise InvalidInput(field, f"holds {str(dtype)[:40]} values; save an array of real numbers")
    return shape, dtype


TURNS: dict[int, Image.Transpose] = {  # EXIF orientation: what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
