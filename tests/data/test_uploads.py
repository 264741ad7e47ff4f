"""Files of a user: good ones of every form are read, each bad one is refused with a sentence that helps."""

import contextlib
import io
import math
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from ganlab.config import InvalidInput
from ganlab.data.payloads import decode_picture, decode_points
from ganlab.data.toy2d import DataConfig, density
from ganlab.data.uploads import read_drawing, read_picture, read_points

SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)


def written(folder: Path, data: bytes, name: str = "upload") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def picture(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def text(points: np.ndarray, mark: str, head: str = "", end: str = "\n") -> bytes:
    return (head + end.join(f"{x!r}{mark}{y!r}" for x, y in points.tolist()) + end).encode()


MOVED = SQUARE * 50 + [100, -7]
GOOD = {
    "comma": text(MOVED, ","),
    "comma, blank": text(MOVED, ", "),
    "header": text(MOVED, ",", "x,y\n"),
    "quoted header": text(MOVED, ",", '"width","height of it"\n'),
    "comment": text(MOVED, ",", "# made by hand\n\nx,y\n"),
    "header of other form": text(MOVED, "\t", "x y\n"),
    "tab": text(MOVED, "\t"),
    "semicolon": text(MOVED, ";"),
    "decimal comma": text(MOVED, ";").replace(b".", b","),
    "blanks": text(MOVED, "   "),
    "quotes": "\n".join(f'"{x}","{y}"' for x, y in MOVED).encode(),
    "windows": text(MOVED, ",", "x,y\r\n", "\r\n"),
    "old mac": text(MOVED, ",", "x,y\r", "\r"),
    "byte order mark": b"\xef\xbb\xbf" + text(MOVED, ","),
    "excel unicode": text(MOVED, "\t", "x\ty\n").decode().encode("utf-16"),
    "latin-1 header": "größe,höhe\n".encode("latin-1") + text(MOVED, ","),
    "no last newline": text(MOVED, ",").rstrip(),
    "npy": npy(MOVED),
    "npy float32": npy(MOVED.astype(np.float32)),
    "npy int": npy(MOVED.astype(int)),
    "npy fortran": npy(np.asfortranarray(MOVED)),
    "npy big-endian": npy(MOVED.astype(">f8")),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_points_are_read_and_standardised(name: str, tmp_path: Path) -> None:
    config = read_points(written(tmp_path, GOOD[name], "upload.csv"))  # a name says nothing about what is inside
    assert config.name == "points" and np.abs(decode_points(config.points) - SQUARE).max() < 1e-4
    assert density(config).sample(5, torch.Generator().manual_seed(0)).shape == (5, 2)


def test_form_is_kept_and_many_rows_are_thinned(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(30_000, 2)) * [10, 1]
    path = written(tmp_path, npy(rows))
    points = decode_points(read_points(path).points)
    assert len(points) == 2000 and read_points(path) == read_points(path)
    assert np.abs(points).max() <= 1.0001 and points[:, 0].std() / points[:, 1].std() == pytest.approx(10, rel=0.1)
    one = read_points(written(tmp_path, b"3,4"))
    assert np.abs(decode_points(one.points)).max() < 1e-4


def evil_npy() -> bytes:
    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, ("executed",)

    stream = io.BytesIO()
    np.save(stream, np.array([[Evil(), 1]], dtype=object), allow_pickle=True)
    return stream.getvalue()


def huge_header() -> bytes:
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000, 2), }"
    head = head.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


BAD_POINTS = {
    "empty": (b"", "empty"),
    "blank lines": (b"\n\n  \n", "no rows"),
    "header only": (b"x,y\n", "no rows"),
    "one column": (b"x\n1\n2\n", "line 2 has one column"),
    "three columns": (b"1,2,3\n", "line 1 has 3 columns"),
    "ragged": (b"1,2\n3,4\n5\n", "line 3 has one column"),
    "text cell": (b"x,y\n1,2\nred,4\n", "line 3: 'red' is not a number"),
    "half a header": (b"x,2\n", "line 1: 'x'"),
    "empty cell": (b"1,2\n3,\n", "line 2: an empty cell"),
    "underscore": (b"1_0,2\n", "'1_0'"),
    "nan": (b"1,2\nnan,3\n", "line 2 has a NaN"),
    "inf": (b"1,2\n3,-inf\n", "line 2 has a NaN, infinite"),
    "huge": (b"1,2\n1e300,3\n", "line 2"),
    "long line": (b"1," * 1_000_000, "line 1 is 2,000,000 characters"),
    "binary": (bytes(range(256)) * 4, "neither a text"),
    "png": (picture(Image.new("L", (8, 8))), "neither a text"),
    "zip": (b"PK\x03\x04\x00\x00" + bytes(50), "neither a text"),
    "too large": (b"1,2\n" * 5_300_000, "at most 20 MB"),
    "too many rows": (b"1,2\n" * 1_000_200, "1,000,200 rows"),
    "a row too many": (b"1,2\n" * 1_000_001, "1,000,001 rows"),
    "npy objects": (evil_npy(), "Python objects"),
    "npy strings": (npy(np.array([["a", "b"]])), "real numbers"),
    "npy complex": (npy(np.ones((3, 2), complex)), "real numbers"),
    "npy flat": (npy(np.ones(6)), r"shape \(6,\)"),
    "npy wide": (npy(np.ones((6, 3))), r"shape \(6, 3\)"),
    "npy none": (npy(np.ones((0, 2))), "no rows"),
    "npy nan": (npy(np.array([[1, 2], [math.nan, 3]])), "row 1"),
    "npy cut off": (npy(MOVED)[:-9], "cut off"),
    "npy header cut off": (npy(MOVED)[:40], "damaged"),
    "npy magic only": (b"\x93NUMPY", "damaged"),
    "npy version": (b"\x93NUMPY\x09\x00" + npy(MOVED)[8:], "version"),
    "npy header of nonsense": (b"\x93NUMPY\x01\x00\x0a\x00" + b"{'a': [(((", "damaged"),
    "npy huge": (huge_header(), "900,000,000,000 rows"),
}


@pytest.mark.parametrize("name", BAD_POINTS)
def test_bad_points_are_refused_in_a_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, words = BAD_POINTS[name]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=words) as caught:
        read_points(written(tmp_path, data))
    assert caught.value.field == "file" and len(str(caught.value)) < 200
    assert not (tmp_path / "executed").exists()


def test_ten_million_rows_are_refused_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, b"")
    with path.open("r+b") as file:
        file.truncate(120_000_000)
    start = time.perf_counter()
    with pytest.raises(InvalidInput, match=r"114\.4 MB"):
        read_points(path)
    assert time.perf_counter() - start < 0.1


@pytest.mark.parametrize("read", [read_points, read_picture])
def test_what_is_no_file(read: Callable, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path, "not a file"), (tmp_path / "pipe", "not a file"), (tmp_path / "none", "opened")):
        with pytest.raises(InvalidInput, match=words):
            read(path)
    with pytest.raises(InvalidInput, match="opened"):
        read("a\0b")


def half_black(mode: str = "L", size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Black on the left, white on the right."""
    image = Image.new("L", size, 255)
    image.paste(0, (0, 0, size[0] // 2, size[1]))
    return image.convert(mode)


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.where(np.arange(64) < 32, 0, 65535).astype(np.uint16)[None].repeat(32, 0))


def see_through() -> Image.Image:
    image = Image.new("RGBA", (64, 32), (0, 0, 0, 0))  # black, but invisible on the right
    image.paste((0, 0, 0, 255), (0, 0, 32, 32))
    return image


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    return picture(half_black().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=100)


GOOD_PICTURES = {
    "png": picture(half_black()),
    "png rgb": picture(half_black("RGB")),
    "png palette": picture(half_black("RGB").quantize(2)),
    "png one bit": picture(half_black("1")),
    "png 16 bits": picture(sixteen_bits()),
    "png rgba": picture(half_black("RGBA")),
    "png alpha": picture(see_through()),
    "png grey alpha": picture(see_through().convert("LA")),
    "png palette alpha": picture(half_black("P"), transparency=255),
    "jpeg": picture(half_black("RGB"), "JPEG", quality=100),
    "jpeg cmyk": picture(half_black("CMYK"), "JPEG", quality=100),
    "jpeg turned": turned(),
    "webp": picture(half_black("RGB"), "WEBP", lossless=True),
    "webp animated": picture(
        half_black("RGB"), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 32))], lossless=True
    ),
    "large": picture(half_black(size=(4000, 2000)), "PNG"),
}


@pytest.mark.parametrize("name", GOOD_PICTURES)
def test_good_pictures_are_read(name: str, tmp_path: Path) -> None:
    config = read_picture(written(tmp_path, GOOD_PICTURES[name], "upload.gif"))
    darkness = decode_picture(config.grid)
    assert darkness.shape == (24, 48)
    assert darkness[:, :22].min() > 245 and darkness[:, 26:].max() < 10
    assert (density(config).sample(200, torch.Generator().manual_seed(0))[:, 0] < 0.1).float().mean() > 0.95


def test_every_exif_turn_is_undone(tmp_path: Path) -> None:
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        raw = Image.fromarray(np.random.default_rng(0).integers(0, 255, (7, 5), dtype=np.uint8))
        path = written(tmp_path, picture(raw, exif=exif))
        with Image.open(path) as image:
            expected = 255 - np.asarray(ImageOps.exif_transpose(image))
        assert (decode_picture(read_picture(path).grid) == expected).all()


def test_small_and_narrow_pictures_keep_their_pixels(tmp_path: Path) -> None:
    dot = read_picture(written(tmp_path, picture(Image.new("L", (1, 1)))))
    assert decode_picture(dot.grid).tolist() == [[255]]
    strip = read_picture(written(tmp_path, picture(Image.new("L", (1, 2000)))))
    assert decode_picture(strip.grid).shape == (48, 1)


def png_of_size(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [head, b"IDAT" + zlib.compress(bytes(1000)), b"IEND"]
    packed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


BAD_PICTURES = {
    "empty": (b"", "empty"),
    "text": (b"hello, this is no picture", "not a readable"),
    "white": (picture(Image.new("RGB", (30, 30), "white")), "all white"),
    "invisible": (picture(Image.new("RGBA", (30, 30), (0, 0, 0, 0))), "all white"),
    "gif": (picture(half_black(), "GIF"), "not a readable PNG"),
    "tiff": (picture(half_black(), "TIFF"), "not a readable PNG"),
    "bmp": (picture(half_black(), "BMP"), "not a readable PNG"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not a readable PNG"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a readable PNG"),
    "cut off png": (picture(half_black())[:60], "not a readable"),
    "cut off jpeg": (picture(half_black("RGB", (640, 320)), "JPEG")[:700], "not a readable"),
    "cut off webp": (picture(half_black("RGB"), "WEBP")[:40], "not a readable"),
    "50 megapixels": (png_of_size(10_000, 5000), "10,000 x 5,000 pixels"),
    "long": (png_of_size(20_000, 10), "20,000 x 10 pixels"),
    "bomb": (png_of_size(60_000, 60_000), "too many pixels"),
    "too large": (bytes(21 << 20), "at most 20 MB"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    data, words = BAD_PICTURES[name]
    start = time.perf_counter()
    with pytest.raises(InvalidInput, match=words) as caught:
        read_picture(written(tmp_path, data, "upload.png"))
    assert caught.value.field == "picture" and len(str(caught.value)) < 200
    assert time.perf_counter() - start < 2


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow and numpy remark on what they find
def test_damaged_pictures_raise_nothing_else(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for data in (GOOD_PICTURES["png"], GOOD_PICTURES["jpeg turned"], GOOD_PICTURES["webp"], npy(MOVED)):
        for _ in range(60):
            hurt = bytearray(data)
            for place in noise.integers(0, len(hurt), 4):
                hurt[place] = noise.integers(256)
            path = written(tmp_path, bytes(hurt))
            for read in (read_picture, read_points):
                with contextlib.suppress(InvalidInput):
                    assert isinstance(read(path), DataConfig)


def test_a_drawing_is_read_and_thinned() -> None:
    config = read_drawing([[0, 0], (0.5, -1), [1, 1.0]])
    assert config.name == "drawn" and np.abs(decode_points(config.points) - [[0, 0], [0.5, -1], [1, 1]]).max() < 1e-4
    angle = np.linspace(0, 6, 9000)
    points = decode_points(read_drawing(np.stack((np.cos(angle), np.sin(angle)), 1).tolist()).points)
    assert len(points) == 2000 and np.abs(np.diff(points, axis=0)).max() < 0.01
    assert points[-1] == pytest.approx([np.cos(6), np.sin(6)], abs=1e-3)


BAD_DRAWINGS = {
    "empty": ([], "draw something first"),
    "none": (None, "list of points"),
    "text": ("abc", "list of points"),
    "numbers": ([1, 2], "point 1 must be"),
    "three": ([[0, 0], [0, 0, 0]], "point 2 must be"),
    "text inside": ([["a", 0]], "point 1"),
    "bool": ([[True, 0]], "point 1"),
    "nan": ([[math.nan, 0]], "point 1"),
    "outside": ([[0, 1.5]], "point 1"),
    "huge": ([[10**400, 0]], "point 1"),
    "too many": ([[0, 0]] * 100_001, "100,001 points"),
}


@pytest.mark.parametrize("name", BAD_DRAWINGS)
def test_bad_drawings_are_refused_in_a_sentence(name: str) -> None:
    strokes, words = BAD_DRAWINGS[name]
    with pytest.raises(InvalidInput, match=words) as caught:
        read_drawing(strokes)
    assert caught.value.field == "drawing"
