"""How far a metric may be off because only so many pictures were drawn."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

NORMAL = 1.96  # standard deviations that hold 95 % of a normal distribution


class Interval(NamedTuple):
    """A figure and where about 95 % of repetitions with other pictures would lie."""

    value: float
    lo: float
    hi: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {(self.hi - self.lo) / 2:.2g}"


def interval(
    metric: Callable[[Tensor, Tensor], float],
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    draws: int,
    generator: torch.Generator,
) -> Interval:
    """The metric of both sets, with a 95 % interval for the chance of having drawn just these pictures.

    The delete-half jackknife (Shao and Wu 1989): the standard deviation of the metric over random halves of both sets,
    taken without replacement, is an estimate of that of the whole. A bootstrap with replacement would repeat pictures,
    which makes a Fréchet distance larger and breaks nearest neighbours. The interval says nothing about the bias of
    small sets, which is the same for each of them.
    """
    return intervals(lambda a, b: (metric(a, b),), real, fake, draws, generator)[0]


def intervals(
    metrics: Callable[[Tensor, Tensor], Sequence[float]],
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    draws: int,
    generator: torch.Generator,
) -> list[Interval]:
    """`interval` of figures that are found together, as precision and recall are."""
    if draws < 2 or min(len(real), len(fake)) < 4:
        raise InvalidInput("draws", "must be 2 or more, of sets with 4 pictures or more")
    values = [metrics(_half(real, generator), _half(fake, generator)) for _ in range(draws)]
    spread = (NORMAL * statistics.stdev(column) for column in zip(*values, strict=True))
    return [Interval(v, v - far, v + far) for v, far in zip(metrics(real, fake), spread, strict=True)]


def _half(x: Tensor, generator: torch.Generator) -> Tensor:
    rows = torch.randperm(len(x), generator=generator)[: len(x) // 2]
    return x[rows.to(x.device)]
