"""The toy densities that GANs race on, and their settings.

`density(DataConfig("ring", modes=8))` can be sampled and evaluated. A row of `DENSITIES` says which settings a density
reads; the others are ignored. A user's points or picture travel inside the settings, as a text of `payloads`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.densities import Cells, Density, Mixture, Rows
from ganlab.data.payloads import WIDEST_TEXT, decode_picture, decode_points

BEADS = 512  # Gaussians along a curve; they lie closer than its thickness


@dataclass(frozen=True)
class DataConfig(Config):
    """Which density, and its shape. None stands for the density's own default; see `DENSITIES`."""

    name: str = knob("ring", "The density that the GANs learn", choices=lambda: tuple(DENSITIES))
    modes: int | None = knob(None, "Number of modes, or of arms", lo=1, hi=64)
    radius: float | None = knob(None, "Half of the width of the whole", lo=0.05, hi=10, log=True)
    sigma: float | None = knob(None, "Standard deviation of a mode, thickness of a curve", lo=0.001, hi=2, log=True)
    weights: tuple[float, ...] = knob((), "How large each mode is, repeated as needed", lo=0, hi=1000, longest=64)
    theta: float | None = knob(None, "Place of the line on the x axis", lo=-4, hi=4)
    points: str = knob("", "Drawn or uploaded points, as a text", longest=WIDEST_TEXT)
    grid: str = knob("", "A picture's darkness, as a text", longest=WIDEST_TEXT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights and not any(self.weights):
            raise InvalidInput("weights", "at least one of them must be larger than 0")
        if self.points:
            decode_points(self.points)
        if self.grid:
            decode_picture(self.grid)


class Shape(NamedTuple):
    """The settings of a density after its defaults were filled in."""

    name: str
    modes: int = 1
    radius: float = 1.0
    sigma: float = 0.05
    weights: tuple[float, ...] = ()
    theta: float = 0.0
    points: str = ""
    grid: str = ""


@dataclass(frozen=True)
class DensityKind:
    """One row: what a density is called, which fields of `DataConfig` it reads, their defaults, and how it is built."""

    title: str
    description: str
    dim: int
    uses: tuple[str, ...]
    defaults: Mapping[str, Any]
    build: Callable[[Shape], Density]


def shape_of(config: DataConfig) -> Shape:
    """The settings that `config`'s density will use, with its defaults in place of None."""
    kind = DENSITIES[config.name]
    given = {use: getattr(config, use) for use in kind.uses}
    return Shape(config.name, **{**kind.defaults, **{use: value for use, value in given.items() if value is not None}})


def density(config: DataConfig) -> Density:
    """The density that `config` describes; `InvalidInput` where its points, picture or weights are missing."""
    return DENSITIES[config.name].build(shape_of(config))


def _modes(s: Shape, centers: Float[Tensor, "k dim"]) -> Density:
    """A mixture of separate modes at `centers`, with `s.weights` repeated to their number."""
    weights = None
    if s.weights:
        chosen = [s.weights[i % len(s.weights)] for i in range(len(centers))]
        if not any(chosen):
            raise InvalidInput("weights", f"the first {len(centers)} are all 0; one must be larger")
        if len(set(chosen)) > 1:
            weights = torch.tensor(chosen, dtype=torch.float64)
    return Mixture(s.name, centers, s.sigma, weights=weights, separate=True)


def _curve(s: Shape, *pieces: Tensor, least_extent: float = 0.0) -> Density:
    """Equal Gaussians at all points [n, 2] of `pieces`, scaled by the radius."""
    return Mixture(s.name, torch.cat(pieces) * s.radius, s.sigma, least_extent=least_extent)


def _steps(n: int) -> Tensor:
    """The middles of `n` equal parts of [0, 1], float64."""
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n


def _xy(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack((x, y), dim=-1)


def _polar(r: Tensor | float, angle: Tensor) -> Tensor:
    return _xy(r * angle.cos(), r * angle.sin())


def _row(n: int, radius: float) -> Tensor:
    """`n` places evenly from -radius to radius, [n]; 0 for one."""
    return torch.linspace(-radius, radius, n, dtype=torch.float64) if n > 1 else torch.zeros(1, dtype=torch.float64)


def _ring(s: Shape) -> Density:
    return _modes(s, _polar(s.radius, torch.arange(s.modes, dtype=torch.float64) * (2 * math.pi / s.modes)))


def _grid(s: Shape) -> Density:
    # a number that is no square leaves the last places of the lattice empty
    row = _row(math.isqrt(s.modes - 1) + 1, s.radius)
    return _modes(s, torch.cartesian_prod(row, row).reshape(-1, 2)[: s.modes])


def _line(s: Shape) -> Density:
    row = _row(s.modes, s.radius)
    return _modes(s, _xy(row, torch.zeros_like(row)))


def _blobs(s: Shape) -> Density:
    # Vogel's sunflower: any number of places, irregular, and none close to another
    i = torch.arange(s.modes, dtype=torch.float64)
    return _modes(s, _polar(s.radius * ((i + 0.5) / s.modes).sqrt(), i * math.pi * (3 - math.sqrt(5))))


def _two_moons(s: Shape) -> Density:
    # the half circles of scikit-learn's make_moons, moved to the middle; they span [-1.5, 1.5] x [-.75, .75]
    t = _steps(BEADS // 2) * math.pi
    upper = _xy(t.cos() - 0.5, t.sin() - 0.25)
    return _curve(s, upper / 1.5, -upper / 1.5)


def _spiral(s: Shape) -> Density:
    # Archimedean arms r = t/T of one and a half turns; the square root spreads the beads evenly along them
    t = _steps(max(BEADS, 128 * s.modes) // s.modes).sqrt()
    return _curve(s, *(_polar(t, 3 * math.pi * t + 2 * math.pi * arm / s.modes) for arm in range(s.modes)))


def _swiss_roll(s: Shape) -> Density:
    # scikit-learn's make_swiss_roll seen from its side: r = t, 1.5 pi <= t <= 4.5 pi, t uniform
    t = math.pi * (1.5 + 3 * _steps(BEADS))
    return _curve(s, _polar(t / (4.5 * math.pi), t))


def _pinwheel(s: Shape) -> Density:
    # Johnson et al. 2016 (composing graphical models with neural networks): r = 1 + .3 n, turned by .25 exp(r)
    n = max(BEADS // s.modes, 48)
    r = 1 + 0.3 * torch.special.ndtri(_steps(n))
    arms = (_polar(r / 2, 0.25 * r.exp() + 2 * math.pi * arm / s.modes) for arm in range(s.modes))
    return _curve(s, *arms)


def _checkerboard(s: Shape) -> Density:
    board = torch.arange(4)
    return Cells(s.name, ((board[:, None] + board) % 2).float(), s.radius)


def _two_rings(s: Shape) -> Density:
    angle = _steps(BEADS // 2) * 2 * math.pi
    return _curve(s, _polar(1.0, angle), _polar(0.5, angle))


def _parallel_lines(s: Shape) -> Density:
    # Arjovsky et al. 2017, example 1: (theta, Z) with Z uniform on a segment; here the segment is centred at y = 0
    y = (_steps(BEADS) * 2 - 1) * s.radius
    line = _xy(torch.full_like(y, s.theta), y)
    return Mixture(s.name, line, s.sigma, least_extent=1.25)


def _gaussian(s: Shape) -> Density:
    return Mixture(s.name, torch.zeros(1, 2), s.sigma, separate=True)


def _drawn(s: Shape) -> Density:
    if not s.points:
        raise InvalidInput("points", "there are none yet: draw something first")
    return Mixture(s.name, torch.from_numpy(decode_points(s.points)), s.sigma)


def _points(s: Shape) -> Density:
    if not s.points:
        raise InvalidInput("points", "there are none yet: choose a file with two columns of numbers first")
    return Rows(s.name, torch.from_numpy(decode_points(s.points)))


def _picture(s: Shape) -> Density:
    if not s.grid:
        raise InvalidInput("grid", "there is no picture yet: choose one first")
    return Cells(s.name, torch.from_numpy(decode_picture(s.grid).astype(np.float32)), s.radius)


def _gaussian1d(s: Shape) -> Density:
    return Mixture(s.name, torch.full((1, 1), 0.5), s.sigma)


def _mixture1d(s: Shape) -> Density:
    return _modes(s, _row(s.modes, s.radius)[:, None])


def _uniform1d(s: Shape) -> Density:
    return Cells(s.name, torch.ones(1), s.radius)


MODE_FIELDS = ("modes", "radius", "sigma", "weights")

DENSITIES: dict[str, DensityKind] = {
    "ring": DensityKind(
        "Ring of Gaussians",
        "Small Gaussians evenly on a circle: the classic test of mode collapse.",
        2,
        MODE_FIELDS,
        {"modes": 8, "radius": 1.0, "sigma": 0.02},
        _ring,
    ),
    "grid": DensityKind(
        "Grid of Gaussians",
        "Small Gaussians on a square lattice: many modes to lose.",
        2,
        MODE_FIELDS,
        {"modes": 25, "radius": 4.0, "sigma": 0.05},
        _grid,
    ),
    "line": DensityKind(
        "Row of Gaussians",
        "Small Gaussians evenly on a straight line.",
        2,
        MODE_FIELDS,
        {"modes": 5, "radius": 1.0, "sigma": 0.05},
        _line,
    ),
    "blobs": DensityKind(
        "Blobs",
        "Disjoint Gaussians without symmetry.",
        2,
        MODE_FIELDS,
        {"modes": 5, "radius": 1.0, "sigma": 0.1},
        _blobs,
    ),
    "gaussian": DensityKind(
        "One Gaussian",
        "A single round Gaussian: the easiest of all.",
        2,
        ("sigma",),
        {"sigma": 0.5},
        _gaussian,
    ),
    "two_moons": DensityKind(
        "Two moons",
        "Two half circles that reach into each other.",
        2,
        ("radius", "sigma"),
        {"radius": 1.0, "sigma": 0.05},
        _two_moons,
    ),
    "two_rings": DensityKind(
        "Two rings",
        "A circle within a circle, each with half of the data.",
        2,
        ("radius", "sigma"),
        {"radius": 1.0, "sigma": 0.03},
        _two_rings,
    ),
    "spiral": DensityKind(
        "Spiral",
        "Arms of one and a half turns that start in the middle.",
        2,
        ("modes", "radius", "sigma"),
        {"modes": 2, "radius": 1.0, "sigma": 0.03},
        _spiral,
    ),
    "swiss_roll": DensityKind(
        "Swiss roll",
        "One rolled-up band, denser towards the middle.",
        2,
        ("radius", "sigma"),
        {"radius": 1.0, "sigma": 0.03},
        _swiss_roll,
    ),
    "pinwheel": DensityKind(
        "Pinwheel",
        "Bent arms around an empty middle.",
        2,
        ("modes", "radius", "sigma"),
        {"modes": 5, "radius": 1.0, "sigma": 0.04},
        _pinwheel,
    ),
    "checkerboard": DensityKind(
        "Checkerboard",
        "Uniform on every second square of a board: sharp edges and corners.",
        2,
        ("radius",),
        {"radius": 1.0},
        _checkerboard,
    ),
    "parallel_lines": DensityKind(
        "Parallel lines",
        "A thin vertical line at x = theta: as it moves off, JS saturates and the Wasserstein distance grows.",
        2,
        ("theta", "radius", "sigma"),
        {"theta": 0.0, "radius": 0.5, "sigma": 0.02},
        _parallel_lines,
    ),
    "drawn": DensityKind(
        "Your drawing",
        "The strokes you draw, as an equal mixture of small Gaussians.",
        2,
        ("points", "sigma"),
        {"sigma": 0.03},
        _drawn,
    ),
    "points": DensityKind(
        "Your points",
        "The rows of your file; the density shown is a kernel estimate.",
        2,
        ("points",),
        {},
        _points,
    ),
    "picture": DensityKind(
        "Your picture",
        "Dark pixels of your picture are likely, white ones impossible.",
        2,
        ("grid", "radius"),
        {"radius": 1.0},
        _picture,
    ),
    "gaussian1d": DensityKind(
        "One Gaussian (1D)",
        "A Gaussian on the line, around 0.5.",
        1,
        ("sigma",),
        {"sigma": 0.5},
        _gaussian1d,
    ),
    "mixture1d": DensityKind(
        "Mixture (1D)",
        "Gaussians evenly on the line.",
        1,
        MODE_FIELDS,
        {"modes": 3, "radius": 2.0, "sigma": 0.2},
        _mixture1d,
    ),
    "uniform1d": DensityKind(
        "Uniform (1D)",
        "Equally likely everywhere between -radius and radius.",
        1,
        ("radius",),
        {"radius": 1.0},
        _uniform1d,
    ),
}
