"""A race's history as a GIF or MP4."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ganlab.render.clip import clip, gif

PANEL, SMALL = 240, 160  # pixels of a panel's side, for up to four GANs and for more
TOP = 16  # pixels above all for the step
HEAD = 22  # pixels above it for its name
GAP = 8
COLUMNS = 4
MOST_FRAMES = 80
SECONDS = 8.0  # length of a film
REAL, FAKE, SCORE, FRAME = (18, 112, 60), (123, 31, 162), (21, 101, 192), (200, 200, 205)
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
        return gif([Image.fromarray(p).quantize(96, dither=Image.Dither.NONE) for p in pictures], duration)
    *_, data = clip(iter(pictures), kind, 1 / duration)
    return data


def heat_colours(unit: npt.NDArray[np.uint8]) -> Pixels:
    """D's picture: purple where D says fake (0), white at one half, green where it says real (255)."""
    t = unit.astype(np.float32)[..., None] / 255
    fake, real, white = np.array([158, 97, 190.0]), np.array([62, 160, 95.0]), np.array([255, 255, 255.0])
    low, high = np.clip(1 - 2 * t, 0, 1), np.clip(2 * t - 1, 0, 1)
    return (white + 0.75 * (low * (fake - white) + high * (real - white))).astype(np.uint8)


def _picture(frame: Frame, names: list[str], scene: dict[str, Any]) -> Pixels:
    header, sections = frame
    columns = min(COLUMNS, len(names))
    side = PANEL if len(names) <= COLUMNS else SMALL
    rows = -(-len(names) // columns)
    width, height = columns * (side + GAP) + GAP, TOP + rows * (side + HEAD + GAP) + GAP
    image = Image.new("RGB", (width + width % 2, height + height % 2), "white")
    draw = ImageDraw.Draw(image)
    draw.text((GAP, 2), f"step {header['step']:,}", fill=(30, 30, 40))
    for k, name in enumerate(names):
        x, y = GAP + (k % columns) * (side + GAP), TOP + (k // columns) * (side + HEAD + GAP)
        gan = header["gans"][k]
        found = f"  {gan['covered']}/{gan['modes']} modes" if gan.get("modes") else ""
        draw.text((x, y + 4), f"{name[: side // 14]}{found}", fill=(30, 30, 40))
        image.paste(_panel(k, sections, scene, side), (x, y + HEAD))
    return np.asarray(image)


def _panel(k: int, sections: dict[str, npt.NDArray[Any]], scene: dict[str, Any], size: int) -> Image.Image:
    if scene["dim"] == 1:
        return _curves(k, sections, scene, size)
    side = scene["side"]
    panel = Image.new("RGB", (size, size), "white")
    if "heat" in sections:
        cells = heat_colours(sections["heat"][k].reshape(side, side)[::-1].astype(np.uint8))
        panel = Image.fromarray(cells).resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.array(panel)
    _dots(pixels, np.asarray(scene["real"]), REAL, 1)
    _dots(pixels, sections["fakes"][k], FAKE, 2)
    panel = Image.fromarray(pixels)
    ImageDraw.Draw(panel).rectangle((0, 0, size - 1, size - 1), outline=FRAME)
    return panel


def _dots(pixels: Pixels, coordinates: npt.NDArray[Any], colour: tuple[int, int, int], size: int) -> None:
    """Squares of `size` pixels, all at once; those outside are left out."""
    points = coordinates.reshape(-1, 2).astype(np.float64) / UNIT
    side = len(pixels)
    x, y = ((points[:, 0] + 1) / 2 * side).astype(int), ((1 - points[:, 1]) / 2 * side).astype(int)
    inside = (x >= 0) & (x < side - size) & (y >= 0) & (y < side - size)
    for dx in range(size):
        for dy in range(size):
            pixels[y[inside] + dy, x[inside] + dx] = colour


def _curves(k: int, sections: dict[str, npt.NDArray[Any]], scene: dict[str, Any], size: int) -> Image.Image:
    panel = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(panel)
    top, floor = 1.25 * max(scene["p_data"]), size * 0.72
    z = np.asarray(scene["z_lines"][k])
    below = (z / np.abs(z).max() * 0.9 + 1) / 2 * size
    above = (sections["lines"][k] / UNIT + 1) / 2 * size
    for a, b in zip(below, above, strict=True):  # where each z goes
        draw.line([(float(a), size - 8), (float(b), floor)], fill=FRAME)
    for values, colour, most in (
        (np.asarray(scene["p_data"]), REAL, top),
        (sections["p_g"][k], FAKE, top),
        (sections["heat"][k] if "heat" in sections else np.zeros(2), SCORE, 285.0),
    ):
        x = (np.arange(len(values)) + 0.5) / len(values) * size
        y = floor - np.clip(values / most, 0, 1) * (floor - 4)
        draw.line([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=colour, width=2)
    draw.rectangle((0, 0, size - 1, size - 1), outline=FRAME)
    return panel
