"""Convolutions of the fast path, each made once from a layer's weights. They take features in channels_last.

Where oneDNN's packed weights can be reached they are packed once; a plain convolution packs them anew at each call.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

OPS = torch.ops.mkldnn
PLAIN = ([0, 0], [1, 1], [1, 1])  # padding, stride, dilation
UPSAMPLING = ([0, 0], [0, 0], [2, 2], [1, 1])  # padding, output padding, stride, dilation
PACKED = hasattr(OPS, "_convolution_transpose_pointwise") and torch.backends.mkldnn.is_available()
MOST_PACKED = 6  # sizes whose packed weights a layer keeps


class Direct:
    """A 3x3 convolution of features with a border of one pixel."""

    def __init__(self, weight: Tensor, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.packed: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """[n, i, h + 2, w + 2] to [n, o, h, w]."""
        if not PACKED or x.device.type != "cpu" or x.dtype == torch.float16:
            return F.conv2d(x, self.weight)
        weight = _packed(self.packed, x, lambda shape: OPS._reorder_convolution_weight(self.weight, *PLAIN, 1, shape))
        return OPS._convolution_pointwise(x, weight, None, *PLAIN, 1, "none", [], "")


class Up:
    """The transposed convolution and the low-pass filter of an upsampling layer."""

    def __init__(self, weight: Tensor, taps: Tensor, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.weight = weight.transpose(0, 1).to(dtype).contiguous(memory_format=torch.channels_last)
        flipped = (as_2d(taps) * 4).flip((0, 1)).to(dtype)
        self.packed: dict[tuple[int, ...], Tensor] = {}
        self.channels, n = weight.shape[0], len(taps)
        self.fir = flipped.expand(self.channels, 1, -1, -1).contiguous(memory_format=torch.channels_last)
        self.pads = (n + 1) // 2 - 1, (n - 2) // 2
        self.halo = max(self.pads) // 2 + 1  # rows of a neighbouring band that a band's own rows depend on

    def __call__(self, x: Tensor) -> Tensor:
        """[n, i, h, w] without a border to [n, o, 2h, 2w]; of a band, the rows at a cut are wrong."""
        x = self._transposed(x)  # [n, o, 2h + 1, 2w + 1]
        before, after = self.pads
        if before != after:
            return F.conv2d(F.pad(x, (before, after, before, after)), self.fir, groups=self.channels)
        return F.conv2d(x, self.fir, padding=before, groups=self.channels)

    def _transposed(self, x: Tensor) -> Tensor:
        if not PACKED or x.device.type != "cpu" or x.dtype == torch.float16:
            return F.conv_transpose2d(x, self.weight, stride=2)
        ops, up = OPS, UPSAMPLING
        weight = _packed(
            self.packed, x, lambda shape: ops._reorder_convolution_transpose_weight(self.weight, *up, 1, shape)
        )
        return ops._convolution_transpose_pointwise(x, weight, None, *up, 1, "none", [], "")


def _packed(known: dict[tuple[int, ...], Tensor], x: Tensor, pack: Callable[[list[int]], Tensor]) -> Tensor:
    """Weights in the layout that oneDNN wants for inputs of this size; few sizes are used over and over."""
    shape = tuple(x.shape)
    packed = known.get(shape)
    if packed is None:
        if len(known) >= MOST_PACKED:
            known.clear()
        packed = known[shape] = pack(list(shape))
    return packed


def as_2d(taps: Tensor) -> Tensor:
    """A filter [n] or [n, n] as [n, n]."""
    return taps.outer(taps) if taps.ndim == 1 else taps
