"""A user's file, picture or drawing, read safely and turned into the `DataConfig` that carries it.

Whatever cannot be used raises `InvalidInput` with a sentence that says what was wrong, where, and what to do.
"""

import io
import os
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.opening import MOST_BYTES as MOST_BYTES  # the apps refuse a larger upload before it is read
from ganlab.data.opening import npy_header, on_white, open_picture, read_file
from ganlab.data.payloads import LARGEST_SIDE, MOST_POINTS, encode_picture, encode_points
from ganlab.data.toy2d import DataConfig

MOST_ROWS = 1_000_000
LONGEST_LINE = 1000  # characters; a line of numbers has some forty
LONGEST_HEAD = 100  # empty lines, comments and header
LARGEST_VALUE = 1e100  # beyond it the span of the data would overflow
MOST_STROKE_POINTS = 100_000
NPY_MAGIC = b"\x93NUMPY"
TWO_COLUMNS = "give exactly two, x and y"

Array = npt.NDArray[np.float64]


def read_points(path: str | os.PathLike[str]) -> DataConfig:
    """The points of a text file (comma, semicolon, tab or blanks; a header is allowed) or a .npy array [N, 2].

    At most 20 MB and 1,000,000 rows. The points are moved to the middle of their bounding box and scaled so that its
    longer side spans [-1, 1]; of more than 2,000 rows, 2,000 are drawn at random, the same ones for the same file.
    """
    data = read_file(path, "file")
    points = _from_npy(data) if data.startswith(NPY_MAGIC) else _from_text(data)
    low, high = points.min(0), points.max(0)
    half = float((high - low).max()) / 2
    points = (points - (low + high) / 2) / (half or 1.0)
    if len(points) > MOST_POINTS:
        chosen = np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)
        points = points[np.sort(chosen)]
    return DataConfig("points", points=encode_points(points.clip(-1, 1)))


def read_picture(path: str | os.PathLike[str]) -> DataConfig:
    """A PNG, JPEG or WebP picture as a density: dark pixels are likely.

    At most 20 MB and 40 megapixels. The first frame, turned as its EXIF says, on white, in grey, shrunk to fit
    48 x 48 pixels; darkness is 255 minus luminance. Nothing else of the file is kept.
    """
    image = open_picture(read_file(path, "picture"), "picture", LARGEST_SIDE * 2)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)  # BOX: the mean of the pixels it joins
    darkness = 255 - np.asarray(on_white(image).convert("L"), dtype=np.uint8)  # [H, W]
    if not darkness.any():
        raise InvalidInput("picture", "is all white; use one with dark parts, they are what is learned")
    return DataConfig("picture", grid=encode_picture(darkness))


def read_drawing(strokes: Any) -> DataConfig:
    """The points [[x, y], ...] of a drawing, each coordinate in [-1, 1]; more than 2,000 are thinned evenly."""
    if not isinstance(strokes, list | tuple):
        raise InvalidInput("drawing", "must be a list of points [x, y]")
    if not strokes:
        raise InvalidInput("drawing", "is empty: draw something first")
    if len(strokes) > MOST_STROKE_POINTS:
        raise InvalidInput("drawing", f"has {len(strokes):,} points; at most {MOST_STROKE_POINTS:,} are read")
    for i, point in enumerate(strokes):
        if not isinstance(point, list | tuple) or len(point) != 2 or not all(map(_in_canvas, point)):
            raise InvalidInput("drawing", f"point {i + 1} must be two numbers from -1 to 1")
    points = np.array(strokes, dtype=np.float64)  # [N, 2]
    if len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int)]
    return DataConfig("drawn", points=encode_points(points))


def _in_canvas(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1


def read_npy(data: bytes, check_shape: Callable[[tuple[int, ...]], None]) -> Array:
    """The real numbers in the bytes of a .npy file; `check_shape` may refuse its shape before it is read."""
    stream = io.BytesIO(data)
    shape, _ = npy_header(stream, "file")  # checked before anything is made of its size
    check_shape(shape)
    try:
        stream.seek(0)
        values: Array = np.lib.format.read_array(stream, allow_pickle=False).astype(np.float64)
    except (ValueError, TypeError, EOFError, MemoryError):
        raise InvalidInput("file", "is a damaged .npy file: it is cut off; save it again") from None
    return values


def _from_npy(data: bytes) -> Array:
    points = read_npy(data, _check_columns)
    bad = ~(np.abs(points) <= LARGEST_VALUE).all(1)  # NaN too
    if bad.any():
        raise InvalidInput("file", f"row {int(bad.argmax())} (counted from 0) has a NaN, infinite or huge value")
    return points


def _check_columns(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] != 2:
        raise InvalidInput("file", f"holds an array of shape {str(shape)[:40]}; save one of shape (rows, 2)")
    _check_rows(shape[0])


def _from_text(data: bytes) -> Array:
    values = array("d")
    separator: str | None = None
    header, plain = False, b"_" not in data  # Python would read 1_0 as 10
    for number, line in enumerate(_lines(data), 1):
        if len(line) > LONGEST_LINE:
            raise InvalidInput("file", f"line {number} is {len(line):,} characters long; {TWO_COLUMNS}")
        if values and plain:  # the short way of a usual line: a million of them in half a second
            try:
                x, y = map(float, line.split(separator))
                if abs(x) <= LARGEST_VALUE and abs(y) <= LARGEST_VALUE:
                    values.append(x)
                    values.append(y)
                    continue
            except ValueError:
                pass  # looked at closely below
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not values:
            separator = _separator(line)
            if not header and not any(_is_number(cell, separator) for cell in line.split(separator)):
                header = True
                continue
        values.extend(_pair(line, separator, number))
    _check_rows(len(values) // 2)
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def _lines(data: bytes) -> list[str]:
    rows = max(data.count(b"\n"), data.count(b"\r"))  # counted before any text is made
    if rows > MOST_ROWS + LONGEST_HEAD:
        _check_rows(rows)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what Excel saves as "Unicode text"
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        raise InvalidInput("file", "is neither a text with numbers nor a .npy file")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")  # only a header may hold letters, whatever they are
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _separator(line: str) -> str | None:
    """The character between columns; None for blanks."""
    return next((mark for mark in "\t;," if mark in line), None)


def _pair(line: str, separator: str | None, number: int) -> tuple[float, float]:
    cells = line.split(separator)
    if len(cells) != 2:
        columns = "one column" if len(cells) == 1 else f"{len(cells)} columns"
        raise InvalidInput("file", f"line {number} has {columns}; {TWO_COLUMNS}")
    for cell in cells:
        if not _is_number(cell, separator):
            raise InvalidInput("file", f"line {number}: {_shown(cell)} is not a number; correct or remove the line")
    x, y = (float(_plain(cell, separator)) for cell in cells)
    if not (abs(x) <= LARGEST_VALUE and abs(y) <= LARGEST_VALUE):  # NaN too
        raise InvalidInput("file", f"line {number} has a NaN, infinite or huge value; correct or remove the line")
    return x, y


def _plain(cell: str, separator: str | None) -> str:
    """A cell without quotes, and with a decimal point where a comma can only be a decimal comma."""
    cell = cell.strip().strip('"')
    return cell.replace(",", ".") if separator == ";" else cell


def _is_number(cell: str, separator: str | None) -> bool:
    try:
        float(_plain(cell, separator))
    except ValueError:
        return False
    return "_" not in cell  # Python reads 1_000, a file does not mean it


def _shown(cell: str) -> str:
    cell = cell.strip()
    return "an empty cell" if not cell else repr(cell if len(cell) <= 20 else cell[:17] + "...")


def _check_rows(rows: int) -> None:
    if rows < 1:
        raise InvalidInput("file", "has no rows of numbers; give two columns, x and y")
    if rows > MOST_ROWS:
        raise InvalidInput("file", f"has {rows:,} rows; at most {MOST_ROWS:,} are read: keep a part of them")
