"""Frames to a film file: MP4, GIF or WebP, picture by picture, with progress and an end at any moment."""

import io
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import imageio.v2 as iio
import numpy as np
import numpy.typing as npt
from PIL import Image

from ganlab.config import InvalidInput

Pixels = npt.NDArray[np.uint8]  # [H, W, 3]
FASTEST_GIF = 20  # ms; browsers slow down what claims to be faster
MOST_FRAMES = 1800  # of an MP4: a minute at 30 frames a second
MOST_HELD = 256 << 20  # bytes of a GIF's or WebP's frames, which are in memory together


def check_length(frames: int, side: int, kind: str) -> None:
    """Refuses a film that would be too long to make."""
    if kind not in WRITERS:
        raise InvalidInput("kind", f"must be one of {', '.join(WRITERS)}")
    most = MOST_FRAMES if kind == "mp4" else min(MOST_FRAMES, MOST_HELD // (3 * side * side))
    if frames > most:
        raise InvalidInput(
            "film", f"would have {frames:,} frames; at most {most:,} fit into this kind of file: lower fps or size"
        )


def clip(frames: Iterator[Pixels], kind: str, fps: float) -> Generator[bytes, None, None]:
    """Takes frames one by one and yields b"" after each, at last the bytes of the file. May be left at any time.

    Frames must be of one size. The slow end of a GIF or WebP is the last step alone.
    """
    yield from WRITERS[kind](frames, fps)


def _mp4(frames: Iterator[Pixels], fps: float) -> Generator[bytes, None, None]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        # yuv420p and even sides: what every player shows
        options: dict[str, Any] = {"codec": "libx264", "quality": 8, "macro_block_size": 2, "ffmpeg_log_level": "error"}
        writer: Any = iio.get_writer(path, fps=fps, **options)
        with writer:
            for frame in frames:
                writer.append_data(_even(frame))
                yield b""
        yield path.read_bytes()


def _even(frame: Pixels) -> Pixels:
    """The frame with its last row or column doubled where its size is odd."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _gif(frames: Iterator[Pixels], fps: float) -> Generator[bytes, None, None]:
    images = []
    for frame in frames:
        images.append(Image.fromarray(frame).quantize(256))
        yield b""
    yield gif(images, 1 / fps)


def _webp(frames: Iterator[Pixels], fps: float) -> Generator[bytes, None, None]:
    images = []
    for frame in frames:
        images.append(Image.fromarray(frame))
        yield b""
    yield _animated(images, "WEBP", round(1000 / fps), quality=85, method=2)


def gif(images: list[Image.Image], seconds: float) -> bytes:
    """Pictures with a palette as the bytes of a looping GIF, each shown for `seconds`."""
    return _animated(images, "GIF", max(int(1000 * seconds), FASTEST_GIF))


def _animated(images: list[Image.Image], kind: str, milliseconds: int, **options: int) -> bytes:
    out = io.BytesIO()
    rest = images[1:]
    images[0].save(out, kind, save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)
    return out.getvalue()


WRITERS: dict[str, Callable[[Iterator[Pixels], float], Generator[bytes, None, None]]] = {
    "mp4": _mp4,
    "gif": _gif,
    "webp": _webp,
}
