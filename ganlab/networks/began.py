"""BEGAN (Berthelot et al. 2017): D is an autoencoder, how badly it reconstructs a picture is the picture's energy.

G has the shape of D's decoder: convolutions with ELU, two for each resolution from 8 x 8, nearest neighbours between.
"""

import itertools

from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import PlainMapping, StagedSynthesis, StyleGenerator

SIDE = 8  # pixels that a latent becomes first (sec. 3.5)


class SynthesisNetwork(StagedSynthesis):
    """Latents to an image, doubling from 8 x 8; D's decoder too."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__(w_dim, img_resolution, img_channels)
        self.resolutions = resolutions(img_resolution)
        width = min(channel_base // img_resolution, channel_max)  # the same everywhere, as in the paper
        self.channels = [width for _ in self.resolutions]
        stages: list[nn.Module] = []
        for k, side in enumerate(self.resolutions):
            first = [_Whole(w_dim, width, side)] if k == 0 else [nn.Upsample(scale_factor=2)]
            stages.append(nn.Sequential(*first, _conv(width, width), _conv(width, width)))
        self.stages = nn.ModuleList(stages)
        self.torgb = nn.Conv2d(width, img_channels, 3, padding=1)


class Generator(StyleGenerator):
    """G(z); it knows no classes."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, 0, synthesis, PlainMapping(z_dim, 0))


class Discriminator(nn.Module):
    """D(img): energies [N, 1], the mean absolute error of the reconstruction (sec. 3.1, with eta = 1)."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
        code: int = 64,
    ) -> None:
        """`code`: numbers between encoder and decoder, as many as z has."""
        super().__init__()
        self.c_dim = 0
        sides, width = resolutions(img_resolution)[::-1], min(channel_base // img_resolution, channel_max)
        widths = [width * (k + 1) for k in range(len(sides))]  # n, 2 n, 3 n, ... (fig. 1)
        layers: list[nn.Module] = [nn.Conv2d(img_channels, width, 3, padding=1), nn.ELU()]
        for a, b in itertools.pairwise(widths):
            layers += [_conv(a, a), _conv(a, b), _conv(b, b, 2)]
        layers += [_conv(widths[-1], widths[-1]), nn.Flatten(), nn.Linear(widths[-1] * sides[-1] ** 2, code)]
        self.encoder = nn.Sequential(*layers)
        self.decoder = SynthesisNetwork(code, img_resolution, img_channels, channel_base, channel_max)

    def reconstructed(self, img: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The picture, as far as it goes through the code."""
        made: Tensor = self.decoder(self.encoder(img)[:, None])
        return made

    def forward(self, img: Float[Tensor, "n c h w"], c: Tensor | None = None) -> Float[Tensor, "n 1"]:
        return (img - self.reconstructed(img)).abs().flatten(1).mean(1, keepdim=True)


def resolutions(img_resolution: int) -> list[int]:
    """8, 16, ... up to the picture's; below 8 px that alone."""
    return [2**i for i in range(SIDE.bit_length() - 1, img_resolution.bit_length())] or [img_resolution]


class _Whole(nn.Module):
    """A latent to all features of the first resolution; no nonlinearity follows it (sec. 3.5)."""

    def __init__(self, w_dim: int, width: int, side: int) -> None:
        super().__init__()
        self.side, self.linear = side, nn.Linear(w_dim, width * side**2)

    def forward(self, x: Float[Tensor, "n w 1 1"]) -> Float[Tensor, "n c s s"]:
        return self.linear(x.flatten(1)).unflatten(1, (-1, self.side, self.side))


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ELU())
