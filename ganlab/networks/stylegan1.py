"""StyleGAN (Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks").

A learned constant grows through two layers a resolution; each adds noise and is given its style by adaptive instance
normalisation. Parameters are named as in `stylegan2.py`.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import MappingNetwork, StyleGenerator
from ganlab.nn.noise import noise_inputs
from ganlab.nn.style import FullyConnectedLayer, shifted, split_offsets

GAIN = math.sqrt(2)  # keeps the variance through a leaky ReLU


def blur(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """The binomial filter 1 2 1 in both directions (sec. 2, "bilinear sampling"), zeros around the image."""
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    c = x.shape[1]
    x = F.conv2d(x, taps.view(1, 1, 3, 1).expand(c, -1, -1, -1), padding=(1, 0), groups=c)
    return F.conv2d(x, taps.view(1, 1, 1, 3).expand(c, -1, -1, -1), padding=(0, 1), groups=c)


def conv_up2d(x: Float[Tensor, "n i h w"], weight: Float[Tensor, "o i 3 3"]) -> Float[Tensor, "n o h2 w2"]:
    """Pixels doubled, then convolved with the kernel turned round: one transposed convolution, 2.25 times as fast.

    Each pixel of the input meets the 3 x 3 kernel at four places; their sum is a kernel of 4 x 4.
    """
    w = F.pad(weight.transpose(0, 1), (1, 1, 1, 1))
    w = w[:, :, 1:, 1:] + w[:, :, :-1, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, :-1]
    return F.conv_transpose2d(x, w, stride=2, padding=1)


def adain(x: Float[Tensor, "n c h w"], style: Float[Tensor, "n c2"]) -> Float[Tensor, "n c h w"]:
    """Each feature map to mean 0 and variance 1, then to its style's scale (less 1) and shift (eq. 1)."""
    scale, shift = style[:, :, None, None].chunk(2, 1)
    return F.instance_norm(x, eps=1e-8) * (scale + 1) + shift


class SynthesisLayer(nn.Module):
    """Convolution, noise, bias, leaky ReLU, style. The first of all has no convolution: it takes the constant."""

    noise_const: Tensor
    use_noise = True

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int, up: int = 1) -> None:
        super().__init__()
        self.resolution, self.up = resolution, up
        if in_channels:
            self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
            self.weight_gain = GAIN / math.sqrt(in_channels * 9)
        self.in_channels = in_channels
        self.affine = FullyConnectedLayer(w_dim, 2 * out_channels)
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros(out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self,
        x: Float[Tensor, "n i h w"],
        w: Float[Tensor, "n w_dim"],
        noise: Tensor | None = None,
        offset: Tensor | None = None,
    ) -> Float[Tensor, "n o h2 w2"]:
        """`noise` is added as it is given ([H, W] or [N, 1, H, W], times noise_strength); None adds nothing.

        `offset` [N, 2 o] is added to the style.
        """
        if self.in_channels:
            weight = self.weight * self.weight_gain
            x = blur(conv_up2d(x, weight)) if self.up > 1 else F.conv2d(x, weight, padding=1)
        if noise is not None:
            x = x + noise * self.noise_strength.view(-1, 1, 1)
        return adain(F.leaky_relu(x + self.bias.view(-1, 1, 1), 0.2), shifted(self.affine(w), offset))


class SynthesisBlock(nn.Module):
    """The two layers of one resolution."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int) -> None:
        super().__init__()
        self.in_channels, self.resolution = in_channels, resolution
        if in_channels == 0:
            self.const = nn.Parameter(torch.ones(out_channels, resolution, resolution))
        self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=2)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution)

    def forward(
        self,
        x: Tensor | None,
        ws: Float[Tensor, "n 2 w_dim"],
        noise: Sequence[Tensor | None],
        offsets: Sequence[Tensor | None],
    ) -> Float[Tensor, "n c h w"]:
        x = self.const[None].expand(len(ws), -1, -1, -1) if x is None else x
        return self.conv1(self.conv0(x, ws[:, 0], noise[0], offsets[0]), ws[:, 1], noise[1], offsets[1])


class ToRGB(nn.Module):
    """A 1x1 convolution to colours, without style."""

    def __init__(self, in_channels: int, img_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h w"]:
        return F.conv2d(x, self.weight * self.weight_gain, self.bias)


class SynthesisNetwork(nn.Module):
    """g: ws to an image."""

    def __init__(
        self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int = 16384, channel_max: int = 512
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.block_resolutions = [2**i for i in range(2, img_resolution.bit_length())]
        channels = {res: min(channel_base // res, channel_max) for res in self.block_resolutions}
        for res in self.block_resolutions:
            block = SynthesisBlock(channels[res // 2] if res > 4 else 0, channels[res], w_dim, res)
            setattr(self, f"b{res}", block)
        self.torgb = ToRGB(channels[img_resolution], img_channels)
        self.num_ws = 2 * len(self.block_resolutions)

    def blocks(self) -> list[SynthesisBlock]:
        """The blocks, from 4 x 4 up."""
        return [getattr(self, f"b{res}") for res in self.block_resolutions]

    def layers(self) -> list[SynthesisLayer]:
        """The layers in order, one style and one noise input each."""
        return [layer for block in self.blocks() for layer in (block.conv0, block.conv1)]

    def affines(self) -> list[FullyConnectedLayer]:
        """What makes the styles of all layers, in order."""
        return [layer.affine for layer in self.layers()]

    def noise_inputs(
        self, mode: str, n: int, generator: torch.Generator | None = None, device: torch.device | None = None
    ) -> list[Tensor | None]:
        """One entry a layer: its constant noise [H, W], none, or new draws [n, 1, H, W]."""
        return noise_inputs(self.layers(), mode, n, generator, device)

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: Sequence[Tensor | None] | None = None,
        generator: torch.Generator | None = None,
        offsets: Float[Tensor, "m styles"] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image, about in [-1, 1]. `noise` (one map a layer, None for nothing) replaces `noise_mode`.

        `offsets` [N or 1, all styles] are added to the styles, those of all `affines` one after the other.
        """
        maps = list(noise) if noise is not None else self.noise_inputs(noise_mode, len(ws), generator, ws.device)
        moves = split_offsets(offsets, self.affines())
        x: Tensor | None = None
        for k, block in enumerate(self.blocks()):
            pair = slice(2 * k, 2 * k + 2)
            x = block(x, ws[:, pair], maps[pair], moves[pair])
        return self.torgb(x)


class Generator(StyleGenerator):
    """G(z): the mapping and the synthesis network."""

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 16384,
        channel_max: int = 512,
        num_layers: int = 8,
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, channel_base, channel_max)
        mapping = MappingNetwork(z_dim, 0, w_dim, synthesis.num_ws, num_layers=num_layers)
        super().__init__(z_dim, 0, synthesis, mapping)
