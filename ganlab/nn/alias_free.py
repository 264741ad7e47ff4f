"""Nonlinearities without aliasing: upsampled, bent, downsampled, with filters that hold a signal to its band.

Karras et al. 2021, "Alias-Free Generative Adversarial Networks", sec. 2, 3 and appendix C. Resampling with a filter is
a banded matrix along an axis, so that the zeros between samples are never written down; features are worked on in small
pieces, which stay in the cache, and whose part of the matrix has few zeros. Without a gradient, pieces share no
upsampled columns: what is downsampled from two of them is added up. A filter that is no product of a row and a column
is a sum of a few: of its singular vectors.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.nn.scratch import scratch
from ganlab.nn.spread import evenly, slices, spread

ROWS, COLUMNS, CHANNELS = 64, 48, 128  # output rows, upsampled columns and channels worked on together, at most
LEAST_ROWS = 16  # that are worth a piece of their own
NARROW = 8  # output rows that one matrix makes; twice as many upsampled ones
WIDE_ROWS, WIDE_COLUMNS = 16, 64  # output rows and columns made together where a gradient is wanted
SMALLEST = 1e-5  # of singular values, relative to the largest: terms below are left out, they are as small as rounding


def lowpass(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> Tensor | None:
    """A windowed sinc [taps] (or jinc [taps, taps]) whose response falls off around `cutoff`, over `width`, at `rate`.

    Kaiser's window for that many taps and that width; the taps sum to 1. None for one tap: the identity.
    """
    if taps == 1:
        return None
    window = np.kaiser(taps, _kaiser_beta(2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95))
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    if radial:
        r = np.maximum(np.hypot(x[:, None], x[None]), 1e-9 / rate)  # an odd filter has a tap at 0
        wave = torch.special.bessel_j1(torch.from_numpy(2 * cutoff * math.pi * r)).numpy()
        f = wave / (math.pi * r) * window[:, None] * window[None]
    else:
        f = np.sinc(2 * cutoff * x) * window
    return torch.from_numpy(f / f.sum()).float()


def _kaiser_beta(attenuation: float) -> float:
    """Kaiser 1974: the window's shape for an attenuation in dB."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


@dataclass(frozen=True)
class _Part:
    """Some rows of a banded matrix: which they are, the columns where they are not zero, and what stands there."""

    made: slice
    taken: slice
    matrix: Tensor


@dataclass(frozen=True)
class _Strip:
    """Output rows, the input rows that they need, and the matrices to the upsampled rows and from there."""

    out: slice
    taken: slice
    between: int  # upsampled rows
    raised: list[_Part]  # upsampled rows
    lowered: list[_Part]  # rows out * terms


@dataclass(frozen=True)
class _Block:
    """Upsampled columns that no other block has: made of input columns, and what they give to output columns."""

    out: slice
    taken: slice
    widen: Tensor  # [columns upsampled, columns taken]
    narrow: Tensor  # [columns out, terms * columns upsampled]


@dataclass(frozen=True)
class _Band:
    """Output rows, the input rows that they need, and the matrices between them."""

    out: slice
    taken: slice
    up: Tensor  # [rows upsampled, rows taken]
    down: Tensor  # [rows out * terms, rows upsampled]


@dataclass(frozen=True)
class _Tile:
    """Output columns, the input columns that they need, and the matrices between them."""

    out: slice
    taken: slice
    widen: Tensor  # [columns upsampled, columns taken]
    narrow: Tensor  # [columns out, terms * columns upsampled]


class FilteredLrelu:
    """Bias, upsampling, leaky ReLU, downsampling; from [N, C, side, side] to [N, C, out, out], differentiable."""

    def __init__(
        self, side: int, out: int, up_filter: Tensor | None, down_filter: Tensor | None, up: int, down: int, before: int
    ) -> None:
        """`before`: zeros before the first sample, in samples of the higher rate; those after it follow from `out`."""
        fu = _axis_taps(up_filter)[0][0]
        between = (out - 1) * down + (1 if down_filter is None else len(down_filter))
        terms = _axis_taps(down_filter)
        u = _up_matrix(side, between, fu, up, before)
        across, along = (
            torch.stack([_down_matrix(out, between, term[axis], down) for term in terms]) for axis in (0, 1)
        )  # [terms, out, between]
        self.terms, self.out = len(terms), out
        self.most = float(u.abs().sum(1).max()) ** 2  # how much larger than its input a sample can get
        device = torch.device("cpu") if up_filter is None else up_filter.device
        self.strips = list(_strips(u, along, device))
        self.blocks = list(_blocks(u, across, device))
        self.bands = list(_bands(u, along, device))
        self.tiles = list(_tiles(u, across, device))

    def __call__(
        self,
        x: Float[Tensor, "n c h w"],
        bias: Float[Tensor, "c"],
        slope: float,
        gain: float,
        clamp: float | None,
        scale: Float[Tensor, "n c"] | None = None,
        into: Float[Tensor, "n c h2 w2"] | None = None,
    ) -> Float[Tensor, "n c h2 w2"]:
        """The same as upfirdn, activation, upfirdn one after the other; `gain` is above 0.

        `scale` multiplies x beforehand, so that it takes no pass of its own; `into` is filled and given back where no
        gradient is wanted.
        """
        n, c = x.shape[:2]
        gains = x.new_full((n, 1), gain) if scale is None else (scale * gain).to(x.dtype)
        bias, rows = (bias * gain).to(x.dtype), x.permute(0, 2, 3, 1)
        if torch.is_grad_enabled() and any(given.requires_grad for given in (bias, rows, gains)):
            x = torch.addcmul(bias, rows, gains[:, None, None])
            return self._learnt(x, slope, clamp).permute(0, 3, 1, 2)
        out = x.new_empty(n, self.out, self.out, c) if into is None else into.permute(0, 2, 3, 1)

        def bent(piece: tuple[int, _Strip]) -> None:
            k, strip = piece
            taken = rows[k, strip.taken]
            features = torch.addcmul(bias, taken, gains[k], out=scratch("features", taken.shape, taken))
            free = clamp is None or self._within(features, clamp)
            self._bent(features, out[k, strip.out], strip, slope, None if free else clamp)

        spread(bent, [(k, strip) for k in range(n) for strip in self.strips], x.device)
        return out.permute(0, 3, 1, 2)

    def _within(self, x: Tensor, clamp: float) -> bool:
        """Whether nothing that is made of x can reach the clamp, so that no pass over it is needed."""
        low, high = x.aminmax()
        return max(-float(low), float(high)) * self.most < clamp

    def _bent(
        self,
        x: Float[Tensor, "taken w c"],
        out: Float[Tensor, "rows w2 c"],
        strip: _Strip,
        slope: float,
        clamp: float | None,
    ) -> None:
        """A strip of a picture, block by block, into `out`."""
        channels = _pieces(x.shape[2], CHANNELS if x.device.type == "cpu" else x.shape[2])
        y = _times(strip.raised, x.flatten(1), strip.between, "rows").unflatten(1, x.shape[1:])
        rows = len(out)
        blocks = [
            (block, _like(block.widen, x).expand(len(y), -1, -1), _like(block.narrow, x).expand(rows, -1, -1))
            for block in self.blocks
        ]
        for part in channels:
            here, done = out[:, :, part], 0
            for block, widen, narrow in blocks:
                taken = y[:, block.taken, part]
                z = scratch("upsampled", (len(y), widen.shape[1], taken.shape[2]), x)
                F.leaky_relu_(torch.bmm(widen, taken, out=z), slope)
                z = z if clamp is None else z.clamp_(-clamp, clamp)
                along = _times(strip.lowered, z.flatten(1), rows * self.terms, "along").view(rows, -1, z.shape[2])
                made = torch.bmm(narrow, along)  # `out=` goes row by row there
                both = max(0, done - block.out.start)  # columns that the block before has begun
                here[:, block.out.start : block.out.start + both] += made[:, :both]
                here[:, block.out.start + both : block.out.stop] = made[:, both:]
                done = block.out.stop

    def _learnt(self, x: Tensor, slope: float, clamp: float | None) -> Tensor:
        """With few pieces: the gradient of each is as large as what it was taken from."""
        rows = []
        for band in self.bands:
            y = _raised(x, band)
            made = [F.leaky_relu(_like(tile.widen, y) @ y[:, :, tile.taken], slope) for tile in self.tiles]
            made = [z if clamp is None else z.clamp(-clamp, clamp) for z in made]
            made = [self._lowered(z, band, tile) for z, tile in zip(made, self.tiles)]
            rows.append(torch.cat(made, 2))
        return torch.cat(rows, 1)

    def _lowered(self, z: Float[Tensor, "n h w c"], band: _Band, tile: _Tile) -> Float[Tensor, "n h2 w2 c"]:
        """Downsampled along, once for each term, and across, where the terms are added up."""
        n, _, wide, c = z.shape
        along = _like(band.down, z) @ z.flatten(2)  # [n, rows * terms, columns * c]: one large product
        return _like(tile.narrow, z) @ along.view(n, -1, self.terms * wide, c)


def _raised(x: Float[Tensor, "n h w c"], band: _Band) -> Float[Tensor, "n h2 w c"]:
    """The rows of a band, upsampled along."""
    taken = x[:, band.taken]
    return (_like(band.up, x) @ taken.flatten(2)).unflatten(2, taken.shape[2:])


def _times(parts: list[_Part], x: Float[Tensor, "taken values"], rows: int, name: str) -> Float[Tensor, "rows values"]:
    """A banded matrix times x, in the scratch of that name."""
    out = scratch(name, (rows, x.shape[1]), x)
    for part in parts:
        torch.mm(_like(part.matrix, x), x[part.taken], out=out[part.made])
    return out


def _like(matrix: Tensor, x: Tensor) -> Tensor:
    return matrix.to(device=x.device, dtype=x.dtype)


def _axis_taps(f: Tensor | None) -> list[tuple[Tensor, Tensor]]:
    """A filter as a sum of products: for each term, the taps across and those along."""
    if f is None:
        return [(torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64))]
    f = f.detach().cpu().double()
    if f.ndim == 1:
        return [(f, f)]
    u, s, v = torch.linalg.svd(f)
    kept = int((s > SMALLEST * s[0]).sum())
    return [(v[i], u[:, i] * s[i]) for i in range(kept)]


def _up_matrix(side: int, between: int, taps: Tensor, up: int, before: int) -> Tensor:
    """[between, side]: zeros inserted and padded, convolved with `taps`; `up` keeps the mean."""
    i = torch.arange(side)[None] * up + before - torch.arange(between)[:, None]  # of the flipped taps
    return _picked(taps, i) * up


def _down_matrix(out: int, between: int, taps: Tensor, down: int) -> Tensor:
    """[out, between]: convolved with `taps`, every down-th sample kept."""
    return _picked(taps, torch.arange(between)[None] - torch.arange(out)[:, None] * down)


def _picked(taps: Tensor, i: Tensor) -> Tensor:
    inside = (i >= 0) & (i < len(taps))
    return torch.where(inside, taps.flip(0)[i.clamp(0, len(taps) - 1)], 0.0)


def _strips(up: Tensor, down: Tensor, device: torch.device) -> Iterator[_Strip]:
    terms = len(down)
    for rows in slices(down.shape[1], ROWS, device, LEAST_ROWS):
        between = _span(down[:, rows].abs().sum((0, 1)))
        taken = _span(up[between].abs().sum(0))
        raised, lowered = up[between, taken], down[:, rows, between].transpose(0, 1).flatten(0, 1)
        yield _Strip(
            rows,
            taken,
            len(raised),
            list(_parts(raised, 2 * NARROW, device)),
            list(_parts(lowered, NARROW * terms, device)),
        )


def _parts(matrix: Tensor, rows: int, device: torch.device) -> Iterator[_Part]:
    for made in _pieces(len(matrix), rows):
        taken = _span(matrix[made].abs().sum(0))
        yield _Part(made, taken, _placed(matrix[made, taken], device))


def _blocks(up: Tensor, down: Tensor, device: torch.device) -> Iterator[_Block]:
    for between in _pieces(len(up), COLUMNS):
        out = _span(down[:, :, between].abs().sum((0, 2)))
        taken = _span(up[between].abs().sum(0))
        narrow = down[:, out, between].transpose(0, 1).flatten(1)
        yield _Block(out, taken, _placed(up[between, taken], device), _placed(narrow, device))


def _bands(up: Tensor, down: Tensor, device: torch.device) -> Iterator[_Band]:
    for rows in _pieces(down.shape[1], WIDE_ROWS):
        between = _span(down[:, rows].abs().sum((0, 1)))
        taken = _span(up[between].abs().sum(0))
        lowered = down[:, rows, between].transpose(0, 1).flatten(0, 1)
        yield _Band(rows, taken, _placed(up[between, taken], device), _placed(lowered, device))


def _tiles(up: Tensor, down: Tensor, device: torch.device) -> Iterator[_Tile]:
    for out in _pieces(down.shape[1], WIDE_COLUMNS):
        between = _span(down[:, out].abs().sum((0, 1)))
        taken = _span(up[between].abs().sum(0))
        lowered = down[:, out, between].transpose(0, 1).flatten(1)
        yield _Tile(out, taken, _placed(up[between, taken], device), _placed(lowered, device))


def _pieces(size: int, most: int) -> list[slice]:
    """All of it in as few pieces as can be, about alike."""
    return evenly(size, -(-size // most))


def _placed(matrix: Tensor, device: torch.device) -> Tensor:
    return matrix.float().contiguous().to(device)


def _span(weights: Tensor) -> slice:
    """From the first to the last that counts."""
    found = weights.nonzero()[:, 0]
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 1)
