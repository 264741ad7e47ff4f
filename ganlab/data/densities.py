"""Densities on the line and in the plane that can be sampled and evaluated: Gaussian mixtures, cells, rows of data.

All tensors are float32 on the CPU; randomness comes from the generator that is passed, never from a global one.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

MARGIN = 1.25  # the view box is this much wider than the data
REACH = 3.0  # standard deviations that count as data when the view box is chosen
PAIRS = 1 << 18  # (point, component) pairs evaluated at once: 1 MB of float32 stays in the cache
EDGE = 1e-5  # share of a cell left free on each side, so that rounding never moves a sample to the next cell


class Density(ABC):
    """What a GAN learns.

    `extent` is the half-width of the square box around 0 that shows the data with a margin; `modes` [K, dim] are the
    true mode centres, None where the density has no separate modes; `sigma` is the standard deviation of a mode (or
    the thickness of a curve); `weights` [K] are the modes' shares, None where they are equal; `exact` is False where
    `log_prob` is an estimate.
    """

    name: str
    dim: int
    extent: float
    modes: Float[Tensor, "k dim"] | None = None
    sigma: float | None = None
    weights: Float[Tensor, " k"] | None = None
    exact: bool = True

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator) -> Float[Tensor, "n dim"]:
        """`n` independent samples."""

    @abstractmethod
    def log_prob(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """The natural logarithm of the density at `x`; -inf where it is 0."""


class Mixture(Density):
    """Gaussians of one standard deviation at `centers` [K, dim], with equal weights unless `weights` [K] are given.

    A weight of 0 removes its component. `separate` says that the components are modes rather than beads on a curve.
    `least_extent` widens the view box.
    """

    def __init__(
        self,
        name: str,
        centers: Float[Tensor, "k dim"],
        sigma: float,
        *,
        weights: Float[Tensor, " k"] | None = None,
        separate: bool = False,
        least_extent: float = 0.0,
    ) -> None:
        if weights is not None:
            keep = weights > 0
            centers, weights = centers[keep], weights[keep].double()
            self._cdf = (weights.cumsum(0) / weights.sum()).float()
            self._cdf[-1] = 1.0  # rand() < 1, so the search below never runs off the end
            self.weights = (weights / weights.sum()).float()
        self._centers = centers.float().contiguous()  # [K, dim]
        self.name, self.dim, self.sigma = name, centers.shape[1], sigma
        self.modes = self._centers if separate else None
        self.extent = max(least_extent, MARGIN * (float(self._centers.abs().max()) + REACH * sigma))

    def _pick(self, n: int, rng: torch.Generator) -> Float[Tensor, "n dim"]:
        if self.weights is None:
            index = torch.randint(len(self._centers), (n,), generator=rng)
        else:
            index = torch.searchsorted(self._cdf, torch.rand(n, generator=rng), right=True)
        return self._centers.index_select(0, index)

    def sample(self, n: int, rng: torch.Generator) -> Float[Tensor, "n dim"]:
        """`n` independent samples: a centre each, and noise."""
        centers = self._pick(n, rng)
        return centers.add_(torch.randn(n, self.dim, generator=rng), alpha=self.sigma or 0.0)

    def log_prob(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """ln sum_k w_k N(x; mu_k, sigma^2 I); the sum over components is done for a block of points at a time."""
        sigma = self.sigma or 1.0
        constant = -self.dim * math.log(sigma * math.sqrt(2 * math.pi))
        bias = constant - math.log(len(self._centers)) if self.weights is None else constant + self.weights.log()
        scaled = self._centers / (sigma * math.sqrt(2))  # [K, dim]
        blocks = (x.reshape(-1, self.dim).float() / (sigma * math.sqrt(2))).split(max(1, PAIRS // len(scaled)))
        return torch.cat([_log_sum(block, scaled, bias) for block in blocks]).reshape(x.shape[:-1])


def _log_sum(x: Tensor, centers: Tensor, bias: Tensor | float) -> Tensor:
    # differences, not |x|^2 - 2xc + |c|^2: that loses all digits where sigma is far smaller than |c|
    square = (x[:, None, 0] - centers[None, :, 0]).square_()  # [n, K]
    for i in range(1, x.shape[1]):
        square += (x[:, None, i] - centers[None, :, i]).square_()
    return torch.logsumexp(bias - square, dim=1)


class Rows(Mixture):
    """The rows of a data set. A sample is one of the rows; `log_prob` is a Gaussian kernel density estimate.

    The bandwidth follows Scott's rule, n^(-1/(dim + 4)) times the standard deviation (Scott 1992, eq. 6.42), with a
    floor for data that lie on one point; `sigma` is that bandwidth.
    """

    exact = False

    def __init__(self, name: str, rows: Float[Tensor, "n dim"]) -> None:
        n, dim = rows.shape
        spread = float(rows.double().std(0, correction=0).square().mean().sqrt())
        super().__init__(name, rows, max(0.01, spread * float(n) ** (-1 / (dim + 4))))
        self.extent = MARGIN * max(0.1, float(rows.abs().max()))

    def sample(self, n: int, rng: torch.Generator) -> Float[Tensor, "n dim"]:
        """`n` rows, drawn with replacement."""
        return self._pick(n, rng)


class Cells(Density):
    """A piecewise constant density: `mass` [W] (1D) or [H, W] (2D) on equal cells, centred at 0.

    Rows of `mass` run from the top, as in a picture: row 0 has the largest y. The longer side spans
    [-radius, radius]; the masses are normalised here. Sampling leaves out the outermost 1e-5 of a cell.
    """

    def __init__(self, name: str, mass: Float[Tensor, "*cells"], radius: float) -> None:
        self.name, self.dim, self.extent = name, mass.dim(), MARGIN * radius
        self._shape = mass.shape
        self._cell = 2 * radius / max(mass.shape)
        # x is the last axis of `mass`, y the one before it, pointing down
        sides = torch.tensor(list(mass.shape)[::-1], dtype=torch.float32)  # [dim]
        self._sides, self._low = sides, -sides * self._cell / 2
        share = mass.double().flipud().flatten() if mass.dim() == 2 else mass.double()
        share = share / share.sum()
        self._log_density = (share.log() - self.dim * math.log(self._cell)).float()  # [cells], y upwards
        self._filled = share.nonzero().squeeze(1)
        self._cdf = share[self._filled].cumsum(0).float()
        self._cdf[-1] = 1.0

    def sample(self, n: int, rng: torch.Generator) -> Float[Tensor, "n dim"]:
        """`n` independent samples: a cell each, and a place in it."""
        cell = self._filled[torch.searchsorted(self._cdf, torch.rand(n, generator=rng), right=True)]
        width = self._shape[-1]
        corner = torch.stack((cell % width, cell // width)[: self.dim], dim=1)  # [n, dim] as (x, y)
        inside = torch.rand(n, self.dim, generator=rng) * (1 - 2 * EDGE) + EDGE
        return (corner + inside) * self._cell + self._low

    def log_prob(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """The logarithm of the cell's density; -inf in empty cells, outside and where `x` is not finite."""
        place = ((x.float() - self._low) / self._cell).floor()  # [..., dim]
        known = ((place >= 0) & (place < self._sides)).all(-1)
        place = torch.where(known[..., None], place, 0.0).long()
        index = place[..., 0] if self.dim == 1 else place[..., 1] * self._shape[-1] + place[..., 0]
        return torch.where(known, self._log_density[index], -math.inf)
