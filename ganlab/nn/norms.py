"""Normalisations that torch does not have in the form that GANs need."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Spectral:
    """A layer whose weight, as a matrix [out, rest], has a largest singular value of 1 (Miyato et al. 2018, alg. 1).

    The power iteration moves only in `power_iterate`, which the training step calls once before each update, so
    that all passes of one update see the same weights.
    """

    weight: nn.Parameter
    u: Tensor  # [out], the left singular vector so far
    v: Tensor  # [rest]

    def start(self) -> None:
        """The vectors that the iteration begins with."""
        out, rest = self.weight.flatten(1).shape
        self.register_buffer("u", F.normalize(torch.ones(out), dim=0))  # type: ignore[attr-defined]
        self.register_buffer("v", F.normalize(torch.ones(rest), dim=0))  # type: ignore[attr-defined]

    @torch.no_grad()
    def power_iterate(self, times: int = 1) -> None:
        """Moves u and v closer to the first singular vectors of the weight."""
        if self.weight.is_meta:  # a file's weights are still to come, and its u and v with them
            return
        weight = self.weight.flatten(1)
        for _ in range(times):
            self.v.copy_(F.normalize(weight.T @ self.u, dim=0))
            self.u.copy_(F.normalize(weight @ self.v, dim=0))

    def largest(self) -> Float[Tensor, ""]:
        """The weight's largest singular value, as far as the iteration has come."""
        return self.u @ self.weight.flatten(1) @ self.v

    def normalized(self) -> Tensor:
        """The weight of spectral norm 1, about."""
        return self.weight / self.largest()


class SpectralLinear(Spectral, nn.Linear):  # type: ignore[misc]
    """A linear layer of spectral norm 1."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.start()

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.normalized(), self.bias)


class SpectralConv2d(Spectral, nn.Conv2d):  # type: ignore[misc]
    """A convolution, padded so that it keeps the size, whose weight as a matrix has spectral norm 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.start()

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.normalized().to(input.dtype), self.bias)


class SpectralNetwork(nn.Module):
    """A network with spectral layers."""

    def power_iterate(self, times: int = 1) -> None:
        """Moves the power iterations of all of them."""
        for module in self.modules():
            if isinstance(module, Spectral):
                module.power_iterate(times)


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation whose gain and shift are linear in a vector of each sample (de Vries et al. 2017)."""

    def __init__(self, features: int, knows: int, linear: type[nn.Linear] = SpectralLinear) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=knows == 0)
        self.gain, self.shift = (linear(knows, features, bias=False) if knows else None for _ in range(2))

    def forward(self, x: Float[Tensor, "n c h w"], known: Float[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        x = self.norm(x)
        if self.gain is None or self.shift is None:
            return x
        return x * (1 + self.gain(known))[:, :, None, None] + self.shift(known)[:, :, None, None]


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
