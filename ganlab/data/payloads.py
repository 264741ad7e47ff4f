"""A user's points or small picture as a short url-safe text, so that a run with them is complete in its JSON or link.

The texts come back from strangers: reading is strict, bounded, and never unpacks more than it can use.
"""

import base64
import binascii
import zlib

import numpy as np
import numpy.typing as npt

from ganlab.config import InvalidInput

MOST_POINTS = 2000  # points in a payload: 4 bytes each, 10.7 kB as text
POINT_BOX = 2.0  # a payload's points lie in [-2, 2]^2
LARGEST_SIDE = 48  # pixels of a picture in a payload
WIDEST_TEXT = 16_000  # characters of a payload

PointArray = npt.NDArray[np.float32]
PictureArray = npt.NDArray[np.uint8]


def encode_points(points: npt.ArrayLike) -> str:
    """At most 2,000 points [N, 2] within [-2, 2] as a url-safe text: zlib of little-endian 16-bit numbers.

    Each coordinate is rounded to the nearest of 65,536 steps (6.1e-5). Wrong arrays raise `InvalidInput`.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not 1 <= len(array) <= MOST_POINTS:
        raise InvalidInput("points", f"must be from 1 to {MOST_POINTS:,} pairs of numbers")
    if not (np.abs(array) <= POINT_BOX).all():  # NaN fails too
        raise InvalidInput("points", f"must lie between {-POINT_BOX:g} and {POINT_BOX:g}")
    return _pack(np.rint((array / POINT_BOX + 1) / 2 * 65535).astype("<u2").tobytes())


def decode_points(text: str) -> PointArray:
    """The points [N, 2], float32, of `encode_points`; anything else raises `InvalidInput`."""
    raw = _unpack(text, 4 * MOST_POINTS, "points")
    if not raw or len(raw) % 4:
        raise InvalidInput("points", "is damaged: it does not hold whole points")
    steps = np.frombuffer(raw, dtype="<u2").reshape(-1, 2)  # [N, 2]
    return ((steps / 65535 * 2 - 1) * POINT_BOX).astype(np.float32)


def encode_picture(darkness: npt.ArrayLike) -> str:
    """A picture's darkness [H, W], whole numbers 0 (nothing) to 255, at most 48 x 48, as a url-safe text."""
    array = np.asarray(darkness)
    if array.ndim != 2 or min(array.shape) < 1 or max(array.shape) > LARGEST_SIDE:
        raise InvalidInput("grid", f"must have from 1 to {LARGEST_SIDE} rows and columns")
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
        raise InvalidInput("grid", "must hold whole numbers from 0 to 255")
    return _pack(bytes(array.shape) + array.astype(np.uint8).tobytes())


def decode_picture(text: str) -> PictureArray:
    """The darkness [H, W], uint8, of `encode_picture`; anything else, or an empty picture, raises `InvalidInput`."""
    raw = _unpack(text, 2 + LARGEST_SIDE**2, "grid")
    if len(raw) < 3 or max(raw[:2]) > LARGEST_SIDE or len(raw) != 2 + raw[0] * raw[1]:
        raise InvalidInput("grid", "is damaged: it does not hold a whole picture")
    array = np.frombuffer(raw, dtype=np.uint8, offset=2).reshape(raw[0], raw[1])
    if not array.any():
        raise InvalidInput("grid", "the picture is all white; dark pixels are what is learned")
    return array


def _pack(raw: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip("=")


def _unpack(text: str, most: int, field: str) -> bytes:
    """At most `most` bytes: a text that would unpack to more is refused after that many, a bomb costs nothing."""
    if len(text) > WIDEST_TEXT:
        raise InvalidInput(field, f"is {len(text):,} characters long; at most {WIDEST_TEXT:,} are read")
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, most + 1)
    except (ValueError, binascii.Error, zlib.error):
        raise InvalidInput(field, "is damaged or is not a text that ganlab wrote") from None
    if len(raw) > most:
        raise InvalidInput(field, f"holds more than the {most:,} bytes that are read")
    if not unpacker.eof or unpacker.unused_data:
        raise InvalidInput(field, "is damaged: it is cut off or something follows its end")
    return raw
