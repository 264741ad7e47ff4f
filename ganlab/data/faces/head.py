"""The head and what is in the face: ears, skin, cheeks, freckles, mouth, nose, eyes and brows."""

import torch
from torch import Tensor

from ganlab.data.faces import palette
from ganlab.data.faces.draws import CELLS
from ganlab.data.faces.palette import constant
from ganlab.data.faces.scene import FACE_HEIGHT, Scene
from ganlab.data.faces.shapes import both, disc, ellipse, glow, step

MOUTH, NOSE, EYES_APART = 0.26, 0.135, 0.185  # heights of mouth and nose; half the distance of the eyes
COVERED_EARS = ("bob", "long", "curly")  # an ear would be a light hole in a turned head's hair
LINE = 0.016  # half width of a drawn line


def head_distance(s: Scene) -> tuple[Tensor, Tensor]:
    """How far out in the head a pixel is (1 at its edge), and the distance to that edge, both [B, H, W]."""
    x, y = s.at(0.25)
    down = (y / FACE_HEIGHT).clamp(0, 1)
    wide = s["half_width"] * (1 - (0.08 + 0.27 * s["jaw"]) * down * down)
    across, along = (x / wide).square(), (y / FACE_HEIGHT).square()
    # below the eyes between an ellipse and a box: the product term fills the corners of the jaw
    fuller = (0.55 - 0.5 * s["jaw"]) * (across.clamp(max=1.2) * along.clamp(max=1.2)) * (y > 0)
    out = (across + along - fuller).clamp(min=1e-6).sqrt()
    return out, (out - 1) * (s["half_width"] * 0.95)


def paint_head(s: Scene) -> None:
    """Ears and the bare face: light from one side, red cheeks, freckles."""
    s = s.crop(-0.62, 0.62, -0.52, 0.55)
    s.only(~s.has("hairstyle", *COVERED_EARS), _ears)
    out, d = head_distance(s)
    side = s["light"] * s.x / s["half_width"]
    shade = step(out - 0.45 * side + 0.10 * s.y / FACE_HEIGHT, 0.80, 1.20) * 0.75
    skin = s.colour("skin")
    face = torch.lerp(skin.expand_as(s.image), s.colour("skin_shadow"), shade[:, None])
    x, y = s.at(1.0)
    cheeks = glow(x.abs() - 0.225, y - 0.155, 0.11, 0.085) * s["blush"] * 0.55
    face.lerp_(constant(palette.BLUSH) * (0.55 + 0.45 * skin), cheeks[:, None])
    cover = s.cover(d)
    s.tint(cover, face)
    s.only(s.has("freckles", "yes"), _freckles)


def _ears(s: Scene) -> None:
    x, y = s.at(-0.35)
    x = x.abs() - s["half_width"]
    s.fill(ellipse(x + 0.005, y - 0.05, 0.085, 0.115), s.colour("skin") * 0.96)
    s.fill(ellipse(x - 0.02, y - 0.05, 0.04, 0.065), s.colour("skin_shadow"), 0.55)


def _freckles(s: Scene) -> None:
    """One at a random place in some cells of a grid, in a band over nose and cheeks."""
    x, y = s.at(1.0)
    size = 0.64 / CELLS
    u = (x / size + 0.5 * CELLS).clamp(0, CELLS - 1e-3)
    v = (y / size + 0.3 * CELLS).clamp(0, CELLS - 1e-3)
    column, row = u.long(), v.long()
    cell = (row * CELLS + column).flatten(1)[:, None].expand(-1, 3, -1)
    across, down, chance = s.grain.freckles.flatten(2).gather(2, cell).unflatten(2, u.shape[1:]).unbind(1)
    d = disc(u - column - 0.3 - 0.4 * across, v - row - 0.3 - 0.4 * down, 0.36) * size
    band = glow(x, y - 0.13, 0.38, 10.0) * glow(x, y - 0.13, 10.0, 0.085)
    inside = both(d, head_distance(s)[1] + 0.01)
    s.tint(s.cover(inside) * (chance < band * 0.65) * 0.7, s.colour("freckles"))


def paint_mouth(s: Scene) -> None:
    """Lips along a parabola; in an open mouth teeth and tongue."""
    s = s.crop(-0.22, 0.22, 0.1, 0.42)
    x, y = s.at(0.95)
    wide = 0.115 + 0.07 * s["mouth_width"]
    opened = s.flag("mouth", "open")
    gap = opened * (0.03 + 0.12 * s["mouth_opening"])
    across = x / wide
    square = (across * across).clamp(max=1.6)
    bow = 1 - square
    upper = MOUTH + s["smile"] * 0.085 * bow - gap * 0.25 * bow.clamp(min=0)
    lower = upper + gap * bow.clamp(min=0)
    # distances along y are shortened where the parabola is steep
    slope = (1 + (s["smile"] * 0.17 * across / wide).square()).sqrt()
    between = both(upper - y, y - lower) / slope
    ends = x.abs() - wide
    painted = s.flag("lipstick", "yes")
    thick = (0.015 + 0.014 * painted) * (1.15 - 0.7 * square).clamp(min=0.4)
    lips = torch.lerp(s.colour("lips"), constant(palette.LIPSTICK), painted[:, None])
    s.fill(both(between - thick, ends), lips)
    inside = both(between, ends)
    s.fill(inside, constant(palette.THROAT), opened)
    s.fill(both(inside + 0.004, y - upper - gap * 0.36), constant(palette.TEETH), opened)
    s.fill(both(inside + 0.006, lower - gap * 0.30 - y), constant(palette.TONGUE), opened * 0.9)
    bare = s.flag("beard", "none", "mustache")
    s.tint(glow(x, y - lower - 0.055, 0.055, 0.018) * 0.28 * bare, s.colour("skin_shadow"))


def paint_nose(s: Scene) -> None:
    """A disc with a shadow below and a light above."""
    s = s.crop(-0.1, 0.1, 0.0, 0.25)
    x, y = s.at(1.25)
    r = 0.045 + 0.034 * s["nose"]
    s.fill(ellipse(x, y - NOSE, r, r * 0.78), s.colour("skin_shadow") * 0.45 + s.colour("skin") * 0.55, 0.9)
    s.fill(ellipse(x, y - NOSE + 0.018, r * 0.95, r * 0.74), s.colour("skin"))
    s.tint(glow(x - s["light"] * 0.02, y - NOSE + 0.03, r * 0.45, 0.03) * 0.55, s.colour("skin_light"))


def paint_eyes(s: Scene) -> None:
    """Both eyes at once, mirrored; the irises look the same way."""
    s = s.crop(-0.34, 0.34, -0.18, 0.17)
    x, y = s.at(1.0)
    mirrored = x.abs() - EYES_APART
    size = s["eye"]
    s.tint(glow(mirrored, y + 0.02, size * 1.2, size * 1.15) * 0.25, s.colour("skin_shadow"))
    s.only(s.has("eyes", "open"), _open_eyes)
    s.only(s.has("eyes", "closed"), _closed_eyes)


def _open_eyes(s: Scene) -> None:
    x, y = s.at(1.0)
    size, opening = s["eye"], s["eye_opening"]
    tall = size * (0.62 + 0.5 * opening)
    lid = -tall * (0.15 + 0.85 * opening)  # the upper lid cuts the ellipse
    ball = both(ellipse(x.abs() - EYES_APART, y, size, tall), lid - y)
    s.fill(ball, constant(palette.EYEBALL))
    shadow = both(ball, y - lid - 0.03)
    s.fill(shadow, constant(palette.EYEBALL) * 0.84)
    x = x - torch.where(x < 0, -EYES_APART, EYES_APART) - s["gaze_x"] * size * 0.34
    below = y - s["gaze_y"] * size * 0.22
    r = size * 0.72
    away = disc(x, below, 0.0)
    iris = s.colour("eyes") * (0.70 + 0.55 * step(below / r, -0.6, 0.9))[:, None]
    s.fill(both(away - r, ball), iris)
    s.fill(both(away - r * 0.56, ball), constant(palette.PUPIL))
    s.fill(both(disc(x + 0.32 * r, below + 0.36 * r, r * 0.34), ball), constant(palette.WHITE))
    s.fill(both(ball.abs() - LINE, y - lid * 0.35), constant(palette.INK))


def _closed_eyes(s: Scene) -> None:
    x, y = s.at(1.0)
    mirrored = x.abs() - EYES_APART
    across = mirrored / s["eye"]
    # a light lid: on dark skin the line alone could not be seen
    lid = both(ellipse(mirrored, y, s["eye"], s["eye"] * 0.9), y - 0.02 + across * across * 0.055)
    s.fill(lid, s.colour("skin_light") * 0.6 + s.colour("skin") * 0.4)
    slope = (1 + (across * 0.11 / s["eye"]).square()).sqrt()
    arc = (y - 0.02 + across * across * 0.055).abs() / slope - LINE
    s.fill(both(arc, (across.abs() - 1) * s["eye"]), constant(palette.INK))


def paint_brows(s: Scene) -> None:
    """Two bows that thin out, higher over large and wide eyes; a frown turns them inwards."""
    s = s.crop(-0.34, 0.34, -0.36, -0.06)
    x, y = s.at(0.95)
    across, half = x.abs() - EYES_APART - 0.005, 0.115
    place = -0.165 - 0.03 * s["eye_size"] - 0.03 * s["eye_opening"]
    bow = place - 0.16 * s["brow_angle"] * across + 2.2 * across * across
    thick = (0.014 + 0.020 * s["brow_thickness"]) * (1.1 - 0.225 * (across / half + 1))
    s.fill(both((y - bow).abs() * 0.95 - thick, across.abs() - half), s.colour("brows"), 0.95)
