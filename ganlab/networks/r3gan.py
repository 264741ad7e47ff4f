"""R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern Baseline GAN"), configuration E.

G and D mirror each other: residual stages of 1x1, grouped 3x3 and 1x1 convolutions, bilinear resampling, no
normalisation. Stability comes from the loss (relativistic pairing with R1 and R2) and from the start: each residual
branch begins at zero and its other weights are scaled by the depth (Zhang et al. 2019, Fixup).
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import PlainMapping, StagedSynthesis, StyleGenerator

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through a leaky ReLU (He et al. 2015)


class ResidualBlock(nn.Module):
    """x + widen, mix neighbours, narrow; biases stand before each activation only."""

    def __init__(self, channels: int, expansion: int, group_size: int, depth: int) -> None:
        """`depth`: residual blocks in the whole network; each starts that much quieter."""
        super().__init__()
        inner = channels * expansion
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, groups=_groups(inner, group_size), bias=False)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bias1 = nn.Parameter(torch.zeros(inner))
        self.bias2 = nn.Parameter(torch.zeros(inner))
        gain = GAIN * depth ** (-1 / 4)  # three layers a branch: exponent -1 / (2 * 3 - 2)
        for conv, g in ((self.conv1, gain), (self.conv2, gain), (self.conv3, 0.0)):
            _start(conv, g)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        y = self.conv2(_active(self.conv1(x), self.bias1))
        return x + self.conv3(_active(y, self.bias2)).to(x.dtype)


class GeneratorStage(nn.Module):
    """The blocks of one resolution, after growing to it; the first starts from a learned basis at 4 x 4."""

    def __init__(self, inputs: int, channels: int, first: bool, blocks: int, expansion: int, group: int, depth: int):
        super().__init__()
        self.first = first
        if first:
            self.basis = nn.Parameter(torch.randn(channels, 4, 4))
            self.linear = nn.Linear(inputs, channels, bias=False)
            _start(self.linear, 1.0)
        elif inputs != channels:
            self.skip = _start(nn.Conv2d(inputs, channels, 1, bias=False), 1.0)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, expansion, group, depth) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Float[Tensor, "n o h w"]:
        if self.first:
            x = self.basis * self.linear(x.flatten(1))[:, :, None, None]
        else:
            x = self.skip(x) if hasattr(self, "skip") else x  # fewer channels first: the cheaper order, the same result
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.blocks(x)


class SynthesisNetwork(StagedSynthesis):
    """Latents to an image, doubling from 4 x 4."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int,
        channel_max: int,
        blocks: int,
        expansion: int,
        group_size: int,
    ) -> None:
        super().__init__(w_dim, img_resolution, img_channels)
        self.channels = [min(channel_base // res, channel_max) for res in self.resolutions]
        depth = blocks * len(self.channels)
        self.stages = nn.ModuleList(
            GeneratorStage(self.channels[k - 1] if k else w_dim, out, k == 0, blocks, expansion, group_size, depth)
            for k, out in enumerate(self.channels)
        )
        self.torgb = _start(nn.Conv2d(self.channels[-1], img_channels, 1, bias=False), 1.0)


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
        blocks: int = 1,
        expansion: int = 2,
        group_size: int = 16,
    ) -> None:
        sizes = img_resolution, img_channels, channel_base, channel_max
        synthesis = SynthesisNetwork(z_dim + c_dim, *sizes, blocks, expansion, group_size)
        super().__init__(z_dim, c_dim, synthesis, PlainMapping(z_dim, c_dim))


class Discriminator(nn.Module):
    """D(img, c): logits [N, 1]; a label enters as a projection (Miyato and Koyama 2018, eq. 3)."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        blocks: int = 1,
        expansion: int = 2,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        self.c_dim = c_dim
        resolutions = [2**i for i in range(img_resolution.bit_length() - 1, 1, -1)]
        channels = [min(channel_base // res, channel_max) for res in resolutions]
        depth = blocks * len(channels)
        self.fromrgb = _start(nn.Conv2d(img_channels, channels[0], 1, bias=False), 1.0)
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(c, expansion, group_size, depth) for _ in range(blocks))) for c in channels
        )
        self.widen = nn.ModuleList(
            _start(nn.Conv2d(a, b, 1, bias=False), 1.0) if a != b else nn.Identity() for a, b in pairwise(channels)
        )
        self.basis = _start(nn.Conv2d(channels[-1], channels[-1], 4, groups=channels[-1], bias=False), 1.0)
        self.out = _start(nn.Linear(channels[-1], c_dim or 1, bias=False), 1.0)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        x = self.stages[0](self.fromrgb(img))
        for stage, widen in zip(self.stages[1:], self.widen):
            x = stage(widen(F.avg_pool2d(x, 2)))  # the mean of 2 x 2 is what bilinear halving gives
        logits = self.out(self.basis(x).flatten(1))  # [N, max(1, c_dim)]
        if not self.c_dim:
            return logits
        if c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        return (logits * c).sum(1, keepdim=True)


def _groups(channels: int, size: int) -> int:
    """As many groups of at least `size` channels as divide them evenly."""
    return next(groups for groups in range(max(1, channels // size), 0, -1) if channels % groups == 0)


def _active(x: Tensor, bias: Tensor) -> Tensor:
    return F.leaky_relu(x + bias.to(x.dtype).view(-1, 1, 1), SLOPE)


def _start(layer: nn.Conv2d | nn.Linear, gain: float) -> nn.Module:
    """Initial weights of deviation gain / sqrt(fan in)."""
    fan_in = layer.weight[0].numel()
    layer.weight.data = torch.randn(layer.weight.shape) * (gain / math.sqrt(fan_in))
    return layer
