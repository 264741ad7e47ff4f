"""Fidelity and variety apart: precision and recall, density and coverage, from nearest neighbours among features."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.metrics.nearest import nearest_within, squared_distances

ROWS = 1024  # that are compared with all others at once: bounds the memory


class PrecisionRecall(NamedTuple):
    """Kynkäänniemi et al. 2019, equation 2."""

    precision: float  # share of generated pictures that lie among real ones
    recall: float  # share of real pictures that lie among generated ones


class DensityCoverage(NamedTuple):
    """Naeem et al. 2020, equations 4 and 6."""

    density: float  # as precision, but counting; 1 for a perfect generator, may be larger
    coverage: float  # share of real pictures with a generated one nearby; about 1 - 2^-k for a perfect generator


def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 3) -> PrecisionRecall:
    """Improved precision and recall: a picture lies among others if it is in the ball of one of them.

    A ball reaches to the k-th nearest neighbour of its centre in its own set. 1 is best.
    """
    _checked(real, fake, k)
    balls, others = _radii(real, k), _radii(fake, k)
    covered = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    recalled = 0
    for start in range(0, len(real), ROWS):
        square = squared_distances(real[start : start + ROWS], fake)  # [rows, M]
        covered |= (square <= balls[start : start + ROWS, None]).any(0)
        recalled += int((square <= others).any(1).sum())
    return PrecisionRecall(float(covered.double().mean()), recalled / len(real))


def f_score(precision: float, recall: float) -> float:
    """F1: their harmonic mean, 0 where both are (Lucic et al. 2018, sec. 5)."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def density_coverage(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 5) -> DensityCoverage:
    """Density and coverage: both from the balls of real pictures only, so that odd fakes cannot help."""
    _checked(real, fake, k)
    balls = _radii(real, k)
    inside, covered = 0, 0
    for start in range(0, len(real), ROWS):
        within = squared_distances(real[start : start + ROWS], fake) <= balls[start : start + ROWS, None]
        inside += int(within.sum())
        covered += int(within.any(1).sum())
    return DensityCoverage(inside / (k * len(fake)), covered / len(real))


def _radii(x: Tensor, k: int) -> Tensor:
    """The squared distance of each point to its k-th neighbour."""
    return nearest_within(x, k).distance[:, -1].square()


def _checked(real: Tensor, fake: Tensor, k: int) -> None:
    if k < 1 or min(len(real), len(fake)) <= k:
        raise InvalidInput("k", f"must be 1 or more and below the number of pictures, {min(len(real), len(fake))}")
