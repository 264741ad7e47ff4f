"""A DCGAN whose class enters G through batch normalisation alone, whose gains and shifts it sets.

De Vries et al. 2017, "Modulating early visual processing by language", sec. 3; in GANs since Miyato and Koyama 2018.
Each stage reads the class of its own row of ws, so labs can take coarse layers of one class and fine ones of another.
D is that of DCGAN.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.networks.biggan import Mapping, RowedSynthesis
from ganlab.networks.dcgan import start
from ganlab.nn.mapping import StyleGenerator
from ganlab.nn.norms import ConditionalBatchNorm


class SynthesisNetwork(RowedSynthesis):
    """ws to an image, doubling from 4 x 4; a row is z, of which the first alone is read, and the class."""

    def __init__(
        self, z_dim: int, c_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int
    ) -> None:
        super().__init__()
        self.z_dim, self.w_dim = z_dim, z_dim + c_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.sides = [2**i for i in range(2, img_resolution.bit_length())]
        self.resolutions, self.num_ws = self.sides[1:], len(self.sides)  # after each row but the first
        self.channels = [min(channel_base // side, channel_max) for side in self.sides]
        inputs = [z_dim, *self.channels]
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1) if k else nn.ConvTranspose2d(a, b, 4)
            for k, (a, b) in enumerate(zip(inputs, self.channels))
        )
        self.norms = nn.ModuleList(ConditionalBatchNorm(c, c_dim, nn.Linear) for c in self.channels)
        self.colours = nn.Conv2d(self.channels[-1], img_channels, 3, padding=1)
        start(self)

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c h w"]:
        """Features after the k-th of the rows: 0 begins at 4 x 4."""
        x = w[:, : self.z_dim, None, None] if x is None else x
        return F.relu(self.norms[k](self.convs[k](x), w[:, self.z_dim :]))

    def torgb(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Colours of the last features."""
        return torch.tanh(self.colours(x))


class Generator(StyleGenerator):
    """G(z, c)."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 512,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, c_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, c_dim, synthesis, Mapping(z_dim, c_dim, 0, synthesis.num_ws))
