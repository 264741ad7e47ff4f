"""A race's history as a GIF or MP4."""

import io
import tempfile
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

PANEL = 240  # pixels of a panel's side
HEAD = 22  # pixels above it for its name
GAP = 8
COLUMNS = 4
MOST_FRAMES = 120
SECONDS = 8.0  # length of a film
UNIT = 16384  # coordinates come in units of extent / UNIT

Frame = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]
Pixels = npt.NDArray[np.uint8]


def film(frames: list[Frame], names: list[str], scene: dict[str, Any], kind: str) -> bytes:
    """The frames (header, sections as `serving.frames.unpack` gives them) as the bytes of a "gif" or "mp4" file."""
    stride = -(-len(frames) // MOST_FRAMES)
    chosen = frames[::stride]
    pictures = [_picture(frame, names, scene) for frame in chosen]
    duration = max(SECONDS / len(pictures), 0.04)
    if kind == "gif":
        return _gif(pictures, duration)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        iio.imwrite(path, np.stack(pictures), fps=1 / duration, codec="libx264", macro_block_size=2)
        return path.read_bytes()


def heat_colours(unit: npt.NDArray[np.uint8]) -> Pixels:
    """D's picture: purple where D says fake (0), white at one half, green where it says real (255)."""
    t = unit.astype(np.float32)[..., None] / 255
    fake, real, white = np.array([158, 97, 190.0]), np.array([62, 160, 95.0]), np.array([255, 255, 255.0])
    low, high = np.clip(1 - 2 * t, 0, 1), np.clip(2 * t - 1, 0, 1)
    return (white + 0.75 * (low * (fake - white) + high * (real - white))).astype(np.uint8)


def _gif(pictures: list[Pixels], duration: float) -> bytes:
    images = [Image.fromarray(p).quantize(96, dither=Image.Dither.NONE) for p in pictures]
    out = io.BytesIO()
    images[0].save(out, "GIF", save_all=True, append_images=images[1:], duration=max(int(1000 * duration), 20), loop=0)
    return out.getvalue()


def _picture(frame: Frame, names: list[str], scene: dict[str, Any]) -> Pixels:
    header, sections = frame
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    width, height = columns * (PANEL + GAP) + GAP, rows * (PANEL + HEAD + GAP) + GAP
    image = Image.new("RGB", (width + width % 2, height + height % 2), "white")
    draw = ImageDraw.Draw(image)
    for k, name in enumerate(names):
        x, y = GAP + (k % columns) * (PANEL + GAP), GAP + (k // columns) * (PANEL + HEAD + GAP)
        gan = header["gans"][k]
        found = f"  {gan['covered']}/{gan['modes']} modes" if gan.get("modes") else ""
        draw.text((x, y + 4), f"{name}  step {header['step']:,}{found}", fill=(30, 30, 40))
        image.paste(_panel(k, sections, scene), (x, y + HEAD))
    return np.asarray(image)


def _panel(k: int, sections: dict[str, npt.NDArray[Any]], scene: dict[str, Any]) -> Image.Image:
    if scene["dim"] == 1:
        return _curves(k, sections, scene)
    side = scene["side"]
    panel = Image.new("RGB", (PANEL, PANEL), "white")
    if "heat" in sections:
        cells = heat_colours(sections["heat"][k].reshape(side, side)[::-1].astype(np.uint8))
        panel = Image.fromarray(cells).resize((PANEL, PANEL), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(panel)
    _dots(draw, np.asarray(scene["real"]), (20, 110, 60), 1)
    _dots(draw, sections["fakes"][k], (112, 20, 150), 2)
    draw.rectangle((0, 0, PANEL - 1, PANEL - 1), outline=(200, 200, 205))
    return panel


def _dots(draw: ImageDraw.ImageDraw, coordinates: npt.NDArray[Any], colour: tuple[int, int, int], size: int) -> None:
    points = coordinates.reshape(-1, 2).astype(np.float64) / UNIT
    for x, y in points:
        px, py = (x + 1) / 2 * PANEL, (1 - y) / 2 * PANEL
        draw.rectangle((px - size / 2, py - size / 2, px + size / 2, py + size / 2), fill=colour)


def _curves(k: int, sections: dict[str, npt.NDArray[Any]], scene: dict[str, Any]) -> Image.Image:
    panel = Image.new("RGB", (PANEL, PANEL), "white")
    draw = ImageDraw.Draw(panel)
    top = 1.2 * max(scene["p_data"])
    for values, colour, most in (
        (np.asarray(scene["p_data"]), (20, 110, 60), top),
        (sections["p_g"][k], (112, 20, 150), top),
        (sections["heat"][k] if "heat" in sections else np.zeros(2), (40, 90, 200), 255.0),
    ):
        x = (np.arange(len(values)) + 0.5) / len(values) * PANEL
        y = PANEL - 1 - np.clip(values / most, 0, 1) * (PANEL - 4)
        draw.line([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=colour, width=2)
    draw.rectangle((0, 0, PANEL - 1, PANEL - 1), outline=(200, 200, 205))
    return panel
