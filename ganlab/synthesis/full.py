"""Convolutions over the whole of what a kernel touches, made once from their weights: StyleGAN3's margins need them."""

import torch
from torch import Tensor

from ganlab.nn.scratch import scratch
from ganlab.nn.spread import slices, spread
from ganlab.synthesis.kernels import Direct
from ganlab.synthesis.winograd import AVAILABLE, BATCH, OUT, Winograd

# Products of channels in and out: from where tiles pay, up to where four times the weights (38 MB) are in proportion
SMALLEST, LARGEST = 96 * 96, 512 * 512


class Full:
    """[n, i, h, w] to [n, o, h + 2, w + 2] with a 3x3 kernel, in float32, on a CPU, where no gradient is wanted."""

    def __init__(self, weight: Tensor) -> None:
        pays = AVAILABLE and SMALLEST <= weight.shape[0] * weight.shape[1] <= LARGEST
        self.out_channels = len(weight)
        self.convolve = Winograd(weight) if pays else Direct(weight, torch.float32)

    def __call__(self, x: Tensor, styles: Tensor) -> Tensor:
        """Scaled by `styles` [n, i] beforehand. The result is scratch: it is overwritten by the next one."""
        n, i, *sides = x.shape
        h, w = (side + 2 for side in sides)
        tall, wide = h + -h % OUT, w + -w % OUT  # tiles come whole
        room = scratch("convolved", (n, tall, wide, self.out_channels), x).permute(0, 3, 1, 2)

        def band(piece: tuple[int, slice]) -> None:
            k, tiles = piece
            top, end = tiles.start * OUT, tiles.stop * OUT
            bordered = scratch("bordered", (1, end - top + 2, wide + 2, i), x).permute(0, 3, 1, 2)
            low, high = max(top, 2), min(end + 2, h)  # rows that x has; those above and below it are 0
            inside = slice(low - top, high - top)
            for border in (bordered[:, :, : inside.start], bordered[:, :, inside.stop :]):
                border.zero_()
            for border in (bordered[:, :, inside, :2], bordered[:, :, inside, w:]):
                border.zero_()
            styled = styles[k, :, None, None]
            torch.mul(x[k, :, low - 2 : high - 2], styled, out=bordered[0, :, inside, 2:w])
            self._convolved(bordered, room[k : k + 1, :, top:end])

        bands = slices(tall // OUT, max(1, BATCH // (wide // OUT)), x.device)
        spread(band, [(k, tiles) for k in range(n) for tiles in bands], x.device)
        return room[:, :, :h, :w]

    def _convolved(self, x: Tensor, out: Tensor) -> None:
        if isinstance(self.convolve, Winograd):
            self.convolve(x, out)
        else:
            out.copy_(self.convolve(x))


def full(weight: Tensor) -> Full | None:
    """None for other kernels and devices."""
    return Full(weight) if weight.device.type == "cpu" and weight.shape[2:] == (3, 3) else None
