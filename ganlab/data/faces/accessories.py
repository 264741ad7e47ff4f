"""What is worn on the head: glasses, hats and earrings."""

import torch
from torch import Tensor

from ganlab.data.faces import palette
from ganlab.data.faces.head import EYES_APART, head_distance
from ganlab.data.faces.palette import constant
from ganlab.data.faces.scene import Scene
from ganlab.data.faces.shapes import both, box, disc, ellipse, rim, step, teeth, turns, wave

ON_HEAD = 0.3  # depth of hats


def paint_glasses(s: Scene) -> None:
    """Lenses with a glint, a bridge, and temples as far as the head goes."""
    s = s.crop(-0.48, 0.48, -0.2, 0.22)
    s.only(~s.has("glasses", "none"), _glasses)


def _glasses(s: Scene) -> None:
    x, y = s.at(1.12)
    across, down = x.abs() - EYES_APART - 0.005, y - 0.012
    square = s.flag("glasses", "square")
    dark = s.flag("glasses", "sunglasses")
    lens = torch.where(square > 0, box(across, down, 0.155, 0.118, 0.045), disc(across, down, 0.148))
    glass = torch.lerp(constant(palette.CLEAR_GLASS), constant(palette.DARK_GLASS), dark[:, None])
    s.fill(lens, glass, 0.13 + 0.82 * dark)
    glint = step(wave((across + y * 0.8) * 1.43 + 0.13), 0.55, 0.9)
    s.fill(lens, constant(palette.WHITE), glint * (0.18 + 0.06 * dark))
    frame = torch.lerp(s.colour("accessory") * 0.62, constant(palette.DARK_FRAME), dark[:, None])
    s.fill(lens.abs() - 0.019, frame)
    s.fill(both((y + 0.02 + 0.3 * x * x).abs() - 0.016, x.abs() - 0.05), frame)
    s.fill(both((y + 0.01).abs() - 0.014, 0.325 - x.abs(), head_distance(s)[1] - 0.02), frame)


def paint_hats(s: Scene) -> None:
    """One of four hats."""
    s = s.crop(-0.62, 0.62, -0.86, -0.1)
    for name, painter in HATS.items():
        s.only(s.has("hat", name), painter)


def _beanie(s: Scene) -> None:
    x, y = s.at(ON_HEAD)
    cloth, wide = s.colour("accessory"), s["half_width"]
    dome = both(ellipse(x, y + 0.22, wide + 0.085, 0.37), y + 0.26)
    knit = 0.96 + 0.07 * wave(x * 5.4) + 0.05 * wave(y * 4.8)
    s.fill(dome, cloth * knit[:, None])
    s.fill(rim(dome, 0.016), cloth * 0.62, 0.6)
    fluff = 0.012 * wave(turns(x, y + 0.60) * 9 + s.phase(4))
    pompon = ellipse(x, y + 0.60, 0.090, 0.085) - fluff
    s.fill(pompon, cloth * 0.4 + 0.6)
    s.fill(rim(pompon, 0.014), cloth * 0.7 + 0.1, 0.6)
    band = box(x, y + 0.27 - 0.12 * x * x, wide + 0.095, 0.085, 0.06)
    s.fill(band, cloth * (0.80 * (1 + 0.12 * wave(x * 7.3)))[:, None])
    s.fill(rim(band, 0.014), cloth * 0.55, 0.7)


def _cap(s: Scene) -> None:
    x, y = s.at(ON_HEAD)
    cloth, wide = s.colour("accessory"), s["half_width"]
    dome = both(ellipse(x, y + 0.20, wide + 0.075, 0.38), y + 0.23)
    s.fill(dome, cloth * (1.04 - x * x)[:, None])
    s.fill(both((x.abs() - 0.16 - 0.25 * (y + 0.6)).abs() - 0.007, dome), cloth * 0.72)
    s.fill(rim(dome, 0.016), cloth * 0.62, 0.6)
    s.fill(ellipse(x, y + 0.58, 0.038, 0.024), cloth * 0.65)
    badge = disc(x, y + 0.40, 0.075)
    s.fill(badge, constant(palette.CREAM))
    s.fill(rim(badge, 0.02), cloth * 0.55)
    ahead, bent = s.at(0.9)
    visor = ellipse(ahead, bent + 0.245 - 0.55 * ahead * ahead, wide * 0.88, 0.085)
    s.fill(visor, cloth * 0.74)
    s.fill(rim(visor, 0.018), cloth * 0.48, 0.8)


def _crown(s: Scene) -> None:
    x, y = s.at(ON_HEAD)
    down = y + 0.40 - 0.18 * x * x
    points = -0.10 - 0.15 * (1 - teeth(x * 5.2 + 0.5))
    sides = x.abs() - s["half_width"] * 0.86 + 0.12 * (down + 0.1)
    crown = both(points - down, down - 0.08, sides) * 0.8
    s.fill(crown, constant(palette.GOLD) * (1.03 - 2 * x * x).clamp(min=0.7)[:, None])
    s.fill(both(crown, 0.035 - down), constant(palette.GOLD) * 0.8)
    s.fill(rim(crown, 0.014), constant(palette.GOLD) * 0.6, 0.8)
    jewel = disc((teeth(x * 5.2 + 0.5) - 1) * 0.096, down + 0.02, 0.030)
    s.fill(both(jewel, crown), s.colour("accessory"))


def _party_hat(s: Scene) -> None:
    x, y = s.at(ON_HEAD)
    x = x + 0.16 * (y + 0.40)  # askew
    cone = both((x.abs() - (y + 0.77) * 0.52) * 0.9, y + 0.38 - 0.22 * x * x)
    bands = ((teeth(y * 7 + x * 5) - 0.5) * s["sharp"] / 17 + 0.5).clamp(0, 1) * 0.85
    cloth = s.colour("accessory")
    striped = torch.lerp(cloth.expand_as(s.image), constant(palette.CREAM), bands[:, None])
    s.fill(cone, striped * (1.05 - 0.8 * x.abs())[:, None])
    s.fill(rim(cone, 0.014), cloth * 0.6, 0.7)
    tuft = disc(x, y + 0.74, 0.062) - 0.012 * wave(turns(x, y + 0.74) * 8 + s.phase(4))
    s.fill(tuft, constant(palette.CREAM))
    s.fill(rim(tuft, 0.014), cloth * 0.7, 0.7)


HATS = {"beanie": _beanie, "cap": _cap, "crown": _crown, "party": _party_hat}


def paint_earrings(s: Scene) -> None:
    """A golden drop below each ear, before all hair."""
    s = s.crop(-0.56, 0.56, 0.1, 0.3)
    s.only(s.has("earrings", "yes"), _earrings)


def _earrings(s: Scene) -> None:
    x, y = s.at(-0.35)
    drop: Tensor = ellipse(x.abs() - s["half_width"] - 0.025, y - 0.205, 0.040, 0.048)
    s.fill(drop, constant(palette.GOLD))
    s.fill(rim(drop, 0.014), constant(palette.GOLD) * 0.6, 0.8)
    s.fill(drop + 0.024, constant(palette.PALE_GOLD))
