"""Pictures as bytes: without loss where that is promised, with the recipe in a PNG, and hostile PNGs refused."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.recipe import Noise, Recipe, Source
from ganlab.render import pictures

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
RECIPE = Recipe("faces", sources=(Source(7, x=0.5),), noise=Noise("random", seed=3)).to_json()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_webp_and_png_lose_nothing_and_jpeg_little() -> None:
    for encode in (pictures.webp, pictures.png):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(IMAGE))).convert("RGB")), IMAGE)
    smooth = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None], (64, 64, 3))
    back = np.asarray(Image.open(io.BytesIO(pictures.jpeg(np.ascontiguousarray(smooth)))))
    assert np.abs(back.astype(int) - smooth).mean() < 3


def test_a_png_carries_its_recipe_and_stays_a_png() -> None:
    data = pictures.png(IMAGE, RECIPE)
    assert pictures.recipe_in(data) == RECIPE
    image = Image.open(io.BytesIO(data))
    assert np.array_equal(np.asarray(image), IMAGE)
    assert image.text["ganlab"] == RECIPE  # as any PNG reader finds it


def test_a_recipe_with_greek_letters_survives() -> None:
    text = '{"model":"ψ ü 面"}'
    assert pictures.recipe_in(pictures.png(IMAGE, text)) == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a PNG"),
        (b"\xff\xd8\xff\xe0", "not a PNG"),
        (pictures.png(IMAGE), "carries no recipe"),
        (pictures.png(IMAGE, RECIPE)[:60], "damaged"),
        (pictures.png(IMAGE, RECIPE).replace(b'"faces"', b'"fakes"'), "damaged"),
        (pictures.PNG_MAGIC + chunk(b"iTXt", b"ganlab\0\x01\0\0\0" + zlib.compress(b"x" * 10**7)), "damaged"),
        (pictures.PNG_MAGIC + chunk(b"iTXt", b"ganlab\0\0\0\0\0" + b"x" * (2 << 20)), "too long"),
        (pictures.PNG_MAGIC + chunk(b"iTXt", b"ganlab\0\0\0\0\0\xff\xfe"), "damaged"),
        (pictures.PNG_MAGIC + b"\xff\xff\xff\xff" * 100, "carries no recipe"),
        (pictures.PNG_MAGIC + chunk(b"IDAT", b"") * 100_000, "carries no recipe"),
    ],
)
def test_other_files_get_a_sentence_at_once(data: bytes, says: str) -> None:
    began = time.perf_counter()
    with pytest.raises(InvalidInput, match=says):
        pictures.recipe_in(data)
    assert time.perf_counter() - began < 0.5


def test_no_pixel_is_decoded() -> None:
    """The header claims 60,000 x 60,000 pixels; the recipe is read all the same."""
    data = pictures.png(IMAGE, RECIPE)
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    assert pictures.recipe_in(data[:8] + chunk(b"IHDR", head) + data[33:]) == RECIPE


def test_sizes() -> None:
    assert pictures.shrunk(IMAGE, 16).shape == (12, 16, 3)
    assert pictures.shrunk(IMAGE, 99) is IMAGE
    assert pictures.resized(IMAGE, 64).shape == (48, 64, 3)


def test_heat_rises_with_the_value_and_holes_are_grey() -> None:
    values = np.array([[0.0, 0.25, 0.5, 0.75, 1.0, np.nan]], np.float32)
    image = pictures.heat_map(values, 0, 1)
    light = image.astype(int).sum(-1)[0]
    assert (np.diff(light[:5]) > 0).all()
    assert (image[0, 5] == 128).all()


def test_a_grid_shows_every_channel() -> None:
    channels = np.random.default_rng(0).normal(size=(10, 4, 4)).astype(np.float32)
    assert pictures.channel_grid(channels, 4, 64).shape == (3 * 16 - 1, 4 * 16 - 1, 3)


def test_the_spectrum_of_a_wave_peaks_at_its_frequency() -> None:
    x = np.arange(64)
    wave = np.broadcast_to(np.cos(2 * np.pi * 8 * x / 64), (2, 64, 64)).astype(np.float32)
    spectrum = pictures.log_spectrum(wave)
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert row == 32 and abs(column - 32) == 8
