"""The named colours of the faces' world, and the colours that one person is painted with."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

RGB = tuple[int, int, int]

# few, saturated and far apart: a word for a colour must be beyond doubt at 32 pixels
SKIN: dict[str, RGB] = {
    "fair": (255, 224, 200),
    "light": (248, 206, 172),
    "medium": (232, 178, 136),
    "tan": (205, 142, 98),
    "brown": (160, 102, 66),
    "dark": (118, 75, 54),
}
HAIR: dict[str, RGB] = {
    "black": (46, 40, 48),
    "brown": (106, 66, 42),
    "blond": (240, 205, 116),
    "red": (200, 82, 36),
    "gray": (150, 152, 162),
    "white": (240, 236, 230),
    "pink": (244, 130, 176),
    "blue": (70, 120, 214),
    "green": (84, 168, 110),
    "purple": (140, 92, 190),
}
EYES: dict[str, RGB] = {"brown": (110, 66, 36), "blue": (64, 130, 210), "green": (70, 150, 90), "gray": (124, 136, 150)}
BACKGROUND: dict[str, RGB] = {
    "blue": (122, 184, 240),
    "green": (146, 212, 158),
    "yellow": (252, 218, 118),
    "orange": (250, 172, 110),
    "pink": (250, 178, 200),
    "purple": (182, 160, 232),
    "gray": (200, 204, 212),
    "teal": (96, 196, 190),
}
CLOTH: dict[str, RGB] = {
    "red": (214, 70, 70),
    "blue": (62, 106, 190),
    "green": (66, 146, 96),
    "yellow": (242, 196, 70),
    "white": (244, 244, 246),
    "black": (56, 58, 70),
    "purple": (132, 88, 176),
    "orange": (238, 132, 62),
}

INK = (0.16, 0.11, 0.12)  # outlines and lids; softer than black
WHITE = (1.0, 1.0, 1.0)
EYEBALL = (0.985, 0.98, 0.97)
PUPIL = (0.07, 0.05, 0.07)
THROAT = (0.40, 0.10, 0.13)
TEETH = (0.98, 0.97, 0.95)
TONGUE = (0.88, 0.40, 0.42)
LIPSTICK = (0.82, 0.14, 0.24)
BLUSH = (0.96, 0.42, 0.40)
GOLD = (0.98, 0.79, 0.25)
PALE_GOLD = (1.0, 0.93, 0.62)
CREAM = (1.0, 0.97, 0.90)
DARK_GLASS = (0.13, 0.13, 0.18)
DARK_FRAME = (0.10, 0.10, 0.13)
CLEAR_GLASS = (0.88, 0.96, 1.0)
STRIPE = (0.97, 0.96, 0.94)
STRIPE_ON_WHITE = (0.25, 0.38, 0.62)  # a white stripe on a white shirt could not be seen


def _table(colours: Mapping[str, RGB]) -> Float[Tensor, "k 3"]:
    return torch.tensor(list(colours.values()), dtype=torch.float32) / 255


def constant(colour: tuple[float, float, float]) -> Float[Tensor, "1 3 1 1"]:
    """A colour that does not depend on the person."""
    return torch.tensor(colour).view(1, 3, 1, 1)


def colours(values: Mapping[str, Tensor]) -> dict[str, Float[Tensor, "n 3"]]:
    """The colours of each person by their part, in [0, 1]; `values` are those of `Attributes`, each [N]."""
    tones = _table(SKIN)
    tone = values["skin"].clamp(0, len(tones) - 1 - 1e-4)
    lower = tone.long()
    between = (tone - lower)[:, None]
    skin = tones[lower] * (1 - between) + tones[lower + 1] * between
    hair = (_table(HAIR)[values["hair_colour"]] * (1 + 0.08 * values["hair_shade"][:, None])).clamp(max=1)
    cloth = _table(CLOTH)
    clothes = cloth[values["clothes_colour"]]
    shadow = skin * torch.tensor([0.80, 0.70, 0.70])
    on_white = (values["clothes_colour"] == list(CLOTH).index("white"))[:, None]
    return {
        "skin": skin,
        "skin_shadow": shadow,
        "skin_light": skin + (1 - skin) * 0.35,
        "lips": shadow * torch.tensor([0.86, 0.60, 0.62]),
        "freckles": shadow * torch.tensor([0.80, 0.62, 0.52]),
        "hair": hair,
        "hair_dark": hair * (0.42 + 0.34 * hair),
        "hair_light": hair + (1 - hair) * 0.32,
        "brows": hair * 0.68,
        "eyes": _table(EYES)[values["eye_colour"]],
        "background": _table(BACKGROUND)[values["background"]],
        "clothes": clothes,
        "stripes": torch.where(on_white, torch.tensor(STRIPE_ON_WHITE), torch.tensor(STRIPE)),
        "accessory": cloth[values["accessory_colour"]],
    }
