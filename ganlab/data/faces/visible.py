"""Which attributes can be seen in a portrait: nobody can tell the colour of eyes behind sunglasses."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool
from torch import Tensor

from ganlab.data.faces.attributes import ATTRIBUTES, attribute
from ganlab.data.faces.captions import COVERING


def visible(values: Mapping[str, Tensor]) -> dict[str, Bool[Tensor, "n"]]:
    """Who shows each attribute, for all of `ATTRIBUTES`.

    `values` holds at least the choices, int64 [N] numbers of options: `Attributes.values`, or what a classifier sees.
    """

    def has(name: str, *options: str) -> Tensor:
        row = attribute(name)
        return torch.stack([values[name] == row.index(option) for option in options]).any(0)

    bald, covered = has("hairstyle", "bald"), has("hat", *COVERING)
    beardless = has("beard", "none")
    eyes = ~has("glasses", "sunglasses") & has("eyes", "open")
    cloth_hat = has("hat", "beanie", "cap", "party")
    seen = {
        "hair_length": ~bald,
        "hair_colour": ~bald | ~beardless,
        "hair_shade": ~bald | ~beardless,
        "parting": ~bald & ~covered & ~has("hairstyle", "spiky") & has("bangs", "no"),
        "bangs": ~bald & ~covered & ~has("hairstyle", "spiky"),
        "eyes": ~has("glasses", "sunglasses"),
        "eye_size": ~has("glasses", "sunglasses"),
        "eye_opening": eyes,
        "eye_colour": eyes,
        "gaze_x": eyes,
        "gaze_y": eyes,
        "mouth_opening": has("mouth", "open"),
        "accessory_colour": cloth_hat | has("glasses", "round", "square") | has("hairstyle", "pigtails"),
    }
    always = torch.ones_like(bald)
    return {name: seen.get(name, always) for name in ATTRIBUTES}
