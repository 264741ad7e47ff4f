"""TransGAN (Jiang et al. 2021, "TransGAN: Two Pure Transformers Can Make One Strong GAN, and That Can Scale Up"), in
its vanilla form: plain vision transformers, which stand beside ViTGAN's smooth ones.

G's tokens double from 8 x 8 by pixel shuffling until there is one for each pixel; where they are more than 16 x 16,
they attend within windows (grid self-attention; the paper's begins above 32 x 32). A linear layer before each shuffle
makes as many features as the settings ask for, where the paper's become a quarter. D is not the paper's multi-scale
one, norms are layer norms, and positions are absolute.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.networks import vitgan
from ganlab.networks.vitgan import GRID, Block, DotAttention, start, to_grid, to_tokens, token_width
from ganlab.nn.mapping import PlainMapping, StagedSynthesis, StyleGenerator

DEPTHS = (5, 4, 2)  # blocks at 8 x 8, 16 x 16 and from there on, as for CIFAR-10
WINDOW = 16  # tokens along a side that see each other


class FusedAttention(DotAttention):
    """`DotAttention` without a matrix of all pairs in memory, for G: nothing differentiates it twice."""

    def attend(
        self, query: Float[Tensor, "n h t d"], key: Float[Tensor, "n h t d"], value: Float[Tensor, "n h t d"]
    ) -> Float[Tensor, "n h t d"]:
        return F.scaled_dot_product_attention(query, key, value)


class GeneratorStage(nn.Module):
    """The blocks of one resolution, after growing to it; the first makes its tokens of w."""

    def __init__(self, inputs: int, width: int, side: int, depth: int, first: bool) -> None:
        super().__init__()
        self.width, self.side, self.first = width, side, first
        self.enter = nn.Linear(inputs, width * (side**2 if first else 4))
        self.positions = nn.Parameter(torch.randn(side**2, width))
        self.blocks = nn.Sequential(*(Block(width, FusedAttention(width)) for _ in range(depth)))

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o side side"]:
        if self.first:
            tokens = self.enter(x.flatten(1)).unflatten(1, (-1, self.width))
        else:
            tokens = to_tokens(F.pixel_shuffle(to_grid(self.enter(to_tokens(x))), 2))
        tokens = tokens + self.positions
        if self.side <= WINDOW:
            return to_grid(self.blocks(tokens))
        return self._joined(self.blocks(self._windows(tokens)))

    def _windows(self, tokens: Tensor) -> Tensor:
        """[n, side side, w] to [n windows, tokens of a window, w]."""
        count = self.side // WINDOW
        x = tokens.unflatten(1, (count, WINDOW, count, WINDOW))
        return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)

    def _joined(self, windows: Tensor) -> Tensor:
        """The grid [n, w, side, side] of windows."""
        count = self.side // WINDOW
        x = windows.unflatten(0, (-1, count, count)).unflatten(3, (WINDOW, WINDOW))
        return x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


class SynthesisNetwork(StagedSynthesis):
    """Latents to an image, doubling from 8 x 8."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__(w_dim, img_resolution, img_channels)
        self.resolutions = [side for side in self.resolutions if side >= min(GRID, img_resolution)]
        self.channels = [token_width(side, channel_base, channel_max) for side in self.resolutions]
        self.stages = nn.ModuleList(
            GeneratorStage(
                self.channels[k - 1] if k else w_dim, width, side, DEPTHS[min(k, len(DEPTHS) - 1)], first=k == 0
            )
            for k, (side, width) in enumerate(zip(self.resolutions, self.channels))
        )
        self.torgb = nn.Conv2d(self.channels[-1], img_channels, 1)
        start(self)


class Generator(StyleGenerator):
    """G(z, c); a class label stands beside z."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim + c_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, c_dim, synthesis, PlainMapping(z_dim, c_dim))


class Discriminator(vitgan.Discriminator):
    """D(img, c): a plain vision transformer, logits [N, 1]."""

    def __init__(
        self, c_dim: int, img_resolution: int, img_channels: int, channel_base: int = 4096, channel_max: int = 256
    ) -> None:
        super().__init__(c_dim, img_resolution, img_channels, channel_base, channel_max, smooth=False)
