"""BigGAN-deep (Brock et al. 2019, appendix B): twice as many blocks as BigGAN, with bottlenecks, and fewer weights.

All of z and the embedded class go to every block. Shortcuts are the features themselves: where there are to be fewer,
the last of them are dropped, where there are to be more, a 1 x 1 convolution adds them.
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.networks import biggan
from ganlab.networks.biggan import SelfAttention, larger
from ganlab.nn.mapping import StyleGenerator
from ganlab.nn.norms import ConditionalBatchNorm, SpectralConv2d, SpectralLinear, SpectralNetwork

BOTTLENECK = 4  # how much narrower a block is inside


class GeneratorBlock(nn.Module):
    """1 x 1, upsampling, 3 x 3, 3 x 3, 1 x 1, each behind norm and ReLU, beside the shortcut (fig. 16a)."""

    def __init__(self, inputs: int, outputs: int, knows: int, up: bool) -> None:
        super().__init__()
        self.outputs, self.up = outputs, up
        inner = max(1, inputs // BOTTLENECK)
        self.norms = nn.ModuleList(ConditionalBatchNorm(c, knows) for c in (inputs, inner, inner, inner))
        sizes = ((inputs, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, outputs, 1))
        self.convs = nn.ModuleList(SpectralConv2d(*size) for size in sizes)

    def forward(self, x: Float[Tensor, "n i h w"], known: Float[Tensor, "n k"]) -> Float[Tensor, "n o h2 w2"]:
        y = x
        for k, (norm, conv) in enumerate(zip(self.norms, self.convs)):
            y = F.relu(norm(y, known))
            y = conv(larger(y) if self.up and k == 1 else y)
        shortcut = x[:, : self.outputs]
        return y + (larger(shortcut) if self.up else shortcut)


class SynthesisNetwork(biggan.RowedSynthesis):
    """ws to an image, doubling from 4 x 4; the two blocks of a resolution read the same row."""

    def __init__(
        self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int, attention: bool
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.resolutions = [2**i for i in range(3, img_resolution.bit_length())]  # after each pair of blocks
        self.channels = biggan.block_widths(img_resolution, channel_base, channel_max)[::-1]  # from 4 x 4
        self.num_ws = len(self.resolutions) + 1
        self.first = SpectralLinear(w_dim, 16 * self.channels[0])
        pairs = list(itertools.pairwise(self.channels))
        self.same = nn.ModuleList(GeneratorBlock(a, a, w_dim, up=False) for a, _ in pairs)
        self.larger = nn.ModuleList(GeneratorBlock(a, b, w_dim, up=True) for a, b in pairs)
        there = self.resolutions.index(biggan.attended(img_resolution)) if attention else None
        self.attends = None if there is None else there + 1
        self.attention = None if there is None else SelfAttention(self.channels[there + 1])
        self.norm = nn.BatchNorm2d(self.channels[-1])
        self.colours = SpectralConv2d(self.channels[-1], img_channels, 3)
        biggan.start(self)

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c h w"]:
        """Features after the k-th of the rows: 0 begins at 4 x 4."""
        if k == 0 or x is None:
            return self.first(w).unflatten(1, (-1, 4, 4))
        x = self.larger[k - 1](self.same[k - 1](x, w), w)
        made: Tensor = self.attention(x) if self.attention is not None and k == self.attends else x
        return made


class Generator(StyleGenerator):
    """G(z, c)."""

    synthesis: SynthesisNetwork

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        attention: bool = True,
        embedded: int = biggan.EMBEDDED,
    ) -> None:
        w_dim = z_dim + (embedded if c_dim else 0)
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, channel_base, channel_max, attention)
        super().__init__(z_dim, c_dim, synthesis, biggan.Mapping(z_dim, c_dim, embedded, synthesis.num_ws))

    def power_iterate(self, times: int = 1) -> None:
        """As `SpectralNetwork.power_iterate`."""
        self.synthesis.power_iterate(times)


class DiscriminatorBlock(nn.Module):
    """ReLU and 1 x 1, 3 x 3, 3 x 3, halving, 1 x 1, beside the shortcut (fig. 16b)."""

    def __init__(self, inputs: int, outputs: int, down: bool) -> None:
        super().__init__()
        self.down = down
        inner = max(1, outputs // BOTTLENECK)
        sizes = ((inputs, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, outputs, 1))
        self.convs = nn.ModuleList(SpectralConv2d(*size) for size in sizes)
        self.more = SpectralConv2d(inputs, outputs - inputs, 1) if outputs > inputs else None

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        y = x
        for k, conv in enumerate(self.convs):
            y = F.relu(y)
            y = conv(F.avg_pool2d(y, 2) if self.down and k == 3 else y)
        if self.down:
            x = F.avg_pool2d(x, 2)
        return y + (x if self.more is None else torch.cat([x, self.more(x)], 1))


class Discriminator(SpectralNetwork):
    """D(img, c): logits [N, 1]; a label enters as a projection (Miyato and Koyama 2018, eq. 3)."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.c_dim = c_dim
        widths = biggan.block_widths(img_resolution, channel_base, channel_max)
        self.enter = SpectralConv2d(img_channels, widths[0], 3)
        blocks: list[nn.Module] = []
        res = img_resolution
        for a, b in itertools.pairwise(widths):
            blocks += [DiscriminatorBlock(a, b, down=True), DiscriminatorBlock(b, b, down=False)]
            res //= 2
            if attention and res == biggan.attended(img_resolution):
                blocks.append(SelfAttention(b))
        self.blocks = nn.Sequential(*blocks)
        self.out = SpectralLinear(widths[-1], 1)
        self.embed = SpectralLinear(c_dim, widths[-1], bias=False) if c_dim else None
        biggan.start(self)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        x = F.relu(self.blocks(self.enter(img))).sum((2, 3))  # [n, c]
        logits: Tensor = self.out(x)
        if self.embed is None:
            return logits
        if c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        return logits + (self.embed(c.to(x.dtype)) * x).sum(1, keepdim=True)
