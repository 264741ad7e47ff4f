"""Pictures as bytes: quick and lossless encodings, a PNG that carries its recipe, heat maps and spectra."""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganlab.config import JSON_LIMIT, InvalidInput

Pixels = npt.NDArray[np.uint8]  # [H, W, 3]
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"ganlab"  # of the chunk that holds the recipe
MOST_CHUNKS = 20_000  # a 40 megapixel PNG in pieces of 8 kB has fewer
NO_RECIPE = "carries no recipe; only pictures that were saved here do"
JPEG_QUALITY = 88
# black, violet, red, yellow, white: dark to bright also in grey
HEAT = np.array([[8, 5, 30], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 200]], dtype=np.float32)
GAP = 1  # pixels between the channels of a grid


def jpeg(image: Pixels) -> bytes:
    """A quick, small encoding for pictures that are gone in a moment."""
    return _saved(image, "JPEG", quality=JPEG_QUALITY)


def webp(image: Pixels) -> bytes:
    """Without loss, and quicker than PNG."""
    return _saved(image, "WEBP", lossless=True, method=0, quality=0)


def png(image: Pixels, recipe: str = "") -> bytes:
    """A PNG file; `recipe` (JSON) is kept in it as an uncompressed iTXt chunk named `ganlab`."""
    data = _saved(image, "PNG", compress_level=6)
    if not recipe:
        return data
    # keyword, zero, not compressed, method 0, no language, no translated keyword (PNG specification, 11.3.4.5)
    body = b"iTXt" + KEYWORD + b"\0\0\0\0\0" + recipe.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    at = len(PNG_MAGIC) + 25  # behind the header chunk, which always comes first
    return data[:at] + chunk + data[at:]


def recipe_in(data: bytes) -> str:
    """The recipe (JSON) in a PNG's bytes. No pixel is decoded, so a picture bomb costs nothing.

    Raises `InvalidInput` for another kind of file, a damaged one, and one without a recipe.
    """
    if not data.startswith(PNG_MAGIC):
        raise InvalidInput("picture", f"is not a PNG file, so it {NO_RECIPE}")
    at = len(PNG_MAGIC)
    for _ in range(MOST_CHUNKS):
        if at + 12 > len(data):
            break
        size = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        if kind == b"iTXt" and body.startswith(KEYWORD + b"\0"):
            crc = data[at + 8 + size : at + 12 + size]
            return _recipe_of(body[len(KEYWORD) + 1 :], crc == struct.pack(">I", zlib.crc32(kind + body)))
        if kind == b"IEND":
            break
        at += 12 + size
    raise InvalidInput("picture", NO_RECIPE)


def _recipe_of(body: bytes, whole: bool) -> str:
    """The text behind a chunk's keyword."""
    _, _, text = body[2:].partition(b"\0")[2].partition(b"\0")
    if not whole or body[:2] != b"\0\0":
        raise InvalidInput("picture", "carries a recipe that is damaged")
    if len(text) > 4 * JSON_LIMIT:
        raise InvalidInput("picture", "carries a recipe that is far too long")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise InvalidInput("picture", "carries a recipe that is damaged") from None


def shrunk(image: Pixels, side: int) -> Pixels:
    """The picture with its longer side at most `side` pixels."""
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def resized(image: Pixels, side: int) -> Pixels:
    """The picture with its longer side `side` pixels: enlarged smoothly, or shrunk."""
    height, width = image.shape[:2]
    if max(height, width) >= side:
        return shrunk(image, side)
    size = round(width * side / max(height, width)), round(height * side / max(height, width))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def heat_map(values: npt.NDArray[np.float32], low: float, high: float) -> Pixels:
    """Numbers [H, W] as colours, `low` dark, `high` bright; what is not finite is grey."""
    span = max(high - low, 1e-12)
    finite = np.isfinite(values)
    at = np.clip((np.where(finite, values, low) - low) / span, 0, 1) * (len(HEAT) - 1)
    base = np.minimum(at.astype(int), len(HEAT) - 2)
    part = (at - base)[..., None]
    colours = HEAT[base] * (1 - part) + HEAT[base + 1] * part
    colours[~finite] = 128
    return colours.round().astype(np.uint8)


def channel_grid(channels: npt.NDArray[np.float32], columns: int, side: int) -> Pixels:
    """Activations [C, H, W] as a grid of small pictures, each on its own scale; the whole about `side` pixels wide."""
    rows = -(-len(channels) // columns)
    cell = max(channels.shape[-1], side // columns - GAP)
    grid = np.full((rows * (cell + GAP) - GAP, columns * (cell + GAP) - GAP, 3), 128, np.uint8)
    for i, channel in enumerate(channels):
        tile = Image.fromarray(heat_map(channel, float(channel.min()), float(channel.max())))
        tile = tile.resize((cell, cell), Image.Resampling.NEAREST)
        y, x = (i // columns) * (cell + GAP), (i % columns) * (cell + GAP)
        grid[y : y + cell, x : x + cell] = np.asarray(tile)
    return grid


def log_spectrum(channels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean over channels [C, H, W] of the power spectrum in dB, zero frequency in the middle, [H, W].

    A Hann window keeps the picture's edges out of it.
    """
    height, width = channels.shape[-2:]
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    centred = channels - channels.mean((-2, -1), keepdims=True)
    power = (np.abs(np.fft.fft2(centred * window)) ** 2).mean(0)
    spectrum: npt.NDArray[np.float32] = np.fft.fftshift(10 * np.log10(power + 1e-12)).astype(np.float32)
    return spectrum


def _saved(image: Pixels, kind: str, **options: int | bool) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, kind, **options)
    return out.getvalue()
