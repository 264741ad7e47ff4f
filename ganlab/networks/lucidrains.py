"""The StyleGAN2 of lucidrains' stylegan2-pytorch, a variant with checkpoints of its own.

It differs from `stylegan2.py`: styles are shifted by one, images grow by bilinear interpolation, one noise image serves
all layers through a linear layer each, activations have no gain, images lie in [0, 1]. Written from a description of
the architecture; parameters are named as its files name them (without the prefixes S and G).
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import StyleGenerator, truncate
from ganlab.nn.noise import check_mode
from ganlab.nn.style import shifted, split_offsets

LR_MULTIPLIER = 0.1  # of the mapping network


def grown(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Twice as large, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def blurred(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """The binomial filter 1 2 1 in both directions, the border mirrored."""
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])


class ScaledLinear(nn.Module):
    """A linear layer whose weight and bias are used smaller than they are stored."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return F.leaky_relu(F.linear(x, self.weight * LR_MULTIPLIER, self.bias * LR_MULTIPLIER), 0.2)


class ModulatedConv(nn.Module):
    """A convolution whose weights are scaled by style + 1 per input channel, then demodulated."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, demodulate: bool = True) -> None:
        super().__init__()
        self.demodulate = demodulate
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))

    def forward(self, x: Float[Tensor, "n i h w"], style: Float[Tensor, "n i"]) -> Float[Tensor, "n o h w"]:
        style = style + 1
        out = F.conv2d(x * style[:, :, None, None], self.weight, padding=self.weight.shape[-1] // 2)
        if not self.demodulate:
            return out
        norm = style.square() @ self.weight.square().sum((2, 3)).T + 1e-8  # [n, o]
        return out * norm.rsqrt()[:, :, None, None]


class RgbBlock(nn.Module):
    """Features to colours."""

    def __init__(self, w_dim: int, channels: int, img_channels: int) -> None:
        super().__init__()
        self.to_style = nn.Linear(w_dim, channels)
        self.conv = ModulatedConv(channels, img_channels, 1, demodulate=False)

    def forward(
        self, x: Float[Tensor, "n i h w"], w: Float[Tensor, "n w_dim"], offset: Tensor | None = None
    ) -> Float[Tensor, "n o h w"]:
        out: Tensor = self.conv(x, shifted(self.to_style(w), offset))
        return out


class Block(nn.Module):
    """Two layers of one resolution."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, img_channels: int) -> None:
        super().__init__()
        self.to_style1, self.to_noise1 = nn.Linear(w_dim, in_channels), nn.Linear(1, out_channels)
        self.conv1 = ModulatedConv(in_channels, out_channels, 3)
        self.to_style2, self.to_noise2 = nn.Linear(w_dim, out_channels), nn.Linear(1, out_channels)
        self.conv2 = ModulatedConv(out_channels, out_channels, 3)
        self.to_rgb = RgbBlock(w_dim, out_channels, img_channels)

    def affines(self) -> list[nn.Module]:
        """What makes the styles of the two layers, then of the colours."""
        return [self.to_style1, self.to_style2, self.to_rgb.to_style]

    def forward(
        self,
        x: Float[Tensor, "n i h w"],
        w: Float[Tensor, "n w_dim"],
        noise: Float[Tensor, "n h w 1"],
        offsets: Sequence[Tensor | None] = (None, None),
    ) -> Float[Tensor, "n o h w"]:
        first, second = (layer(noise).permute(0, 3, 2, 1) for layer in (self.to_noise1, self.to_noise2))
        x = F.leaky_relu(self.conv1(x, shifted(self.to_style1(w), offsets[0])) + first, 0.2)
        return F.leaky_relu(self.conv2(x, shifted(self.to_style2(w), offsets[1])) + second, 0.2)


class MappingNetwork(nn.Module):
    """f: z to w."""

    w_avg: Tensor

    def __init__(self, w_dim: int, num_ws: int, num_layers: int) -> None:
        super().__init__()
        self.num_ws = num_ws
        self.layers = nn.ModuleList(ScaledLinear(w_dim) for _ in range(num_layers))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Float[Tensor, "n z_dim"],
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Float[Tensor, "n num_ws w_dim"]:
        w = F.normalize(z, dim=1)
        for layer in self.layers:
            w = layer(w)
        return truncate(w[:, None].repeat(1, self.num_ws, 1), self.w_avg, truncation_psi, truncation_cutoff)


class SynthesisNetwork(nn.Module):
    """g: ws, one row a resolution, to an image."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, capacity: int, channel_max: int) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        count = img_resolution.bit_length() - 2
        widths = [min(capacity * 2**k, channel_max) for k in range(count, 0, -1)]
        widths = [widths[0], *widths]
        self.num_ws = count
        self.initial_block = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.initial_conv = nn.Conv2d(widths[0], widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(Block(w_dim, a, b, img_channels) for a, b in itertools.pairwise(widths))

    def affines(self) -> list[nn.Module]:
        """What makes the styles: of all blocks, in order."""
        return [affine for block in self.blocks for affine in block.affines()]  # type: ignore[operator]

    def start(self, n: int) -> Float[Tensor, "n c 4 4"]:
        """What the first block is given."""
        return self.initial_conv(self.initial_block.expand(n, -1, -1, -1))

    def noise(self, mode: str, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n side side 1"]:
        """The noise image: always the same, none (zeros), or new draws of U(0, 1)."""
        check_mode(mode)
        device, side = self.initial_block.device, self.img_resolution
        if mode == "none":
            return torch.zeros(n, side, side, 1, device=device)
        if mode == "const":
            fixed = torch.rand(1, side, side, 1, generator=torch.Generator().manual_seed(0))
            return fixed.expand(n, -1, -1, -1).to(device)
        source = device if generator is None else generator.device
        return torch.rand(n, side, side, 1, generator=generator, device=source).to(device)

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: Sequence[Tensor | None] | None = None,
        generator: torch.Generator | None = None,
        offsets: Float[Tensor, "m styles"] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image, about in [-1, 1]. `noise` (one map [side, side] a block, None for zeros) replaces `noise_mode`.

        `offsets` [N or 1, all styles] are added to what all `affines` make.
        """
        moves = split_offsets(offsets, self.affines())
        shared = self.noise("none" if noise is not None else noise_mode, len(ws), generator)
        x = self.start(len(ws))
        image: Tensor | None = None
        for k, (block, w) in enumerate(zip(self.blocks, ws.unbind(1))):
            x = grown(x) if k else x
            side = x.shape[2]
            own, here = None if noise is None else noise[k], shared[:, :side, :side]
            if own is not None:
                here = own.T[None, :, :, None].expand(len(ws), -1, -1, -1)  # this network's x is y
            x = block(x, w, here, moves[3 * k : 3 * k + 2])
            rgb = block.to_rgb(x, w, moves[3 * k + 2])  # type: ignore[operator]
            rgb = rgb if image is None else image + rgb
            image = rgb if side == self.img_resolution else blurred(grown(rgb))
        assert image is not None
        return 2 * image - 1


class Generator(StyleGenerator):
    """G(z): the mapping and the synthesis network."""

    def __init__(
        self,
        z_dim: int,
        img_resolution: int,
        img_channels: int,
        network_capacity: int = 16,
        channel_max: int = 512,
        num_layers: int = 8,
    ) -> None:
        """`network_capacity` is half of the channels at full resolution; w is as wide as z."""
        synthesis = SynthesisNetwork(z_dim, img_resolution, img_channels, network_capacity, channel_max)
        super().__init__(z_dim, 0, synthesis, MappingNetwork(z_dim, synthesis.num_ws, num_layers))
