"""Multi-layer perceptrons: the networks of 1D and 2D toy data."""

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.minibatch import MinibatchDiscrimination, MinibatchStd
from ganlab.nn.norms import SpectralLinear, VirtualBatchNorm


class Mlp(nn.Module):
    """`depth` hidden layers (linear, norm, activation) and a linear output.

    depth 2 and width W is the 2 x W network of the toy literature. The weights are left unset; see `reset`.
    """

    def __init__(
        self, d_in: int, width: int, depth: int, d_out: int, activation: str, norm: str, extra: nn.Module | None = None
    ) -> None:
        super().__init__()
        sizes = [d_in] + [width] * depth
        linear = SpectralLinear if norm == "spectral" else nn.Linear
        self.layers = nn.ModuleList(linear(a, b) for a, b in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(NORMS[norm](width) for _ in range(depth))
        self.activation = ACTIVATIONS[activation]
        self.extra = extra
        added = 0 if extra is None else int(extra.extra)  # type: ignore[arg-type]
        self.output = linear(width + added, d_out)

    def hidden(self, x: Tensor) -> Tensor:
        """The last hidden layer, [N, width]."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = self.activation(norm(layer(x)))
        return x

    def forward(self, x: Tensor) -> Tensor:
        h = self.hidden(x)
        return self.output(h if self.extra is None else self.extra(h))

    def power_iterate(self, times: int = 1) -> None:
        """One power iteration of every spectrally normalised layer; nothing for others."""
        for module in self.modules():
            if isinstance(module, SpectralLinear):
                module.power_iterate(times)

    @torch.no_grad()
    def reset(self, rng: torch.Generator) -> None:
        """New weights, U(-1, 1) / sqrt(fan in), biases 0, drawn in a fixed order from `rng`."""
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                draw = torch.rand(parameter.shape, generator=rng, dtype=torch.float64)
                parameter.copy_((2 * draw - 1) / parameter.shape[1] ** 0.5)
            elif name.endswith("bias"):
                parameter.zero_()
        self.power_iterate(10)


class MlpGenerator(Mlp):
    """G: latents z [N, z_dim] to points [N, dim]."""

    def __init__(self, z_dim: int, width: int, depth: int, dim: int, activation: str = "relu", norm: str = "none"):
        super().__init__(z_dim, width, depth, dim, activation, norm)
        self.virtual = norm == "virtual_batch"
        self.reference: Tensor  # latents of the reference batch, [R, z_dim]; follows from the seed
        self.register_buffer("reference", torch.zeros(0, z_dim), persistent=False)

    def set_reference(self, z: Float[Tensor, "r z_dim"]) -> None:
        """Fixes the reference batch of virtual batch normalisation."""
        self.reference = z
        for norm in self.norms:
            if isinstance(norm, VirtualBatchNorm):
                norm.reference = len(z)

    def forward(self, z: Float[Tensor, "n z_dim"], c: None = None) -> Float[Tensor, "n dim"]:
        if not self.virtual:
            return super().forward(z)
        return super().forward(torch.cat([self.reference, z]))[len(self.reference) :]


class MlpDiscriminator(Mlp):
    """D: points [N, dim] to logits [N / pack, 1]; with pack > 1 it judges that many samples at once (PacGAN)."""

    def __init__(
        self,
        dim: int,
        width: int,
        depth: int,
        activation: str = "relu",
        norm: str = "none",
        minibatch: str = "none",
        pack: int = 1,
    ):
        super().__init__(dim * pack, width, depth, 1, activation, norm, MINIBATCH[minibatch](width))
        self.pack = pack

    def forward(self, x: Float[Tensor, "n dim"], c: None = None) -> Float[Tensor, "m 1"]:
        return super().forward(self._packed(x))

    def features(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "m width"]:
        """What feature matching compares: the last hidden layer."""
        return self.hidden(self._packed(x))

    def score(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n 1"]:
        """The logit of each point alone: a packed D sees it `pack` times."""
        return super().forward(x.repeat(1, self.pack))

    def _packed(self, x: Tensor) -> Tensor:
        return x if self.pack == 1 else x.reshape(len(x) // self.pack, -1)


class MlpEnergy(nn.Module):
    """The autoencoder D of EBGAN and BEGAN: energy(x) = mean |x - AE(x)| over coordinates, [N, 1], >= 0."""

    pack = 1

    def __init__(self, dim: int, width: int, depth: int, activation: str = "relu", norm: str = "none"):
        super().__init__()
        self.body = Mlp(dim, width, depth, dim, activation, norm)

    def forward(self, x: Float[Tensor, "n dim"], c: None = None) -> Float[Tensor, "n 1"]:
        return (x - self.body(x)).abs().mean(1, keepdim=True)

    def score(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n 1"]:
        """Minus the energy, so that large means real as for every other D."""
        return -self(x)

    def features(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n width"]:
        """The last hidden layer of the autoencoder."""
        return self.body.hidden(x)

    def power_iterate(self, times: int = 1) -> None:
        """As `Mlp.power_iterate`."""
        self.body.power_iterate(times)

    def reset(self, rng: torch.Generator) -> None:
        """As `Mlp.reset`."""
        self.body.reset(rng)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _no_norm(width: int) -> nn.Module:
    return nn.Identity()


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "leaky_relu": _leaky, "tanh": torch.tanh}
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": _no_norm,
    "spectral": _no_norm,  # sits in the linear layers
    "layer": nn.LayerNorm,
    "batch": nn.BatchNorm1d,
    "virtual_batch": VirtualBatchNorm,
}
G_NORMS = ("none", "batch", "virtual_batch")
D_NORMS = ("none", "spectral", "layer", "batch")
MINIBATCH: dict[str, Callable[[int], nn.Module | None]] = {
    "none": lambda width: None,
    "std": lambda width: MinibatchStd(),
    "discrimination": MinibatchDiscrimination,
}
