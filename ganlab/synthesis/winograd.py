"""3x3 convolutions in float32 by 4x4 tiles, with a quarter of the multiplications (Lavin and Gray 2016, sec. 4).

The transforms come from Cook and Toom's construction with the points 0, +-2/3, +-3/2 and infinity: the usual 0, +-1,
+-2 lose five times as much precision (measured on normal data with 256 channels: 8e-6 against 4e-5).
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from ganlab.nn.scratch import scratch

OUT, TAPS = 4, 3  # pixels of a tile's side, taps of the filter's
SIDE = OUT + TAPS - 1
POINTS = (Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2))
BATCH = 256  # tiles transformed together: what they become stays in the cache
AVAILABLE = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()

Matrix = list[list[Fraction]]


def transforms(points: Sequence[Fraction] = POINTS) -> tuple[Matrix, Matrix, Matrix]:
    """(input [6, 6], filter [6, 3], output [4, 6]) with out = A (G g . B d) in one dimension."""
    rest = [[q for q in points if q != p] for p in points]
    scale = [math.prod((p - q for q in others), start=Fraction(1)) for p, others in zip(points, rest)]
    g = [[p**k / s for k in range(TAPS)] for p, s in zip(points, scale)] + [[Fraction(0), Fraction(0), Fraction(1)]]
    a = [[p**k for p in points] + [Fraction(int(k == OUT - 1))] for k in range(OUT)]
    b = [_polynomial(others) + [Fraction(0)] for others in rest] + [_polynomial(points)]
    return b, g, a


def _polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the product of (x - root), the constant first."""
    out = [Fraction(1)]
    for root in roots:
        out = [low - root * high for low, high in zip([Fraction(0), *out], [*out, Fraction(0)])]
    return out


class Winograd:
    """A convolution of features with a border of one pixel; made once from its weights."""

    dtype = torch.float32

    def __init__(self, weight: Tensor) -> None:
        b, g, a = (torch.tensor([[float(x) for x in row] for row in m], dtype=torch.float64) for m in transforms())
        balance = 4 / b.abs().sum(1, keepdim=True)
        b, g = b * balance, g / balance
        u = torch.einsum("ak,oikl,bl->aboi", g, weight.double(), g).float().flatten(0, 1)  # [36, o, i]
        self.out_channels = u.shape[1]
        self.weights = [torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous(), BATCH) for matrix in u]
        self.into, self.back = torch.kron(b, b).float(), torch.kron(a, a).float()  # [36, 36], [16, 36]

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """[n, i, h + 2, w + 2] to [n, o, h, w]; h and w are multiples of 4. `out` is filled and given back."""
        n, i, h, w = x.shape
        h, w = (h - 2) // OUT, (w - 2) // OUT
        sn, si, sh, sw = x.stride()
        if out is None:
            shape = (n, self.out_channels, OUT * h, OUT * w)
            out = torch.empty(shape, device=x.device, memory_format=torch.channels_last)
        rows = max(1, BATCH // w)
        for k in range(n):
            for top in range(0, h, rows):
                high = min(rows, h - top)
                patches = x.as_strided(
                    (SIDE, SIDE, high, w, i),
                    (sh, sw, OUT * sh, OUT * sw, si),
                    x.storage_offset() + k * sn + top * OUT * sh,
                )
                tiles = scratch("tiles", patches.shape, x).copy_(patches).view(SIDE**2, -1)
                v = torch.mm(self.into, tiles, out=scratch("transformed", tiles.shape, x))
                m = self._products(v.view(SIDE**2, high * w, i)).view(SIDE**2, -1)  # [36, tiles * o]
                y = torch.mm(self.back, m, out=scratch("tiles made", (OUT**2, m.shape[1]), x))
                y = y.view(OUT, OUT, high, w, -1)
                part = out[k, :, OUT * top : OUT * (top + high)].unflatten(2, (w, OUT)).unflatten(1, (high, OUT))
                part.copy_(y.permute(4, 2, 0, 3, 1))  # [o, high, 4, w, 4]
        return out

    def _products(self, v: Tensor) -> Tensor:
        product = torch.ops.mkldnn._linear_pointwise
        out = scratch("products", (*v.shape[:2], self.out_channels), v)
        for made, a, u in zip(out, v, self.weights):
            made.copy_(product(a, u, None, "none", [], ""))
        return out
