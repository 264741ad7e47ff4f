"""The Fréchet distance between Gaussians fitted to two sets of features (Heusel et al. 2017)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

ENOUGH = 10  # samples per dimension below which a covariance is a poor estimate


@dataclass(frozen=True)
class FrechetStats:
    """What the distance needs of a set of features; float64."""

    mean: Float[Tensor, " d"]
    covariance: Float[Tensor, "d d"]  # with N - 1 in the denominator
    count: int


def frechet_stats(features: Float[Tensor, "n d"]) -> FrechetStats:
    """Mean and covariance of two vectors or more; `InvalidInput` for fewer, or where a number is not finite."""
    if len(features) < 2:
        raise InvalidInput("features", f"are of {len(features)} pictures; a covariance needs two or more")
    x = features.detach().double()
    if not x.isfinite().all():
        raise InvalidInput("features", "hold numbers that are not finite; the pictures may be broken")
    mean = x.mean(0)
    centred = x - mean
    return FrechetStats(mean, centred.T @ centred / (len(x) - 1), len(x))


def frechet_between(a: FrechetStats, b: FrechetStats) -> float:
    """|mu_a - mu_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2): the squared distance (Dowson and Landau 1982).

    The root's trace is taken from the eigenvalues of a symmetric matrix, so it is real and never negative by rounding;
    covariances of too few samples, which have no inverse, do no harm.
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ b.covariance @ root
    overlap = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    apart = (a.mean - b.mean).square().sum()
    return max(float(apart + a.covariance.trace() + b.covariance.trace() - 2 * overlap), 0.0)


def frechet_distance(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """The squared Fréchet distance of two sets of features: 0 is best. On Inception's features it is called FID.

    Biased upwards in small sets (Chong and Forsyth 2020): compare figures of equal counts only; `few` warns.
    """
    return frechet_between(frechet_stats(real), frechet_stats(fake))


def few(n: int, d: int) -> str | None:
    """A warning for Fréchet distances of n samples with d features, or None where there are enough."""
    if n <= d:
        return (
            f"{n:,} pictures are too few for a Fréchet distance on {d} features: the covariance has no full rank. "
            f"Take {ENOUGH * d:,} or more."
        )
    if n < ENOUGH * d:
        return (
            f"A Fréchet distance of {n:,} pictures on {d} features comes out too large; compare it only with others of "
            f"the same count, or take {ENOUGH * d:,} pictures."
        )
    return None
