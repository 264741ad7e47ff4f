"""Differentiable augmentation (Zhao et al. 2020): colour, translation, cutout; of real and generated images alike."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

SHIFT = 1 / 8  # largest translation, of the image's side
HOLE = 1 / 2  # side of the cutout, of the image's side


def diff_augment(
    images: Float[Tensor, "n c h w"], policy: Sequence[str], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Images in [-1, 1], each augmented by every part of `policy` (names of `PARTS`), in that order."""
    for name in policy:
        if name not in PARTS:
            raise InvalidInput("augment", f"{name[:40]!r} is not one of {', '.join(PARTS)}")
        images = PARTS[name](images, generator)
    return images


def _uniform(n: int, low: float, high: float, x: Tensor, generator: torch.Generator) -> Tensor:
    """[n, 1, 1, 1], drawn where the generator lives."""
    draw = torch.rand(n, 1, 1, 1, generator=generator, device=generator.device)
    return (low + (high - low) * draw).to(x)


def _brightness(x: Tensor, generator: torch.Generator) -> Tensor:
    return x + _uniform(len(x), -0.5, 0.5, x, generator)


def _saturation(x: Tensor, generator: torch.Generator) -> Tensor:
    grey = x.mean(1, keepdim=True)
    return grey + (x - grey) * _uniform(len(x), 0, 2, x, generator)


def _contrast(x: Tensor, generator: torch.Generator) -> Tensor:
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * _uniform(len(x), 0.5, 1.5, x, generator)


def _colour(x: Tensor, generator: torch.Generator) -> Tensor:
    return _contrast(_saturation(_brightness(x, generator), generator), generator)


def _whole(n: int, low: int, high: int, x: Tensor, generator: torch.Generator) -> Tensor:
    """[n, 1] whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, (n, 1), generator=generator, device=generator.device).to(x.device)


def _translation(x: Tensor, generator: torch.Generator) -> Tensor:
    """Moved by up to an eighth of the side, zeros coming in."""
    n, _, h, w = x.shape
    down, right = (_whole(n, -int(side * SHIFT + 0.5), int(side * SHIFT + 0.5), x, generator) for side in (h, w))
    rows = (torch.arange(h, device=x.device) + 1 - down).clamp(0, h + 1)  # [n, h], into an image with a border of zeros
    columns = (torch.arange(w, device=x.device) + 1 - right).clamp(0, w + 1)
    padded = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    which = torch.arange(n, device=x.device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(x: Tensor, generator: torch.Generator) -> Tensor:
    """A square of half the side set to zero; its centre may lie at the edge."""
    n, _, h, w = x.shape
    size = int(h * HOLE + 0.5), int(w * HOLE + 0.5)
    top, left = (_whole(n, 0, side - 1 + (1 - cut % 2), x, generator) - cut // 2 for side, cut in zip((h, w), size))
    rows, columns = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
    inside_rows = (rows >= top) & (rows < top + size[0])  # [n, h]
    inside_columns = (columns >= left) & (columns < left + size[1])
    return x * ~(inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]


PARTS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
