"""People to pictures: the order in which they are painted, a few at a time."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.faces import accessories, backdrop, hair, head
from ganlab.data.faces.attributes import Attributes, sample
from ganlab.data.faces.draws import Grain, checked, grain
from ganlab.data.faces.scene import open_scene

SMALLEST, LARGEST = 32, 512
AT_ONCE = 24 * 64 * 64  # pixels painted together: as many as stay in the cache
ON_GPU = 2048 * 128 * 128  # the same on a GPU, whose orders take longer than the pixels otherwise

PAINTERS = (  # from the back to the front
    backdrop.paint_background,
    hair.paint_back_hair,
    backdrop.paint_body,
    head.paint_head,
    hair.paint_beard,
    head.paint_mouth,
    head.paint_nose,
    hair.paint_mustache,
    head.paint_eyes,
    head.paint_brows,
    accessories.paint_glasses,
    hair.paint_front_hair,
    accessories.paint_hats,
    accessories.paint_earrings,
)


def render(attributes: Attributes, detail: Grain, resolution: int) -> Float[Tensor, "n 3 h w"]:
    """Portraits of people with their random detail, in [0, 1]; no picture depends on the others.

    `resolution` is both height and width, from 32 to 512 pixels. On a GPU, call it under `torch.device` of that one.
    """
    side = _side(resolution)
    if len(attributes) != len(detail):
        raise InvalidInput("grain", f"is for {len(detail)} pictures, the attributes are for {len(attributes)}")
    out = torch.empty(len(attributes), 3, side, side)
    for rows in _batches(len(attributes), side, ON_GPU if out.is_cuda else AT_ONCE):
        scene = open_scene(attributes.rows(rows), detail.rows(rows), side)
        for paint in PAINTERS:
            paint(scene)
        out[rows] = scene.image.clamp_(0, 1)
    return out


def faces(seed: int, indices: Iterable[int], resolution: int) -> tuple[UInt8[Tensor, "n 3 h w"], Attributes]:
    """Images `indices` of the endless set `seed`, and who is in them; image i is always the same."""
    chosen, side = checked(seed, indices), _side(resolution)
    people = sample(seed, chosen)
    images = torch.empty(len(chosen), 3, side, side, dtype=torch.uint8)
    for rows in _batches(len(chosen), side, AT_ONCE):
        drawn = render(people.rows(rows), grain(seed, chosen[rows]), side)
        images[rows] = drawn.mul_(255).add_(0.5).to(torch.uint8)
    return images, people


def _batches(count: int, side: int, pixels: int) -> list[slice]:
    size = max(1, pixels // (side * side))
    return [slice(start, start + size) for start in range(0, count, size)]


def _side(resolution: int) -> int:
    if isinstance(resolution, bool) or not isinstance(resolution, int) or not SMALLEST <= resolution <= LARGEST:
        allowed = f"a whole number of pixels from {SMALLEST} to {LARGEST}"
        raise InvalidInput("resolution", f"must be {allowed}, not {str(resolution)[:40]}")
    return resolution
