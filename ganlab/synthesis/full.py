"""Convolutions over the whole of what a kernel touches, made once from their weights: StyleGAN3's margins need them."""

import torch
from torch import Tensor

from ganlab.nn.scratch import scratch
from ganlab.synthesis.winograd import AVAILABLE, OUT, Winograd

# Products of channels in and out: from where tiles pay, up to where four times the weights (38 MB) are in proportion
SMALLEST, LARGEST = 96 * 96, 512 * 512


class Full:
    """[n, i, h, w] to [n, o, h + 2, w + 2] with a 3x3 kernel, in float32, where no gradient is wanted."""

    def __init__(self, weight: Tensor) -> None:
        self.tiles = Winograd(weight)

    def __call__(self, x: Tensor, styles: Tensor) -> Tensor:
        """Scaled by `styles` [n, i] beforehand. The result is scratch: it is overwritten by the next one."""
        n, i, *sides = x.shape
        h, w = (side + 2 for side in sides)
        tall, wide = h + -h % OUT, w + -w % OUT  # they come in whole tiles
        bordered = scratch("bordered", (n, tall + 2, wide + 2, i), x).permute(0, 3, 1, 2)
        for border in (bordered[:, :, :2], bordered[:, :, h:], bordered[:, :, 2:h, :2], bordered[:, :, 2:h, w:]):
            border.zero_()
        torch.mul(x, styles[:, :, None, None], out=bordered[:, :, 2:h, 2:w])
        room = scratch("convolved", (n, tall, wide, self.tiles.out_channels), x).permute(0, 3, 1, 2)
        return self.tiles(bordered, room)[:, :, :h, :w]


def full(weight: Tensor) -> Full | None:
    """None where the plain convolution is as fast, or what is prepared would be too large."""
    pays = SMALLEST <= weight.shape[0] * weight.shape[1] <= LARGEST and weight.shape[2:] == (3, 3)
    return Full(weight) if AVAILABLE and weight.device.type == "cpu" and pays else None
