"""Signed distances and soft steps, negative inside; x to the right, y down.

Only sums, products, quotients, roots and comparisons, which are rounded alike however a batch is cut into vectors and
threads: torch's own sine and arctangent are not (and cost fifteen times a product). Ellipse, box and segment after
Inigo Quilez, "2D distance functions" (iquilezles.org/articles/distfunctions2d).
"""

import torch
from torch import Tensor

Number = Tensor | float


def ellipse(x: Tensor, y: Tensor, rx: Number, ry: Number) -> Tensor:
    """Nearly the distance to an ellipse around the origin: k0 (k0 - 1) / k1."""
    x, y = x / rx, y / ry
    k0 = (x * x + y * y).sqrt()
    x, y = x / rx, y / ry
    return k0 * (k0 - 1) / ((x * x + y * y).sqrt() + 1e-6)


def disc(x: Tensor, y: Tensor, r: Number) -> Tensor:
    """Distance to a disc around the origin."""
    return (x * x + y * y).sqrt() - r


def box(x: Tensor, y: Tensor, hx: Number, hy: Number, r: Number) -> Tensor:
    """Distance to a box of half sizes `hx`, `hy` around the origin, with corners of radius `r`."""
    qx, qy = x.abs() - hx + r, y.abs() - hy + r
    inside = torch.maximum(qx, qy).clamp(max=0)
    return (qx.clamp(min=0).square() + qy.clamp(min=0).square()).sqrt() + inside - r


def both(*shapes: Tensor) -> Tensor:
    """What lies in all of the shapes."""
    d = shapes[0]
    for shape in shapes[1:]:
        d = torch.maximum(d, shape)
    return d


def rim(d: Tensor, width: float) -> Tensor:
    """The inner edge of a shape."""
    return torch.maximum(d, -width - d)


def blend(a: Tensor, b: Tensor, k: float) -> Tensor:
    """What lies in both, with corners rounded over a width `k` (Quilez's polynomial smooth maximum)."""
    h = (k - (a - b).abs()).clamp(min=0)
    return torch.maximum(a, b) + h * h * (0.25 / k)


def step(x: Tensor, a: Number, b: Number) -> Tensor:
    """From 0 at `a` smoothly to 1 at `b`."""
    t = ((x - a) / (b - a)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def glow(x: Tensor, y: Tensor, rx: Number, ry: Number) -> Tensor:
    """A soft spot: nearly exp(-r^2), but 0 from r = 2 on."""
    x, y = x / rx, y / ry
    t = (1 - (x * x + y * y) * 0.25).clamp(min=0).square()
    return t * t


def fraction(t: Tensor) -> Tensor:
    """What is left of t above the next lower whole number."""
    return t - t.floor()


def wave(t: Tensor) -> Tensor:
    """Nearly sin(2 pi t): two parabolas a period."""
    f = fraction(t) - 0.5
    return f * (16 * f.abs() - 8)


def teeth(t: Tensor) -> Tensor:
    """A zigzag of period 1 between 0 (at whole numbers and a half) and 1 (at whole numbers)."""
    return (fraction(t) - 0.5).abs() * 2


def turns(x: Tensor, y: Tensor) -> Tensor:
    """The angle of (x, y) in turns, from -0.5 to 0.5, 0 towards y > 0; right to 0.00002 turns."""
    ax, ay = x.abs(), y.abs()
    a = torch.minimum(ax, ay) / torch.maximum(ax, ay).clamp(min=1e-6)
    s = a * a
    # least squares for arctan(a) / 2 pi, exact at a = 1
    r = (((-0.00614941 * s + 0.02322333) * s - 0.05110275) * s + 0.15902883) * a
    r = torch.where(ax > ay, 0.25 - r, r)
    r = torch.where(y < 0, 0.5 - r, r)
    return torch.where(x < 0, -r, r)
