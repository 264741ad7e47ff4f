"""Nonlinearities without aliasing: upsampled, bent, downsampled, with filters that hold a signal to its band.

Karras et al. 2021, "Alias-Free Generative Adversarial Networks", sec. 2, 3 and appendix C. Resampling with a filter is
a banded matrix along an axis, so that the zeros between samples are never written down; features are worked on in bands
of rows that stay in the cache. A filter that is no product of a row and a column is a sum of a few: of its singular
vectors.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ROWS = 16  # output rows made together
COLUMNS = 64  # output columns that one small matrix makes
SMALLEST = 1e-6  # of singular values, relative to the largest: terms below are left out


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
class _Band:
    """Output rows, the input rows that they need, and the matrices between them."""

    out: slice
    taken: slice
    up: Tensor  # [rows upsampled, rows taken]
    down: Tensor  # [terms, rows out, rows upsampled]


@dataclass(frozen=True)
class _Tile:
    """A few output columns of a banded matrix."""

    taken: slice
    matrix: Tensor  # [columns, columns taken]


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
        vertical = torch.stack([_down_matrix(out, between, along, down) for _, along in terms])  # [terms, out, between]
        self.terms, self.out = len(terms), out
        device = torch.device("cpu") if up_filter is None else up_filter.device
        self.bands = list(_bands(u, vertical, device))
        self.widen = list(_tiles(u, device))
        self.narrow = [tile for across, _ in terms for tile in _tiles(_down_matrix(out, between, across, down), device)]

    def __call__(
        self, x: Float[Tensor, "n c h w"], bias: Float[Tensor, "c"], slope: float, gain: float, clamp: float | None
    ) -> Float[Tensor, "n c h2 w2"]:
        """The same as upfirdn, activation, upfirdn one after the other."""
        features = x.permute(0, 2, 3, 1) + bias.to(x.dtype)  # [n, h, w, c]: contiguous where x is channels_last
        parts = [self._made(features, band, slope, gain, clamp) for band in self.bands]
        return torch.cat(parts, 1).permute(0, 3, 1, 2)

    def _made(self, x: Tensor, band: _Band, slope: float, gain: float, clamp: float | None) -> Tensor:
        n, c = len(x), x.shape[-1]
        up, down = _like(band.up, x), _like(band.down, x)
        taken = x[:, band.taken]
        y = (up @ taken.flatten(2)).unflatten(2, taken.shape[2:])  # [n, rows, w, c]
        y = _across(y, self.widen)
        y = F.leaky_relu(y, slope, inplace=not y.requires_grad) if slope != 1 else y
        y = y * gain if y.requires_grad else y.mul_(gain)
        if clamp is not None:
            y = y.clamp(-clamp, clamp) if y.requires_grad else y.clamp_(-clamp, clamp)
        y = _across(y, self.narrow).unflatten(2, (self.terms, self.out))  # [n, rows, terms, out, c]
        if self.terms == 1:
            return (down[0] @ y.flatten(2)).view(n, -1, self.out, c)
        return torch.stack([(d @ y[:, :, t].flatten(2)) for t, d in enumerate(down)]).sum(0).view(n, -1, self.out, c)


def _across(x: Float[Tensor, "n h w c"], tiles: list[_Tile]) -> Float[Tensor, "n h w2 c"]:
    """A banded matrix along the third axis."""
    made = [_like(tile.matrix, x) @ x[:, :, tile.taken] for tile in tiles]
    return made[0] if len(made) == 1 else torch.cat(made, 2)


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


def _bands(up: Tensor, down: Tensor, device: torch.device) -> Iterator[_Band]:
    for first in range(0, down.shape[1], ROWS):
        rows = slice(first, min(first + ROWS, down.shape[1]))
        between = _span(down[:, rows].abs().sum((0, 1)))
        taken = _span(up[between].abs().sum(0))
        yield _Band(rows, taken, _placed(up[between, taken], device), _placed(down[:, rows, between], device))


def _tiles(matrix: Tensor, device: torch.device) -> Iterator[_Tile]:
    for first in range(0, len(matrix), COLUMNS):
        rows = matrix[first : first + COLUMNS]
        taken = _span(rows.abs().sum(0))
        yield _Tile(taken, _placed(rows[:, taken], device))


def _placed(matrix: Tensor, device: torch.device) -> Tensor:
    return matrix.float().contiguous().to(device)


def _span(weights: Tensor) -> slice:
    """From the first to the last that counts."""
    found = weights.nonzero()[:, 0]
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 1)
