"""Convex polygons as pictures: data whose manifold is known (Lucic et al. 2018, section 6).

All that differs between two pictures is where the vertices are, so that it can be measured how far a picture is from
being one, and whether a generator can make each: `ganlab.metrics.polygons`.
"""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ganlab.data.faces.draws import uniforms

STREAM = 2  # of random numbers, apart from those of faces
RADII = (0.25, 0.42)  # of the circle through all vertices, in parts of the side
SPARE = 0.05  # least distance of that circle from the border
EVEN = 0.5  # of a full turn that is the same for all gaps between vertices; the rest is random
LEAST_AREA = 0.02  # parts of the picture: no triangle is smaller
Vertices = Float[Tensor, "n k 2"]


def vertices(seed: int, indices: Iterable[int], k: int) -> Vertices:
    """The vertices of polygons `indices` of `seed`: (right, down) in parts of the side, in order around the middle.

    They lie on a circle, so that the polygon is convex; any triangle has such a circle.
    """
    u = uniforms(seed, indices, k + 4, STREAM).double()
    radius = RADII[0] + (RADII[1] - RADII[0]) * u[:, 0]
    reach = radius + SPARE
    middle = reach[:, None] + (1 - 2 * reach[:, None]) * u[:, 1:3]
    gaps = -(1 - u[:, 4:]).clamp(min=1e-9).log()  # normalised: uniform among all that sum to one
    gaps = EVEN / k + (1 - EVEN) * gaps / gaps.sum(1, keepdim=True)
    angles = 2 * math.pi * (u[:, 3:4] + gaps.cumsum(1))
    around = torch.stack((angles.cos(), angles.sin()), -1) * radius[:, None, None]
    return (middle[:, None] + around).float()


def rendered(corners: Vertices, resolution: int, soft: float = 1.0) -> Float[Tensor, "n 1 r r"]:
    """White polygons on black in [-1, 1]; a gradient reaches the corners through the `soft` pixels of each edge.

    A pixel is as white as its middle is inside of the nearest edge, from half of `soft` pixels outside to as many
    inside. The corners may come in any order: they are taken in turn around their middle.
    """
    corners = in_order(corners)
    ahead = corners.roll(-1, 1) - corners  # [N, k, 2]: edges, clockwise on the screen
    length = ahead.norm(dim=-1).clamp(min=1e-6)
    normal = torch.stack((-ahead[..., 1], ahead[..., 0]), -1) / length[..., None]  # to the inside
    at = (torch.arange(resolution, device=corners.device) + 0.5) / resolution
    across = normal[..., 0, None] * (at - corners[..., 0, None])  # [N, k, R]
    down = normal[..., 1, None] * (at - corners[..., 1, None])
    inside = (down[..., :, None] + across[..., None, :]).amin(1)  # [N, R, R]: distance to the nearest edge
    return ((inside * (resolution / soft) + 0.5).clamp(0, 1) * 2 - 1)[:, None]


def in_order(corners: Vertices) -> Vertices:
    """The corners in turn around their middle, clockwise on the screen."""
    away = corners.detach() - corners.detach().mean(1, keepdim=True)
    turn = torch.atan2(away[..., 1], away[..., 0]).argsort(1)
    return corners.gather(1, turn[..., None].expand(-1, -1, 2))


def polygons(seed: int, indices: Iterable[int], k: int, resolution: int) -> UInt8[Tensor, "n 1 r r"]:
    """The pictures of `vertices`."""
    return (rendered(vertices(seed, indices, k), resolution) * 127.5 + 127.5).round().to(torch.uint8)


def areas(corners: Vertices) -> Float[Tensor, " n"]:
    """The areas inside, as parts of the picture (the shoelace formula)."""
    corners = in_order(corners)
    after = corners.roll(-1, 1)
    return ((corners[..., 0] * after[..., 1] - corners[..., 1] * after[..., 0]).sum(1) / 2).abs()
