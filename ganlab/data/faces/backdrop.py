"""Behind and below the head: background, clothes and neck."""

import torch
from torch import Tensor

from ganlab.data.faces.draws import SPOTS
from ganlab.data.faces.scene import FACE_HEIGHT, Scene
from ganlab.data.faces.shapes import both, box, disc, ellipse, fraction, rim, teeth, turns, wave

RAYS = 12


def paint_background(s: Scene) -> None:
    """One colour, brighter in the middle and where the light comes from, with its pattern."""
    vignette = 1.08 - 0.16 * (s.gx * s.gx + (s.gy + 0.1).square()) + 0.06 * s["light"] * s.gx
    s.image.copy_(s.colour("background") * vignette[:, None])
    s.only(s.has("pattern", "dots"), _dots)
    s.only(s.has("pattern", "rays"), _rays)


def _dots(s: Scene) -> None:
    """Confetti: one dot at a random place in most cells of a grid."""
    places = s.gx[0, 0]  # the picture is square
    cell = ((places + 1) * (SPOTS / 2)).floor().long().clamp(0, SPOTS - 1)
    inside = (places + 1) * (SPOTS / 2) - cell
    across, down, size = s.grain.spots[:, :, cell][..., cell].unbind(1)  # each [B, H, W]
    d = disc(inside - 0.3 - 0.4 * across, inside[:, None] - 0.3 - 0.4 * down, 0.14 + 0.16 * size)
    there = (fraction(across * 7 + down * 5) < 0.62) * 0.75
    _lighten(s, (0.5 - d * (2 / SPOTS / s.pixel)).clamp(0, 1) * there)


def _rays(s: Scene) -> None:
    x, y = s.gx, s.gy + 0.05
    angle = turns(x.expand(1, *s.image.shape[2:]), y.expand(1, *s.image.shape[2:])) * RAYS + s.phase(0)
    # a ray's edge is as sharp at any distance: its angle times the radius is a length
    edge = (teeth(angle) - 0.5) * ((x * x + y * y).sqrt() + 0.05) * (3.1416 / RAYS / s.pixel)
    _lighten(s, (edge + 0.5).clamp(0, 1) * 0.30)


def _lighten(s: Scene, mask: Tensor) -> None:
    s.tint(mask, torch.ones(1, 3, 1, 1))


def paint_body(s: Scene) -> None:
    """Shoulders in their clothes, the neck, and the shadow of the chin on it."""
    low = s.crop(-1.6, 1.6, 0.2, 1.6)
    _shoulders(low)
    low.only(~low.has("clothes", "turtleneck"), _neckline)
    middle = s.crop(-0.3, 0.3, 0.2, 0.75)
    _neck(middle)
    middle.only(middle.has("clothes", "turtleneck"), _collar)


def _shoulders(s: Scene) -> None:
    x, y = s.body()
    shade = 1.06 - 0.35 * (x.abs() - 0.2).clamp(min=0) + 0.10 * s["light"] * x  # [B, 1, W]
    cloth = s.colour("clothes") * shade[:, None]
    d = _torso(x, y)
    weave = s.strands(x * 0.9 + y * 0, y * 1.6 + x * 0)
    s.fill(d, cloth * (1 + 0.03 * weave)[:, None])
    s.fill(rim(d, 0.014), s.colour("clothes") * 0.80, 0.8)
    s.only(s.has("clothes", "striped"), _stripes)


def _stripes(s: Scene) -> None:
    x, y = s.body()
    at = y * 9 + 2.2 * x * x
    band = ((teeth(at) - 0.5) * s["sharp"] / 18 + 0.5).clamp(0, 1)
    s.tint(s.cover(_torso(x, y)) * band * 0.92, s.colour("stripes"))


def _torso(x: Tensor, y: Tensor) -> Tensor:
    return ellipse(x, y - 1.0, 0.74, 0.49)


def _neck_width(s: Scene) -> Tensor:
    return 0.155 + 0.03 * s["face_width"]


def _neckline(s: Scene) -> None:
    x, y = s.body()
    wide = _neck_width(s)
    d = ellipse(x, y - 0.545, wide + 0.055, 0.095)
    s.fill(d - 0.016, s.colour("clothes") * 0.72)
    s.fill(d, s.colour("skin") * 0.5 + s.colour("skin_shadow") * 0.5)


def _neck(s: Scene) -> None:
    x, y = s.body()
    d = box(x, y - 0.42, _neck_width(s), 0.215, 0.1)
    s.fill(d, s.colour("skin"))
    x, y = s.at(0.2)
    chin = ellipse(x, y - 0.13, s["half_width"] * 0.95, FACE_HEIGHT)
    s.fill(both(d, chin), s.colour("skin_shadow"), 0.9)


def _collar(s: Scene) -> None:
    x, y = s.body()
    d = box(x, y - 0.545, _neck_width(s) + 0.04, 0.115, 0.05)
    ribs = 0.92 + 0.10 * wave(x * 9)
    s.fill(d, s.colour("clothes") * ribs[:, None])
    s.fill(rim(d, 0.016), s.colour("clothes") * 0.72, 0.8)
