"""Divergences between a known density and a generator's samples, on a grid; and the sliced Wasserstein distance.

A density on a grid is a tensor [..., C] of values at the C = n^dim cells of `grid_points`. Every divergence is in nats
and normalises both densities to sum 1 first, so JS lies in [0, ln 2] whatever the cell size.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

FLOOR = 1e-12  # smallest probability of a cell in the second argument of a KL divergence


def grid_points(extent: float, n: int, dim: int) -> Float[Tensor, "cells dim"]:
    """The middles of n^dim equal cells of the box [-extent, extent]^dim, [n^dim, dim], float32.

    In 2D the x coordinate runs fastest and y upwards: `values.view(n, n)[iy, ix]` is what a heatmap wants.
    """
    axis = ((torch.arange(n, dtype=torch.float64) + 0.5) * (2 / n) - 1) * extent
    axes = torch.meshgrid(*[axis] * dim, indexing="ij")
    return torch.stack([a.flatten() for a in reversed(axes)], dim=-1).float()


def histogram_density(
    samples: Float[Tensor, "*batch n dim"], extent: float, n: int, smooth: int = 1
) -> Float[Tensor, "*batch cells"]:
    """An estimate of the density of `samples` at `grid_points(extent, n, dim)`, [..., n^dim]; it integrates to 1.

    A histogram smoothed `smooth` times by the kernel (1, 2, 1)/4 along each axis (standard deviation .7 cells for
    once), which keeps the mass. Samples outside are counted in the nearest cell of the border, so that a generator
    far off is seen as far off; samples that are not finite are left out. With none left all values are 0.
    """
    *batch, count, dim = samples.shape
    flat = samples.detach().reshape(-1, count, dim)  # [B, N, dim]
    finite = flat.isfinite().all(-1)
    place = ((flat / extent + 1) * (n / 2)).nan_to_num(0.0).clamp(0, n - 1).long()  # truncates: the cell
    strides = torch.tensor([n**i for i in range(dim)], device=flat.device)
    index = (place * strides).sum(-1) + n**dim * torch.arange(len(flat), device=flat.device)[:, None]  # [B, N]
    mass = torch.bincount(index[finite], minlength=len(flat) * n**dim).float().reshape(-1, *[n] * dim)
    for _ in range(smooth):
        for axis in range(1, dim + 1):
            mass = _smoothed(mass, axis)
    volume = (2 * extent / n) ** dim
    density = mass.reshape(-1, n**dim) / (finite.sum(1, keepdim=True).clamp(min=1) * volume)
    return density.reshape(*batch, n**dim)


def _smoothed(mass: Tensor, axis: int) -> Tensor:
    n = mass.shape[axis]
    before = torch.cat((mass.narrow(axis, 0, 1), mass.narrow(axis, 0, n - 1)), axis)
    after = torch.cat((mass.narrow(axis, 1, n - 1), mass.narrow(axis, n - 1, 1)), axis)
    return (before + 2 * mass + after) / 4


def optimal_discriminator(p_data: Float[Tensor, "*cells"], p_g: Float[Tensor, "*cells"]) -> Float[Tensor, "*cells"]:
    """D*(x) = p_data / (p_data + p_g) (Goodfellow et al. 2014, proposition 1); 1/2 where both are 0."""
    total = p_data + p_g
    return torch.where(total > 0, p_data / total, 0.5)


def kl(p: Float[Tensor, "*p_cells"], q: Float[Tensor, "*q_cells"], floor: float = FLOOR) -> Float[Tensor, "*batch"]:
    """KL(p || q) in nats over the last axis, [...]; other axes broadcast.

    A cell of q below `floor` counts as `floor`: an estimate from samples is 0 nearly everywhere, and the true value
    would then always be infinite (floor 0 gives it). NaN if p or q is 0 everywhere.
    """
    p, q = _normalised(p), _normalised(q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q.clamp(min=floor))).sum(-1).float()


def reverse_kl(
    p: Float[Tensor, "*p_cells"], q: Float[Tensor, "*q_cells"], floor: float = FLOOR
) -> Float[Tensor, "*batch"]:
    """KL(q || p): large where q puts mass that p does not have. See `kl`."""
    return kl(q, p, floor)


def js(p: Float[Tensor, "*p_cells"], q: Float[Tensor, "*q_cells"]) -> Float[Tensor, "*batch"]:
    """The Jensen-Shannon divergence in nats over the last axis, in [0, ln 2]; NaN if p or q is 0 everywhere."""
    p, q = _normalised(p), _normalised(q)
    middle = (p + q) / 2
    entropy = torch.xlogy(p, p) / 2 + torch.xlogy(q, q) / 2 - torch.xlogy(middle, middle)
    return entropy.sum(-1).clamp(0, math.log(2)).float()


def _normalised(p: Tensor) -> Tensor:
    p = p.double()
    return p / p.sum(-1, keepdim=True)


def sliced_wasserstein(
    x: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    directions: int = 64,
    *,
    rng: torch.Generator,
    p: int = 1,
) -> float:
    """The sliced Wasserstein-p distance (mean over directions of W_p^p)^(1/p), in the units of the samples.

    Bonneel et al. 2015. In 1D it is the Wasserstein distance itself; in 2D the directions are evenly spread from a
    random first one, beyond that they are random. Sets of unequal size are matched exactly, quantile by quantile.
    NaN if a sample is not finite.
    """
    x, y = x.detach().double(), y.detach().double()
    if not (x.isfinite().all() and y.isfinite().all()):
        return math.nan
    axes = _directions(x.shape[1], directions, rng).to(x.device)  # [dim, L]
    a, b = (x @ axes).sort(0).values, (y @ axes).sort(0).values  # [N, L], [M, L]
    if len(a) == len(b):
        cost = (a - b).abs().pow(p).mean()
    else:
        i, j, length = _matching(len(a), len(b))
        cost = ((a[i] - b[j]).abs().pow(p) * length.to(a)[:, None]).sum(0).mean()
    return float(cost ** (1 / p))


def _directions(dim: int, count: int, rng: torch.Generator) -> Tensor:
    if dim == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    if dim == 2:  # opposite directions give the same, so half a turn is enough
        first = torch.rand(1, generator=rng, dtype=torch.float64)
        angle = (torch.arange(count) + first) * (math.pi / count)
        return torch.stack((angle.cos(), angle.sin()))
    return torch.nn.functional.normalize(torch.randn(dim, count, generator=rng, dtype=torch.float64), dim=0)


def _matching(n: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pieces of [0, 1] on which both quantile functions are constant: index into each, and length. All [n+m-1]."""
    # in units of 1/(n m), so that equal break points are equal
    breaks = torch.cat((torch.arange(0, n + 1) * m, torch.arange(0, m + 1) * n)).unique()
    start = breaks[:-1]
    return start // m, start // n, breaks.diff().double() / (n * m)
