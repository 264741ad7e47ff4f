"""Layers through which D sees a whole minibatch at once, so that a collapsed generator gives itself away."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MinibatchStd(nn.Module):
    """Appends the mean standard deviation over the minibatch as one feature (Karras et al. 2018, sec. 3)."""

    extra = 1

    def forward(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "n more"]:
        spread = (x.var(0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([x, spread.expand(len(x), 1)], 1)


class MinibatchDiscrimination(nn.Module):
    """Appends how close each sample is to the others (Salimans et al. 2016, sec. 3.2), averaged over them."""

    def __init__(self, features: int, extra: int = 8, kernel: int = 4) -> None:
        super().__init__()
        self.extra, self.kernel = extra, kernel
        self.weight = nn.Parameter(torch.empty(extra * kernel, features))

    def forward(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "n more"]:
        m = (x @ self.weight.T).view(len(x), self.extra, self.kernel)
        distance = (m[:, None] - m[None]).abs().sum(3)  # [n, n, extra]
        closeness = (distance.neg().exp().sum(1) - 1) / max(len(x) - 1, 1)  # without itself
        return torch.cat([x, closeness], 1)
