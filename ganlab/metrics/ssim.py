"""MS-SSIM (Wang et al. 2003): how alike two pictures are in structure, at five scales.

Odena et al. 2017 take its mean over pairs of one class as a measure of diversity: low is varied, and no generator
should be above its data.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, from the finest (Wang et al. 2003, sec. 3.2)
WINDOW, SIGMA = 11, 1.5  # of the Gaussian
K1, K2 = 0.01, 0.03
SMALLEST = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1  # pixels of a side


def ms_ssim(
    a: Float[Tensor, "n c h w"], b: Float[Tensor, "n c h w"], span: float = 2.0, weights: tuple[float, ...] = WEIGHTS
) -> Float[Tensor, "n"]:
    """From 0 to 1 for each pair, mean over channels. `span`: from the darkest to the brightest value.

    Fewer `weights` make it a measure at fewer scales, for small pictures; five need 161 pixels a side.
    """
    fewest = (WINDOW - 1) * 2 ** (len(weights) - 1) + 1
    if min(a.shape[-2:]) < fewest:
        raise InvalidInput("images", f"must have {fewest} pixels a side for {len(weights)} scales, not {a.shape[-1]}")
    x, y, parts = a.double(), b.double(), []
    for i, weight in enumerate(weights):
        whole, contrast = _ssim(x, y, span)
        last = i == len(weights) - 1
        parts.append((whole if last else contrast).clamp(min=0) ** weight)
        if not last:
            odd = [side % 2 for side in x.shape[-2:]]
            x, y = (F.avg_pool2d(image, 2, padding=(odd[0], odd[1])) for image in (x, y))
    return torch.stack(parts).prod(0).mean(1).float()


def weights_of(side: int) -> tuple[float, ...]:
    """The usual weights for pictures that are large enough; of fewer scales, adding up to 1, for smaller ones."""
    count = max([k for k in range(1, len(WEIGHTS) + 1) if (WINDOW - 1) * 2 ** (k - 1) < side], default=1)
    return tuple(weight / sum(WEIGHTS[:count]) for weight in WEIGHTS[:count]) if count < len(WEIGHTS) else WEIGHTS


def similarities(
    images: Float[Tensor, "n c h w"], pairs: int, rng: torch.Generator, **more: object
) -> Float[Tensor, "pairs"]:
    """Of random pairs of different pictures, as many as `pairs`."""
    n = len(images)
    if n < 2 or pairs < 1:
        raise InvalidInput("images", "must be two or more, and pairs at least 1")
    first = torch.randint(n, (pairs,), generator=rng)
    second = (first + torch.randint(1, n, (pairs,), generator=rng)) % n
    return ms_ssim(images[first], images[second], **more)  # type: ignore[arg-type]


def _ssim(x: Tensor, y: Tensor, span: float) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c"]]:
    """SSIM, and its part without luminance (Wang et al. 2004, eq. 13), means over the picture."""
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    mean_x, mean_y = _blurred(x), _blurred(y)
    xx, yy = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    xy = _blurred(x * y) - mean_x * mean_y
    contrast = (2 * xy + c2) / (xx + yy + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * contrast).flatten(2).mean(2), contrast.flatten(2).mean(2)


def _blurred(x: Tensor) -> Tensor:
    places = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    taps = torch.exp(-(places**2) / (2 * SIGMA**2))
    taps, c = (taps / taps.sum()), x.shape[1]
    x = F.conv2d(x, taps.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return F.conv2d(x, taps.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)
