"""Projected GAN's discriminators (Sauer et al. 2021, "Projected GANs Converge Faster").

Small ones, each on a feature map of a frozen network that random fixed convolutions have mixed across channels and
across scales.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.features.frozen import OWN, frozen
from ganlab.networks.vision_aided import OnFrozen
from ganlab.nn.norms import SpectralConv2d, SpectralLinear, SpectralNetwork

SIDE = 4  # pixels at which a discriminator sees the whole picture
SLOPE = 0.2
SEED = 2021  # of the random projections, which are the same in every training


class RandomProjection(nn.Module):
    """Maps of all scales with as many channels each: cross-channel mixing (1 x 1) and cross-scale mixing (sec. 3.2).

    From the smallest map up: each is mixed by a 3 x 3 convolution, enlarged and added to the next larger one. All
    weights are random (He et al. 2015) and stay so.
    """

    def __init__(self, shapes: tuple[tuple[int, int], ...], width: int) -> None:
        """`shapes`: channels and side of each map, from large to small."""
        super().__init__()
        rng = torch.Generator().manual_seed(SEED)
        self.scales = len(shapes)
        for k, (channels, _) in enumerate(shapes):
            self.register_buffer(f"channels{k}", _random(width, channels, 1, rng))
            if k:
                self.register_buffer(f"scales{k}", _random(width, width, 3, rng))

    def forward(self, maps: list[Tensor]) -> list[Float[Tensor, "n width side side"]]:
        mixed = [F.conv2d(x, self.get_buffer(f"channels{k}")) for k, x in enumerate(maps)]
        for k in range(self.scales - 1, 0, -1):
            deeper = F.conv2d(mixed[k], self.get_buffer(f"scales{k}"), padding=1)
            deeper = F.interpolate(deeper, mixed[k - 1].shape[-2:], mode="bilinear", align_corners=False)
            mixed[k - 1] = mixed[k - 1] + deeper
        return mixed


class ScaleDiscriminator(nn.Module):
    """One of the small discriminators: halvings down to 4 x 4, then a logit; a label enters as a projection."""

    def __init__(self, c_dim: int, width: int, side: int) -> None:
        super().__init__()
        steps = max(0, side.bit_length() - SIDE.bit_length())
        self.halve = nn.ModuleList(SpectralConv2d(width, width, 3) for _ in range(steps))
        self.last = SpectralConv2d(width, width, 3)
        self.out = SpectralLinear(width * SIDE * SIDE, 1)
        self.embed = SpectralLinear(c_dim, width * SIDE * SIDE, bias=False) if c_dim else None

    def forward(self, x: Float[Tensor, "n width s s"], c: Float[Tensor, "n c_dim"] | None) -> Float[Tensor, "n 1"]:
        for conv in self.halve:
            x = F.leaky_relu(F.avg_pool2d(conv(x), 2), SLOPE)
        x = F.leaky_relu(self.last(x), SLOPE).flatten(1)
        logits: Tensor = self.out(x)
        if self.embed is None:
            return logits
        if c is None:
            raise ValueError("this model is conditional: c must be class labels")
        return logits + (self.embed(c.to(x.dtype)) * x).sum(1, keepdim=True)


class Discriminator(OnFrozen, SpectralNetwork):
    """D(img, c): logits [N, scales], one of each small discriminator; the frozen networks are no part of the state.

    `img` [N, 3, H, W] of any size; `channel_max` is the width of the projections; `backbone`: a name of
    `features.frozen.FROZEN`, or several joined by + (StyleGAN-XL has two).
    """

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 64,
        backbone: str = OWN,
    ) -> None:
        super().__init__(*(frozen(name) for name in backbone.split("+")))
        self.c_dim = c_dim
        self.project = nn.ModuleList(RandomProjection(each.map_shapes, channel_max) for each in self.frozen)
        sides = [side for each in self.frozen for _, side in each.map_shapes]
        self.parts = nn.ModuleList(ScaleDiscriminator(c_dim, channel_max, side) for side in sides)

    def forward(self, img: Float[Tensor, "n 3 h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n k"]:
        maps = [x for project, each in zip(self.project, self.frozen) for x in project(each.maps(img))]
        return torch.cat([part(x, c) for part, x in zip(self.parts, maps)], 1)


def _random(out: int, inputs: int, kernel: int, rng: torch.Generator) -> Tensor:
    return torch.randn(out, inputs, kernel, kernel, generator=rng) * (2 / (inputs * kernel**2)) ** 0.5
