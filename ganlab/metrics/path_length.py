"""Perceptual path length (Karras et al. 2019, sec. 4.1): how much pictures change for a small step in latent space."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

EPSILON = 1e-4  # of the way between two latents
TRIMMED = 0.01  # of the distances at each end are left out (Karras et al. 2019 and 2020, in their code)
Draw = Callable[[Tensor], Tensor]  # pictures of latents [N, d]
Distance = Callable[[Tensor, Tensor], Float[Tensor, "n"]]  # of pairs of pictures, squared


def path_lengths(
    start: Float[Tensor, "n d"],
    end: Float[Tensor, "n d"],
    draw: Draw,
    distance: Distance,
    t: Float[Tensor, "n"],
    *,
    space: Literal["z", "w"] = "w",
    epsilon: float = EPSILON,
) -> Float[Tensor, "n"]:
    """The squared distance of pictures `epsilon` apart on the way from `start` to `end`, over epsilon squared.

    t: place of the first picture on the way; uniform in [0, 1) for the full path, zeros for its ends (as Karras et al.
    2020 take them). `space` z: along great circles, w: along lines. The distance belongs to the figure's name; papers
    take LPIPS. The figure of a generator is their `trimmed_mean`.
    """
    if epsilon <= 0:
        raise InvalidInput("epsilon", "must be above 0")
    between = slerp if space == "z" else torch.lerp
    first, second = (between(start, end, (t + step)[:, None]) for step in (0.0, epsilon))
    return distance(draw(first), draw(second)).double() / epsilon**2


def trimmed_mean(values: Float[Tensor, "n"], trimmed: float = TRIMMED) -> float:
    """The mean without a part of the values at each end."""
    if not 0 <= trimmed < 0.5:
        raise InvalidInput("trimmed", "must be from 0 to less than 0.5")
    if not trimmed:
        return float(values.mean())
    lo, hi = (torch.quantile(values, q, interpolation=how) for q, how in ((trimmed, "lower"), (1 - trimmed, "higher")))
    return float(values[(values >= lo) & (values <= hi)].mean())


def slerp(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], t: Float[Tensor, "n 1"]) -> Float[Tensor, "n d"]:
    """Along the great circle from the direction of a to that of b, length 1 (Shoemake 1985)."""
    a, b = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
    angle = t * (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
    aside = b - (a * b).sum(1, keepdim=True) * a
    aside = aside / aside.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return a * angle.cos() + aside * angle.sin()
