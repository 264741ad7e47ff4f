"""EQ-T and EQ-R: whether a picture moves with its input, or details stick to the pixels (Karras et al. 2021, sec. 2).

Decibels: the peak signal, 2 for images in [-1, 1], against the mean squared difference between the picture of the moved
input and the moved picture, over the pixels that both show.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

FARTHEST = 0.125  # part of the width that EQ-T moves by at most
LOBES = 3  # of the sinc by which pictures are turned
PEAK = 2.0  # from the darkest to the brightest
Draw = Callable[[float, float, float], Float[Tensor, "n c h w"]]  # (right, down, turn): pictures of the moved input


def eq_t(draw: Draw, moves: int, rng: torch.Generator) -> Float[Tensor, "errors 2"]:
    """EQ-T, for whole pixels: the squared error of each picture and move, and its pixels; `decibels` are the figure.

    `draw(right, down, turn)` draws the same latents, moved by parts of the width.
    """
    still = draw(0.0, 0.0, 0.0)
    side = still.shape[-1]
    errors = []
    for _ in range(moves):
        steps = ((torch.rand(2, generator=rng) * 2 - 1) * FARTHEST * side).round().int().tolist()
        made = draw(steps[0] / side, steps[1] / side, 0.0)
        ours, theirs = _overlap(made, steps[0], steps[1]), _overlap(still, -steps[0], -steps[1])
        errors.append(_squared(ours - theirs))
    return torch.cat(errors)


def eq_r(draw: Draw, moves: int, rng: torch.Generator) -> Float[Tensor, "errors 2"]:
    """EQ-R, for turns by any angle, inside the largest circle. Otherwise as `eq_t`."""
    still = draw(0.0, 0.0, 0.0)
    errors = []
    for _ in range(moves):
        angle = float(torch.rand(1, generator=rng)) * 2 * math.pi
        turned, inside = rotated(still, angle)
        errors.append(_squared((draw(0.0, 0.0, angle) - turned)[..., inside]))
    return torch.cat(errors)


def decibels(errors: Float[Tensor, "errors 2"]) -> float:
    """The figure of all errors; infinite where there is none."""
    total, count = errors.sum(0).tolist()
    return 10 * math.log10(PEAK**2 * count / total) if total > 0 else math.inf


def rotated(images: Float[Tensor, "n c s s"], angle: float) -> tuple[Float[Tensor, "n c s s"], Tensor]:
    """Pictures turned clockwise by an angle in radians about their middle, and where they are whole, bool [s, s].

    Each pixel is a sum of its neighbourhood, weighted by a windowed sinc (Lanczos) along both axes.
    """
    side = images.shape[-1]
    middle = (side - 1) / 2
    y, x = torch.meshgrid(torch.arange(side) - middle, torch.arange(side) - middle, indexing="ij")
    c, s = math.cos(angle), math.sin(angle)
    from_x, from_y = c * x + s * y + middle, -s * x + c * y + middle  # where each pixel comes from
    out = torch.zeros_like(images)
    padded = F.pad(images, (LOBES,) * 4)
    left, top = from_x.floor(), from_y.floor()
    for j in range(1 - LOBES, LOBES + 1):
        for i in range(1 - LOBES, LOBES + 1):
            weight = _lanczos(from_x - left - i) * _lanczos(from_y - top - j)
            column = (left + i + LOBES).long().clamp(0, side + 2 * LOBES - 1)
            row = (top + j + LOBES).long().clamp(0, side + 2 * LOBES - 1)
            out += padded[..., row, column] * weight
    return out, torch.hypot(x, y) < middle - LOBES


def _lanczos(x: Tensor) -> Tensor:
    return torch.where(x.abs() < LOBES, torch.sinc(x) * torch.sinc(x / LOBES), 0.0)


def _overlap(images: Tensor, right: int, down: int) -> Tensor:
    """What is left of pictures when as many columns and rows have come in at the left and the top (or gone there)."""
    height, width = images.shape[-2:]
    rows = slice(max(down, 0), height + min(down, 0))
    columns = slice(max(right, 0), width + min(right, 0))
    return images[..., rows, columns]


def _squared(wrong: Tensor) -> Float[Tensor, "n 2"]:
    each = wrong.flatten(1).double().square().sum(1)
    return torch.stack([each, torch.full_like(each, wrong[0].numel())], 1)
