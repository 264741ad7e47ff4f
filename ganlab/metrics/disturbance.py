"""Pictures made worse step by step: what a distance should notice (Heusel et al. 2017, appendix A1, figure A8).

Each row of `DISTURBANCES` makes pictures [n, c, h, w] in [-1, 1] worse by one of its four strengths, of which the first
changes nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

Images = Float[Tensor, "n c h w"]
RECTANGLES = 5
FULL = 64  # pixels of a side for which the paper's blur and swirl are meant


@dataclass(frozen=True)
class Disturbance:
    """One row. `apply(images, strength, rng, others)`; `others`: as many pictures of another set."""

    title: str
    strengths: tuple[float, ...]
    apply: Callable[[Tensor, float, torch.Generator, Tensor | None], Tensor]
    needs_others: bool = False


def disturbed(name: str, images: Images, level: int, rng: torch.Generator, others: Images | None = None) -> Images:
    """Pictures disturbed by the level-th strength of a row, from 0; an unknown name or level raises `InvalidInput`."""
    if name not in DISTURBANCES:
        raise InvalidInput("disturbance", f"{name[:40]!r} is not one of {', '.join(DISTURBANCES)}")
    row = DISTURBANCES[name]
    if not 0 <= level < len(row.strengths):
        raise InvalidInput("level", f"must be from 0 to {len(row.strengths) - 1}, not {level}")
    if row.needs_others and (others is None or others.shape != images.shape):
        raise InvalidInput("others", f"must be {len(images)} pictures of another set, of the same size and channels")
    return row.apply(images, row.strengths[level], rng, others) if level else images


def _noise(x: Tensor, alpha: float, rng: torch.Generator, others: Tensor | None) -> Tensor:
    """(1 - alpha) x + alpha N, N normal with the range of pixels as its deviation."""
    return ((1 - alpha) * x + alpha * torch.randn(x.shape, generator=rng)).clamp(-1, 1)


def _blur(x: Tensor, sigma: float, rng: torch.Generator, others: Tensor | None) -> Tensor:
    """A Gaussian of deviation sigma, for pictures of 64 px; as many parts of the side for others."""
    sigma = sigma * x.shape[-1] / FULL
    reach = max(1, math.ceil(3 * sigma))
    taps = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * sigma**2))
    taps = (taps / taps.sum()).expand(x.shape[1], 1, 1, -1)
    mode = "reflect" if reach < x.shape[-1] else "replicate"
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode), taps, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode), taps.transpose(2, 3), groups=x.shape[1])


def _rectangles(x: Tensor, alpha: float, rng: torch.Generator, others: Tensor | None) -> Tensor:
    """Five black rectangles at random places, each with sides of up to alpha of the picture's."""
    n, _, h, w = x.shape
    rows, columns = torch.arange(h) / h, torch.arange(w) / w
    x = x.clone()
    for _ in range(RECTANGLES):
        u = torch.rand(n, 4, generator=rng)
        tall, wide = alpha * u[:, :1], alpha * u[:, 1:2]
        top, left = u[:, 2:3] * (1 - tall), u[:, 3:] * (1 - wide)
        inside = ((rows >= top) & (rows < top + tall))[:, :, None] & ((columns >= left) & (columns < left + wide))[
            :, None
        ]
        x = x.masked_fill(inside[:, None], -1.0)
    return x


def _swirl(x: Tensor, strength: float, rng: torch.Generator, others: Tensor | None) -> Tensor:
    """Turned about the middle, by `strength` radians there and less and less outwards."""
    n, _, h, w = x.shape
    down, across = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
    turn = strength * torch.exp(-2 * (across.square() + down.square()).sqrt())
    c, s = turn.cos(), turn.sin()
    grid = torch.stack((c * across - s * down, s * across + c * down), -1).expand(n, -1, -1, -1)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def _salt_and_pepper(x: Tensor, share: float, rng: torch.Generator, others: Tensor | None) -> Tensor:
    """A share of pixels becomes black or white."""
    u = torch.rand(len(x), 1, *x.shape[2:], generator=rng)
    return torch.where(u < share, torch.where(u < share / 2, -1.0, 1.0), x)


def _mixed(x: Tensor, share: float, rng: torch.Generator, others: Tensor | None) -> Tensor:
    """A share of the pictures is exchanged for pictures of another set."""
    assert others is not None  # `disturbed` sees to it
    strange = torch.randperm(len(x), generator=rng) < round(share * len(x))
    return torch.where(strange[:, None, None, None], others, x)


DISTURBANCES: dict[str, Disturbance] = {
    "noise": Disturbance("Gaussian noise", (0.0, 0.25, 0.5, 0.75), _noise),
    "blur": Disturbance("Gaussian blur", (0.0, 1.0, 2.0, 4.0), _blur),
    "rectangles": Disturbance("Black rectangles", (0.0, 0.25, 0.5, 0.75), _rectangles),
    "swirl": Disturbance("Swirl", (0.0, 1.0, 2.0, 4.0), _swirl),
    "salt-and-pepper": Disturbance("Salt and pepper", (0.0, 0.1, 0.2, 0.3), _salt_and_pepper),
    "mixed": Disturbance("Pictures of another set", (0.0, 0.25, 0.5, 0.75), _mixed, needs_others=True),
}
