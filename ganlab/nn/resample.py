"""FIR resampling by powers of two, as upfirdn (upsample, filter, downsample) of Karras et al. 2020, appendix B.

In plain torch and differentiable; a filter is a 1D or 2D tensor of taps that sum to 1.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Pads = tuple[int, int, int, int]  # left, right, top, bottom; negative ones crop


def exact(x: Tensor) -> contextlib.AbstractContextManager[Any]:
    """A context in which autocast leaves things on x's device in the type that they have."""
    return torch.autocast(x.device.type, enabled=False)


def make_filter(taps: Sequence[float]) -> Tensor:
    """Taps as a filter that sums to 1: the outer product [n, n] of a short one, itself [n] from 8 taps on."""
    f = torch.tensor(list(taps), dtype=torch.float32)
    if f.ndim == 1 and len(f) < 8:
        f = f.outer(f)
    return f / f.sum()


def upfirdn2d(
    x: Float[Tensor, "n c h w"], f: Tensor, up: int = 1, down: int = 1, pads: Pads = (0, 0, 0, 0), gain: float = 1.0
) -> Float[Tensor, "n c h2 w2"]:
    """Inserts up - 1 zeros after each pixel, pads, convolves with `f`, keeps every down-th pixel."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    padding = pads[0] if min(pads) == max(pads) >= 0 else 0
    if not padding:
        x = F.pad(x, pads)
    taps = (f * gain ** (f.ndim / 2)).flip(tuple(range(f.ndim))).to(x.dtype)  # a convolution, not a correlation
    with exact(x):
        if f.ndim == 2:
            return F.conv2d(x, taps.expand(c, 1, -1, -1), stride=down, padding=padding, groups=c)
        across, along = taps.view(1, 1, 1, -1).expand(c, -1, -1, -1), taps.view(1, 1, -1, 1).expand(c, -1, -1, -1)
        x = F.conv2d(x, across, stride=(1, down), padding=(0, padding), groups=c)
        return F.conv2d(x, along, stride=(down, 1), padding=(padding, 0), groups=c)


def upsample2d(x: Float[Tensor, "n c h w"], f: Tensor) -> Float[Tensor, "n c h2 w2"]:
    """Twice as large, brightness kept."""
    n = f.shape[-1]
    first, last = (n + 1) // 2, (n - 2) // 2
    return upfirdn2d(x, f, up=2, pads=(first, last, first, last), gain=4)


def downsample2d(x: Float[Tensor, "n c h w"], f: Tensor) -> Float[Tensor, "n c h2 w2"]:
    """Half as large."""
    n = f.shape[-1]
    first, last = (n - 1) // 2, (n - 2) // 2
    return upfirdn2d(x, f, down=2, pads=(first, last, first, last))


def conv_up2d(x: Float[Tensor, "n c h w"], weight: Float[Tensor, "o c k k"], f: Tensor) -> Float[Tensor, "n o h2 w2"]:
    """Transposed convolution with stride 2, then the filter: twice as large."""
    k, n = weight.shape[-1], f.shape[-1]
    if k == 3 and n % 2 == 0 and _joins(x, f):
        return F.conv_transpose2d(x, joined(weight, 4 * f).transpose(0, 1), stride=2, padding=n // 2)
    if k == 1:
        return upsample2d(F.conv2d(x, weight), f)
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [n, o, 2h + k - 2, 2w + k - 2]
    first = k // 2 + (n + 1) // 2 - (k - 1)
    last = k // 2 + (n - 2) // 2 - (k - 2)
    return upfirdn2d(x, f, pads=(first, last, first, last), gain=4)


def conv_down2d(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "o c k k"], f: Tensor, bias: Float[Tensor, "o"] | None = None
) -> Float[Tensor, "n o h2 w2"]:
    """The filter, then a convolution with stride 2: half as large."""
    k, n = weight.shape[-1], f.shape[-1]
    first, last = k // 2 + (n - 1) // 2, k // 2 + (n - 2) // 2
    if _joins(x, f):
        return F.conv2d(F.pad(x, (first, last, first, last)), joined(weight, f.flip(0, 1)), bias, stride=2)
    if k == 1:
        return F.conv2d(downsample2d(x, f), weight, bias)
    return F.conv2d(upfirdn2d(x, f, pads=(first, last, first, last)), weight, bias, stride=2)


def joined(weight: Float[Tensor, "o c k k"], f: Float[Tensor, "n n"]) -> Float[Tensor, "o c m m"]:
    """One kernel in place of a convolution and a filter, m = k + n - 1: each tap of the weight, filtered."""
    k, n = weight.shape[-1], f.shape[-1]
    taps = torch.eye(k * k, dtype=f.dtype, device=f.device).view(k * k, 1, k, k)
    with exact(f):
        spread = F.conv2d(taps, f.flip(0, 1)[None, None], padding=n - 1).flatten(1)  # [k * k, m * m]
        return (weight.flatten(2).to(f.dtype) @ spread).unflatten(2, (k + n - 1, k + n - 1))


def _joins(x: Tensor, f: Tensor) -> bool:
    """GPUs multiply four times as much in a fraction of the time that a filter of each channel by itself takes them."""
    return x.is_cuda and f.ndim == 2
