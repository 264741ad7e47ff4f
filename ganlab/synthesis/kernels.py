"""Convolutions of the fast path, each made once from a layer's weights. They take features in channels_last.

Where oneDNN's packed weights can be reached they are packed once; a plain convolution packs them anew at each call.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PACKED = hasattr(torch.ops.mkldnn, "_convolution_pointwise") and torch.backends.mkldnn.is_available()
MOST_PACKED = 6  # sizes whose packed weights a layer keeps


class Direct:
    """A 3x3 convolution of features with a border of one pixel."""

    def __init__(self, weight: Tensor, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.packed: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """[n, i, h + 2, w + 2] to [n, o, h, w]."""
        if not PACKED or x.device.type != "cpu":
            return F.conv2d(x, self.weight)
        shape = tuple(x.shape)
        if shape not in self.packed:
            if len(self.packed) >= MOST_PACKED:
                self.packed.clear()
            self.packed[shape] = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, [0, 0], [1, 1], [1, 1], 1, list(shape)
            )
        weight = self.packed[shape]
        return torch.ops.mkldnn._convolution_pointwise(x, weight, None, [0, 0], [1, 1], [1, 1], 1, "none", [], "")


class Up:
    """The transposed convolution and the low-pass filter of an upsampling layer."""

    def __init__(self, weight: Tensor, taps: Tensor, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.weight = weight.transpose(0, 1).to(dtype).contiguous(memory_format=torch.channels_last)
        flipped = (as_2d(taps) * 4).flip((0, 1)).to(dtype)
        self.channels, n = len(weight), len(taps)
        self.fir = flipped.expand(self.channels, 1, -1, -1).contiguous(memory_format=torch.channels_last)
        self.pads = (n + 1) // 2 - 1, (n - 2) // 2
        self.halo = max(self.pads) // 2 + 1  # rows of a neighbouring band that a band's own rows depend on

    def __call__(self, x: Tensor) -> Tensor:
        """[n, i, h, w] without a border to [n, o, 2h, 2w]; of a band, the rows at a cut are wrong."""
        x = F.conv_transpose2d(x, self.weight, stride=2)  # [n, o, 2h + 1, 2w + 1]
        before, after = self.pads
        if before != after:
            return F.conv2d(F.pad(x, (before, after, before, after)), self.fir, groups=self.channels)
        return F.conv2d(x, self.fir, padding=before, groups=self.channels)


def as_2d(taps: Tensor) -> Tensor:
    """A filter [n] or [n, n] as [n, n]."""
    return taps.outer(taps) if taps.ndim == 1 else taps
