"""Nearest neighbours among features, and whether a generator copies what it was trained on."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ganlab.config import InvalidInput

CELLS = 4_000_000  # distances computed at once: 32 MB


class Nearest(NamedTuple):
    """The nearest neighbours of each row, nearest first."""

    distance: Float[Tensor, "n count"]  # Euclidean, float64
    rows: Int[Tensor, "n count"]  # which of the others they are


class Copying(NamedTuple):
    """The global data-copying test of Meehan et al. 2020 (section 3.1)."""

    share: float  # of pairs in which the generated picture is nearer to the training set; 1/2 is right, 1 copying
    z: float  # the same as the test's z score: below -3 it copies, above 3 it is farther off than fresh real pictures


def squared_distances(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Squared Euclidean distances, float64, none below 0."""
    middle = b.detach().double().mean(0)  # near the origin the product form loses least
    a, b = a.detach().double() - middle, b.detach().double() - middle
    return torch.addmm(a.square().sum(1, keepdim=True) + b.square().sum(1), a, b.T, alpha=-2).clamp_(min=0)


def nearest_neighbours(
    fake_features: Float[Tensor, "n d"], real_features: Float[Tensor, "m d"], count: int = 1
) -> Nearest:
    """The `count` nearest real features of each generated one; memory stays bounded."""
    if not 1 <= count <= len(real_features):
        raise InvalidInput("count", f"must be from 1 to the number of real pictures, {len(real_features)}")
    chunks = _chunks(len(fake_features), len(real_features))
    return _joined(
        [squared_distances(fake_features[rows], real_features).topk(count, largest=False) for rows in chunks]
    )


def nearest_within(features: Float[Tensor, "n d"], count: int = 1) -> Nearest:
    """The nearest of the other rows of the same set; of equal rows each is a neighbour of the others."""
    if not 1 <= count < len(features):
        raise InvalidInput("count", f"must be from 1 to one less than the number of pictures, {len(features)}")
    parts = []
    for rows in _chunks(len(features), len(features)):
        square = squared_distances(features[rows], features)
        own = torch.arange(len(features), device=square.device)[rows]
        square[torch.arange(len(own), device=square.device), own] = math.inf
        parts.append(square.topk(count, largest=False))
    return _joined(parts)


def copying(
    fake_features: Float[Tensor, "n d"], train_features: Float[Tensor, "m d"], held_out: Float[Tensor, "k d"]
) -> Copying:
    """Whether generated pictures lie closer to the training set than fresh real ones do.

    The Mann-Whitney test of the distances to the nearest training picture, without the paper's division into cells;
    its normal approximation wants 20 pictures or more of both kinds.
    """
    near = nearest_neighbours(fake_features, train_features).distance[:, 0]
    usual = nearest_neighbours(held_out, train_features).distance[:, 0]
    n, k = len(near), len(usual)
    ordered = usual.sort().values
    below = torch.searchsorted(ordered, near)  # fresh pictures that are nearer
    not_above = torch.searchsorted(ordered, near, right=True)
    farther = float((below + not_above).double().sum()) / 2  # pairs with the generated one farther off; a tie is half
    z = (farther - n * k / 2) / math.sqrt(n * k * (n + k + 1) / 12)
    return Copying(1 - farther / (n * k), z)


def _chunks(rows: int, columns: int) -> Iterator[slice]:
    size = max(1, CELLS // columns)
    return (slice(start, start + size) for start in range(0, rows, size))


def _joined(parts: Sequence[tuple[Tensor, Tensor]]) -> Nearest:
    return Nearest(torch.cat([part[0] for part in parts]).sqrt(), torch.cat([part[1] for part in parts]))
