"""The kernel distance of two sets of features (Binkowski et al. 2018); on Inception's features it is called KID."""

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.metrics.bootstrap import NORMAL, Interval

DEGREE = 3  # of the polynomial kernel
SUBSETS, SIZE = 100, 1000  # as the paper's code takes them


def mmd2(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """The squared maximum mean discrepancy with the kernel (x . y / d + 1)^3, unbiased: it can be below 0.

    Unlike a Fréchet distance it is right, on average, for sets of any size (Gretton et al. 2012, eq. 3).
    """
    n, m = len(real), len(fake)
    if min(n, m) < 2:
        raise InvalidInput("features", f"are of {n} and {m} pictures; a kernel distance needs two or more of each")
    x, y = real.detach().double(), fake.detach().double()
    xx, yy = (float((k.sum() - k.trace()) / (len(k) * (len(k) - 1))) for k in (_kernel(x, x), _kernel(y, y)))
    return xx + yy - 2 * float(_kernel(x, y).mean())


def kernel_distance(
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    generator: torch.Generator,
    subsets: int = SUBSETS,
    size: int = SIZE,
) -> Interval:
    """The mean of `mmd2` over random subsets, and where about 95 % of them would put that mean."""
    if subsets < 2:
        raise InvalidInput("subsets", "must be 2 or more")
    size = min(size, len(real), len(fake))
    values = torch.tensor(
        [mmd2(_some(real, size, generator), _some(fake, size, generator)) for _ in range(subsets)], dtype=torch.float64
    )
    mean, far = float(values.mean()), NORMAL * float(values.std()) / subsets**0.5
    return Interval(mean, mean - far, mean + far)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** DEGREE


def _some(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=generator)[:count].to(x.device)]
