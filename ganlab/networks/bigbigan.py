"""BigBiGAN (Donahue and Simonyan 2019, "Large Scale Adversarial Representation Learning"): BiGAN at BigGAN's scale.

E draws its latent from a normal distribution that it reads off the picture. D has three scores: s_x of the picture by
F, s_z of the latent by H, s_xz of both by J on F and H; each has a hinge of its own in D's loss (sec. 2).
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.networks import biggan
from ganlab.networks.several import SeveralGenerator, joined, taken_apart
from ganlab.nn.norms import SpectralLinear, SpectralNetwork

WIDER = 4  # features of H and J for each of `channel_max`


class EncoderBlock(nn.Module):
    """Half as large: norm, ReLU, convolution, twice, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1, self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        y = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return F.avg_pool2d(y + self.skip(x), 2)


class Encoder(nn.Module):
    """E(img): a residual network down to 4 x 4, then the mean and the deviation of a latent."""

    def __init__(self, z_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__()
        widths = biggan.block_widths(img_resolution, channel_base, channel_max)
        self.first = nn.Conv2d(img_channels, widths[0], 3, padding=1)
        self.blocks = nn.Sequential(*(EncoderBlock(a, b) for a, b in itertools.pairwise(widths)))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.out = nn.Linear(widths[-1], 2 * z_dim)

    def spread(self, img: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Mean and deviation of each picture's latent."""
        x = F.relu(self.norm(self.blocks(self.first(img)))).mean((2, 3))
        mean, deviation = self.out(x).chunk(2, 1)
        return mean, F.softplus(deviation)

    def forward(self, img: Float[Tensor, "n c h w"], rng: torch.Generator | None = None) -> Float[Tensor, "n z_dim"]:
        """A latent drawn for each picture, z = mean + deviation * N(0, I); without `rng` the mean."""
        mean, deviation = self.spread(img)
        if rng is None:
            return mean
        return mean + deviation * torch.randn(mean.shape, generator=rng, device=mean.device)


class Generator(SeveralGenerator):
    """G(z), BigGAN's without classes, and E beside it."""

    synthesis: biggan.SynthesisNetwork
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
        sizes = img_resolution, img_channels, channel_base, channel_max
        synthesis = biggan.SynthesisNetwork(z_dim, 0, *sizes, skip_z=True, attention=True)
        super().__init__(z_dim, 0, synthesis, biggan.Mapping(z_dim, 0, 0, synthesis.num_ws))
        self.encoder = Encoder(z_dim, *sizes)

    def power_iterate(self, times: int = 1) -> None:
        """As `SpectralNetwork.power_iterate`."""
        self.synthesis.power_iterate(times)

    def of_data(self, real: Tensor, c: Tensor | None, rng: torch.Generator | None = None) -> Float[Tensor, "n p"]:
        """(x, a latent drawn from E(x))."""
        return joined([real, self.encoder(real, rng)])

    def of_fakes(self, z: Tensor, c: Tensor | None, real: Tensor) -> Float[Tensor, "n p"]:
        """(G(z), z)."""
        return joined([self.synthesis(self.mapping(z)), z])


class Discriminator(SpectralNetwork):
    """D(pair): the scores s_x, s_z, s_xz [N, 3]."""

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
        self.image = biggan.Discriminator(0, img_resolution, img_channels, channel_base, channel_max)
        features, width = self.image.out.weight.shape[1], WIDER * channel_max
        self.of_z = _layers(z_dim, width)
        self.of_both = _layers(features + width, width)
        self.score_z, self.score_both = SpectralLinear(width, 1), SpectralLinear(width, 1)
        biggan.start(self)

    def forward(self, pair: Float[Tensor, "n p"], c: Tensor | None = None) -> Float[Tensor, "n 3"]:
        img, z = taken_apart(pair, self.shapes)
        x = F.relu(self.image.blocks(img)).sum((2, 3))  # F's features
        h = self.of_z(z)
        both = self.of_both(torch.cat([x, h], 1))
        return torch.cat([self.image.out(x), self.score_z(h), self.score_both(both)], 1)


def _layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(SpectralLinear(inputs, width), nn.ReLU(), SpectralLinear(width, width), nn.ReLU())
