"""Hair of the head and of the face: one outline per style, cut open where the face looks out."""

import torch
from torch import Tensor

from ganlab.data.faces.head import head_distance
from ganlab.data.faces.scene import FACE_HEIGHT, Scene
from ganlab.data.faces.shapes import blend, both, ellipse, glow, rim, step, teeth, turns, wave

FRONT, BACK = 0.30, -0.45  # depths
HANGING = ("bob", "long")


def paint_back_hair(s: Scene) -> None:
    """What falls behind neck and shoulders, a bun, and pigtails with their ribbons."""
    s.only(s.has("hairstyle", *HANGING), _behind)
    s.only(s.has("hairstyle", "curly"), _mane)
    s.only(s.has("hairstyle", "pigtails"), _pigtails)
    s.only(s.has("hairstyle", "bun") & s.has("hat", "none"), _bun)


def paint_front_hair(s: Scene) -> None:
    """The hair over forehead, temples and ears, with its shadow on the face."""
    s = s.crop(-0.66, 0.66, -0.74, 1.0)
    s.only(~s.has("hairstyle", "bald"), _front)
    s.only(s.has("hairstyle", "bald") & s.has("hat", "none"), _shine)


def _low(s: Scene) -> Tensor:
    return s["hair_low"] + s["hair_longer"] * s["hair_length"]


def _around(s: Scene, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """How far out in the hair of the head a pixel is (1 at its edge), and the distance to that edge."""
    up = s["hair_up"] * (1 - 0.5 * s["hatted"])
    falls = y.clamp(min=0)
    sway = 0.016 * wave(y * 2.2 + s.phase(1)) * (y > 0)
    wide = s["half_width"] + s["hair_side"] + s["hair_hang"] * (s["hair_flare"] * falls + sway)
    # hanging hair keeps its width below the ears, other hair follows the skull
    along = torch.where(y < 0, y / (FACE_HEIGHT + up), falls / (FACE_HEIGHT + 0.02) * (1 - s["hair_hang"]))
    out = ((x / wide).square() + along.square()).sqrt()
    return out, (out - 1) * s["half_width"]


def _behind(s: Scene) -> None:
    x, y = s.at(BACK)
    tips = 0.05 * teeth(x * 5.5 + s.phase(2))
    d = blend(_around(s, x, y)[1] - 0.045, y - _low(s) - 0.03 + tips, 0.12)
    streaks = s.strands(x * 1.1, y * 0.16)
    s.fill(d, s.colour("hair_dark") * (1 + 0.20 * streaks)[:, None])


def _curled(s: Scene, x: Tensor, y: Tensor) -> Tensor:
    """Locks along an outline, as an offset of its distance."""
    angle = turns(x, y + 0.05)
    return 0.026 * wave(angle * 15 + s.phase(2)) + 0.014 * wave(angle * 26 + s.phase(1))


def _mane(s: Scene) -> None:
    x, y = s.at(BACK)
    wide = s["half_width"] + 0.19 + 0.08 * s["hair_length"]
    d = ellipse(x, y + 0.03, wide, wide * 1.02 + 0.04) - _curled(s, x, y)
    locks = s.strands(x * 0.27, y * 1.1)
    between = s.colour("hair_dark") * 0.6 + s.colour("hair") * 0.4
    s.fill(d, between * (1 + 0.20 * locks)[:, None])
    s.fill(rim(d, 0.016), s.colour("hair_dark"), 0.7)


def _pigtails(s: Scene) -> None:
    x, y = s.at(BACK)
    long = s["hair_length"]
    across = x.abs() - s["half_width"] - 0.095 - 0.025 * wave(y * 0.8 + s.phase(1))
    d = ellipse(across, y - 0.22 - 0.14 * long, 0.115 + 0.04 * long, 0.25 + 0.15 * long)
    streaks = s.strands(x * 1.3, y * 0.2)
    s.fill(d, s.colour("hair") * (0.90 + 0.20 * streaks)[:, None])
    s.fill(rim(d, 0.02), s.colour("hair_dark"), 0.6)
    s.fill(ellipse(x.abs() - s["half_width"] - 0.04, y + 0.03, 0.055, 0.06), s.colour("accessory"))


def _bun(s: Scene) -> None:
    x, y = s.at(BACK * 0.5)
    d = ellipse(x, y + 0.545, 0.150 + 0.03 * s["hair_length"], 0.120 + 0.03 * s["hair_length"])
    streaks = s.strands(y * 1.8 + x * 0.6, x * 0.4)
    s.fill(d, s.colour("hair") * (0.90 + 0.22 * streaks)[:, None])
    s.fill(rim(d, 0.02), s.colour("hair_dark"), 0.6)


def _front(s: Scene) -> None:
    x, y = s.at(FRONT)
    out, d = _around(s, x, y)
    curly, spiky = s.flag("hairstyle", "curly"), s["hair_spikes"]
    angle = turns(x, y + 0.05)
    d = d - curly * _curled(s, x, y) * 1.2
    spikes = spiky * (0.75 + 0.5 * s["hair_length"]) * (teeth(angle * 15 + s.phase(1)) - 0.5)
    d = d - spikes * step(-y, 0.05, 0.3) * s["half_width"]
    tips = 0.05 * teeth(x * 5.5 + s.phase(2)) * s["hair_hang"]
    d = blend(blend(d, y - _low(s) + tips, 0.10), -_opening(s, x, y), 0.02)
    # strands run from the crown outwards, curls have no direction
    crown = turns(x - _side(s) * 0.12, y + 0.64)
    u = torch.where(curly > 0, x * 0.27, crown * 3.2)
    v = torch.where(curly > 0, y * 1.1, out * 0.15)
    streaks = s.strands(u, v)
    at = x - s["light"] * 0.12
    gloss = glow(out - 0.80 - 0.03 * streaks, at * 0, 0.09, 1.0) * glow(at, at * 0, 0.42, 1.0) * step(-y, 0.0, 0.3)
    colour = s.colour("hair") * (0.95 + (0.13 + 0.10 * curly) * streaks)[:, None]
    colour = torch.lerp(colour, s.colour("hair_light").expand_as(colour), (gloss * 0.65)[:, None])
    s.fill(both(d - 0.035, head_distance(s)[1]), s.colour("skin_shadow") * 0.9, 0.40)
    s.fill(d, colour)
    # a darker edge keeps hair apart from a background or a skin of its own colour
    s.fill(rim(d, 0.016), s.colour("hair_dark"), 0.55 - 0.35 * curly)


def _side(s: Scene) -> Tensor:
    """-1 where the parting is on the left, 1 on the right."""
    return s["parting"] * 2 - 1


def _opening(s: Scene, x: Tensor, y: Tensor) -> Tensor:
    """Distance to the gap that the face looks out of, [B, H, W]."""
    side, zigzag = _side(s), teeth(x * 7.5 + s.phase(3))
    u = x - side * 0.16
    swept = -0.285 + 0.50 * u * u - 0.16 * side * u
    fringe = -0.205 + 0.025 * zigzag + 0.25 * x * x
    short = -0.285 + 0.3 * x * x + 0.025 * zigzag
    line = torch.where(s["bangs"] > 0, fringe, torch.where(s["hair_spikes"] > 0, short, swept))
    inner = s["half_width"] - 0.035 - 0.02 * s["hair_hang"]
    return blend((line - y) * 0.8, x.abs() - inner, 0.10)


def _shine(s: Scene) -> None:
    x, y = s.at(FRONT)
    s.tint(glow(x - s["light"] * 0.12, y + 0.33, 0.14, 0.07) * 0.5, s.colour("skin_light"))


def paint_beard(s: Scene) -> None:
    """A goatee below the mouth, or a full beard from ear to ear that leaves the mouth free."""
    s = s.crop(-0.47, 0.47, 0.0, 0.55)
    s.only(s.has("beard", "goatee"), _goatee)
    s.only(s.has("beard", "full"), _full_beard)


def _goatee(s: Scene) -> None:
    x, y = s.at(0.95)
    pointed = x * (1 + 2.4 * (y - 0.37).clamp(min=0))
    _hairs(s, ellipse(pointed, y - 0.42, 0.105, 0.088), x, y)


def _full_beard(s: Scene) -> None:
    x, y = s.at(0.95)
    head = head_distance(s)[1]
    edge = 0.215 - 0.55 * (x.abs() - 0.14).clamp(min=0)
    mouth = ellipse(x, y - 0.265, 0.145, 0.062)
    d = both(head - 0.035 * step(s.at(0.25)[1], 0.1, 0.4), blend((edge - y) * 0.85, -mouth, 0.04))
    _hairs(s, d, x, y)


def paint_mustache(s: Scene) -> None:
    """Two wings between nose and mouth; part of a full beard too."""
    s = s.crop(-0.22, 0.22, 0.1, 0.32)
    s.only(s.has("beard", "mustache", "full"), _mustache)


def _mustache(s: Scene) -> None:
    x, y = s.at(0.95)
    x = x.abs()
    d = ellipse(x + (y - 0.2) * 0.35 - 0.075, y - 0.30 * (x - 0.06) - 0.205, 0.088, 0.036)
    _hairs(s, d, x, y)


def _hairs(s: Scene, d: Tensor, x: Tensor, y: Tensor) -> None:
    streaks = s.strands(x * 1.6, y * 0.35)
    s.fill(d, s.colour("hair") * (0.82 + 0.10 * streaks)[:, None], 0.98)
    s.fill(rim(d, 0.014), s.colour("hair_dark"), 0.5)
