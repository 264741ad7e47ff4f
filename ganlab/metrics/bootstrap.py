"""How far a metric may be off because only so many pictures were drawn."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

NORMAL = 1.96  # standard deviations that hold 95 % of a normal distribution
RESAMPLINGS = 200


class Interval(NamedTuple):
    """A figure and where about 95 % of repetitions with other pictures would lie."""

    value: float
    lo: float
    hi: float

    @property
    def far(self) -> float:
        """How far its ends are from its middle; 0 for a figure without bounds."""
        return (self.hi - self.lo) / 2 if math.isfinite(self.value) else 0.0

    def __str__(self) -> str:
        return f"{_in_digits(self.value, 3)} ± {_in_digits(self.far, 2)}"

    def percent(self) -> str:
        """A share in words."""
        return f"{self.value:.1%} ± {self.far:.1%}"


def _in_digits(number: float, digits: int) -> str:
    text = f"{number:.{digits}g}"
    return f"{number:,.0f}" if "e+" in text else text


def bootstrap(
    statistic: Callable[..., float],
    sets: Sequence[Float[Tensor, "n *values"]],
    generator: torch.Generator,
    draws: int = RESAMPLINGS,
) -> Interval:
    """A figure of one set of independent rows or of several, with a 95 % interval (Efron 1979).

    Each set is drawn again from itself, with replacement, `draws` times. Only for figures that rows which come up twice
    do not distort, as means are; `interval` is for the others.
    """
    if draws < 2 or not all(len(rows) for rows in sets):
        raise InvalidInput("draws", "must be 2 or more, of sets that are not empty")
    value = statistic(*sets)
    if not math.isfinite(value):
        return Interval(value, value, value)
    far = NORMAL * statistics.stdev(statistic(*(_again(rows, generator) for rows in sets)) for _ in range(draws))
    return Interval(value, value - far, value + far)


def mean_of(values: Float[Tensor, "n"], generator: torch.Generator) -> Interval:
    """`bootstrap` of a mean."""
    return bootstrap(lambda rows: float(rows.mean()), [values.double()], generator)


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


def _again(x: Tensor, generator: torch.Generator) -> Tensor:
    return x[torch.randint(len(x), (len(x),), generator=generator).to(x.device)]


def _half(x: Tensor, generator: torch.Generator) -> Tensor:
    rows = torch.randperm(len(x), generator=generator)[: len(x) // 2]
    return x[rows.to(x.device)]
