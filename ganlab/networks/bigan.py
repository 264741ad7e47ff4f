"""BiGAN (Donahue et al. 2017), which is ALI (Dumoulin et al. 2017): an encoder E learns with G to invert it.

D judges pairs: pictures of the data with their E(x), latents with their G(z). Where it cannot tell them apart, E and G
are each other's inverses. G and E are those of DCGAN.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.networks import dcgan
from ganlab.networks.several import SeveralGenerator, joined, taken_apart
from ganlab.nn.mapping import PlainMapping


class Encoder(nn.Module):
    """E(img): a latent for each picture."""

    def __init__(self, z_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__()
        self.net = dcgan.Discriminator(0, img_resolution, img_channels, channel_base, channel_max)
        self.net.out = nn.Conv2d(self.net.out.in_channels, z_dim, 4)

    def forward(self, img: Float[Tensor, "n c h w"]) -> Float[Tensor, "n z_dim"]:
        return self.net.out(self.net.layers(img)).flatten(1)


class Generator(SeveralGenerator):
    """G(z), and E beside it; it knows no classes."""

    encodes = True
    encoder: Encoder

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
    ) -> None:
        synthesis = dcgan.SynthesisNetwork(z_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, 0, synthesis, PlainMapping(z_dim, 0))
        self.encoder = Encoder(z_dim, img_resolution, img_channels, channel_base, channel_max)

    def of_data(self, real: Tensor, c: Tensor | None, rng: torch.Generator | None = None) -> Float[Tensor, "n p"]:
        """(x, E(x))."""
        return joined([real, self.encoder(real)])

    def of_fakes(self, z: Tensor, c: Tensor | None, real: Tensor) -> Float[Tensor, "n p"]:
        """(G(z), z)."""
        return joined([self.synthesis(self.mapping(z)), z])


class Discriminator(nn.Module):
    """D(pair): logits [N, 1]; the latent meets what D has understood of the picture."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        z_dim: int = 128,
    ) -> None:
        super().__init__()
        self.c_dim = 0
        self.shapes = ((img_channels, img_resolution, img_resolution), (z_dim,))
        image = dcgan.Discriminator(0, img_resolution, img_channels, channel_base, channel_max)
        self.layers, width = image.layers, 2 * channel_max
        self.of_z = nn.Sequential(*_hidden(z_dim, width), *_hidden(width, width))
        self.both = nn.Sequential(*_hidden(image.out.in_channels * 16 + width, width))
        self.out = nn.Linear(width, 1)

    def forward(self, pair: Float[Tensor, "n p"], c: Tensor | None = None) -> Float[Tensor, "n 1"]:
        img, z = taken_apart(pair, self.shapes)
        return self.out(self.both(torch.cat([self.layers(img).flatten(1), self.of_z(z)], 1)))


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
