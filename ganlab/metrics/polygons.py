"""Precision and recall where the manifold of the data is known: convex polygons (Lucic et al. 2018, section 6).

Distances are root mean squares over pixels of pictures in [-1, 1]: 0 is the same, 2 is black for white.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.polygons import LEAST_AREA, Vertices, areas, rendered
from ganlab.metrics.manifold import f_score

THRESHOLD = 0.2  # at 32 px about what half a pixel all along a triangle's outline makes
STEPS, RATE = 120, 0.02  # of the fit of corners; the rate in parts of the side
SOFTEST = 8.0  # pixels of an edge while the fit begins: farther edges are felt
TURNS = 3  # regular polygons that a fit begins from, turned
AT_ONCE = 32
CANDIDATES = 500  # random latents of which each search begins at the nearest
SEARCH, LATENT_RATE = 120, 0.05
Tick = Callable[[int, int], None]  # (done, of)


class PolygonScore(NamedTuple):
    """How well a generator has learned polygons."""

    precision: float  # share of generated pictures that are polygons
    recall: float  # share of polygons that the generator can make
    f1: float
    off: float  # mean distance of generated pictures to the nearest polygon
    missed: float  # mean distance of polygons to the nearest picture that was found


class Fit(NamedTuple):
    """The nearest polygons of pictures."""

    distance: Float[Tensor, " n"]
    corners: Vertices


def nearest_polygon(images: Float[Tensor, "n 1 r r"], k: int, tick: Tick | None = None) -> Fit:
    """The distance of each picture to the manifold of polygons with k corners, and the polygon that is nearest.

    The corners are moved down the gradient of the squared difference, with edges that begin soft, from regular polygons
    of the picture's area and place. A minimum that is not the least makes a distance too large, never too small. A
    picture of nothing is no polygon: it is as far off as nothing is from the smallest one.
    """
    parts = []
    for part in images.float().clamp(-1, 1).split(AT_ONCE):
        parts.append(_fitted(part, k))
        if tick is not None:
            tick(sum(len(found.distance) for found in parts), len(images))
    return Fit(torch.cat([part.distance for part in parts]), torch.cat([part.corners for part in parts]))


@torch.enable_grad()
def _fitted(images: Tensor, k: int) -> Fit:
    side, n = images.shape[-1], len(images)
    corners = _starts(images, k).requires_grad_(True)  # [N * TURNS, k, 2]
    targets = images.repeat_interleave(TURNS, 0)
    optimizer = torch.optim.Adam([corners], RATE, betas=(0.8, 0.9))
    for step in range(STEPS):
        part = step / STEPS
        optimizer.param_groups[0]["lr"] = RATE * (1 - part) ** 2 + RATE / 200
        soft = max(1.0, SOFTEST ** (1 - 2 * part))
        loss = (rendered(corners, side, soft) - targets).square().mean((1, 2, 3)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        off = distance(rendered(corners, side), targets).reshape(n, TURNS)
        best = off.argmin(1)
        rows = torch.arange(n, device=images.device)
        found, chosen = off[rows, best], corners.detach().reshape(n, TURNS, k, 2)[rows, best]
        nothing = 2 * LEAST_AREA**0.5
        return Fit(torch.where(areas(chosen) < LEAST_AREA / 2, found.clamp(min=nothing), found), chosen)


def _starts(images: Tensor, k: int) -> Tensor:
    """Regular polygons about each picture's middle, stretched as its white is, each turned in several ways."""
    side = images.shape[-1]
    white = (images[:, 0] + 1) / 2 + 1e-4
    at = (torch.arange(side, device=images.device) + 0.5) / side
    mass = white.sum((1, 2))
    x, y = (white.sum(1) * at).sum(1) / mass, (white.sum(2) * at).sum(1) / mass
    dx, dy = at - x[:, None], at - y[:, None]  # [N, R]
    xx, yy = (white.sum(1) * dx.square()).sum(1) / mass, (white.sum(2) * dy.square()).sum(1) / mass
    xy = (white * dy[:, :, None] * dx[:, None, :]).sum((1, 2)) / mass
    values, axes = torch.linalg.eigh(torch.stack((torch.stack((xx, xy), -1), torch.stack((xy, yy), -1)), -1))
    stretch = (axes * (2 * values.clamp(min=1e-4).sqrt())[:, None, :]) @ axes.mT  # [N, 2, 2]
    turns = torch.arange(TURNS) / (TURNS * k) + torch.arange(k)[:, None] / k  # [k, TURNS]
    around = torch.stack(((2 * torch.pi * turns).cos(), (2 * torch.pi * turns).sin()), -1).to(images)  # [k, TURNS, 2]
    corners = torch.einsum("nij,ktj->ntki", stretch, around) + torch.stack((x, y), -1)[:, None, None]
    return corners.clamp(0, 1).flatten(0, 1)


def distance(a: Float[Tensor, "n c h w"], b: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Root mean square differences."""
    return (a - b).square().mean((1, 2, 3)).sqrt()


@torch.enable_grad()
def distance_by_inversion(
    draw: Callable[[Tensor], Tensor],
    z_dim: int,
    targets: Float[Tensor, "n c h w"],
    rng: torch.Generator,
    steps: int = SEARCH,
    tick: Tick | None = None,
) -> Float[Tensor, " n"]:
    """How near a generator comes to each target: gradient descent of z from the nearest of some random ones.

    `draw`: z [N, z_dim] to pictures, differentiable. Another end of a search would only be nearer: recall is a bound
    from below.
    """
    device = targets.device
    z = torch.randn(CANDIDATES, z_dim, generator=rng).to(device)
    with torch.no_grad():
        made = torch.cat([draw(part) for part in z.split(AT_ONCE)])
    first = torch.cdist(targets.flatten(1), made.flatten(1)).argmin(1)
    best = distance(made[first], targets)
    z = z[first].clone().requires_grad_(True)
    optimizer = torch.optim.Adam([z], LATENT_RATE, betas=(0.9, 0.99))
    for step in range(steps):
        off = torch.cat([distance(draw(a), b) for a, b in zip(z.split(AT_ONCE), targets.split(AT_ONCE), strict=True)])
        best = torch.minimum(best, off.detach())
        (z.grad,) = torch.autograd.grad(off.square().sum(), z)
        optimizer.step()
        if tick is not None:
            tick(step + 1, steps)
    return best


def polygon_score(off: Float[Tensor, " n"], missed: Float[Tensor, " m"], threshold: float = THRESHOLD) -> PolygonScore:
    """Precision, recall and F1 of distances to the manifold and of distances by inversion."""
    if not len(off) or not len(missed) or threshold <= 0:
        raise InvalidInput("threshold", "must be above 0, of one distance or more")
    precision, recall = float((off <= threshold).double().mean()), float((missed <= threshold).double().mean())
    return PolygonScore(precision, recall, f_score(precision, recall), float(off.mean()), float(missed.mean()))
