"""Features without any network: the levels of a Laplacian pyramid (Burt and Adelson 1983)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LEVELS = 4
SMALLEST = 4  # pixels of a side below which no level is split further


def halved(images: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h2 w2"], Float[Tensor, "n c h w"]]:
    """Images at half the size, and those enlarged again: what is missing in them is one octave of detail."""
    small = F.avg_pool2d(images, 2)
    return small, enlarged(small)


def enlarged(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Images at twice the size, interpolated."""
    return F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)


def pyramid_features(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """Images in [-1, 1] as vectors whose Euclidean distance is the root mean square difference over levels.

    Each level holds the detail of one octave and weighs as much as every other, whatever its number of pixels, so
    shape counts as much as texture. In [0, 2] per level, roughly.
    """
    parts = []
    for _ in range(LEVELS - 1):
        if images.shape[-1] // 2 < SMALLEST:
            break
        small, low = halved(images)
        parts.append(images - low)
        images = small
    parts.append(images)
    scaled = [part.flatten(1) / part[0].numel() ** 0.5 for part in parts]
    return torch.cat(scaled, 1) / len(scaled) ** 0.5
