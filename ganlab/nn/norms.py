"""Normalisations that torch does not have in the form that GANs need."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class SpectralLinear(nn.Linear):
    """A linear layer whose weight is divided by its largest singular value (Miyato et al. 2018, alg. 1).

    The power iteration moves only in `power_iterate`, which the training step calls once before each update, so
    that all passes of one update see the same weights.
    """

    u: Tensor  # [out], the left singular vector so far
    v: Tensor  # [in]

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.register_buffer("u", F.normalize(torch.ones(out_features), dim=0))
        self.register_buffer("v", F.normalize(torch.ones(in_features), dim=0))

    @torch.no_grad()
    def power_iterate(self, times: int = 1) -> None:
        """Moves u and v closer to the first singular vectors of the weight."""
        for _ in range(times):
            self.v.copy_(F.normalize(self.weight.T @ self.u, dim=0))
            self.u.copy_(F.normalize(self.weight @ self.v, dim=0))

    def forward(self, input: Tensor) -> Tensor:
        sigma = self.u @ self.weight @ self.v
        return F.linear(input, self.weight / sigma, self.bias)


class VirtualBatchNorm(nn.Module):
    """Batch normalisation by the statistics of one fixed reference batch (Salimans et al. 2016, sec. 3.5).

    The first rows of a pass are the reference batch (`reference` of them), the rest is normalised by the reference
    statistics mixed with each sample's own, as one more member of that batch.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.reference = 0  # rows of the pass that are the reference batch; set by the network

    def forward(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "n features"]:
        head = x[: self.reference]
        share = 1 / (self.reference + 1)
        mean = head.mean(0).lerp(x, share)  # [n, features]
        square = head.square().mean(0).lerp(x.square(), share)
        scale = (square - mean.square()).clamp_min(0).add(1e-5).rsqrt()
        return (x - mean) * scale * self.weight + self.bias
