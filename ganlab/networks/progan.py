"""ProGAN (Karras et al. 2018, "Progressive Growing of GANs"): G and D grow together, each resolution fading in.

How far they are is `level`: 0 at 4 x 4, 1.5 where 16 x 16 is half faded in. Pictures have their full size throughout:
G's are enlarged, D makes what it sees smaller, and fades it as data are faded (sec. 2, and the paper's code).
"""

import itertools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import PlainMapping, StagedSynthesis, StyleGenerator
from ganlab.nn.style import Conv2dLayer, FullyConnectedLayer, MinibatchStdLayer, normalize_2nd_moment

NOT_FADED = 1e-6


class Growing(nn.Module):
    """What has a `level`, as a buffer: it travels with the weights."""

    level: Tensor
    resolutions: list[int]

    def begin(self) -> None:
        """Whole at first."""
        self.register_buffer("level", torch.tensor(float(len(self.resolutions) - 1)))

    def grow(self, level: float) -> None:
        """Sets the level, which cannot be above that of the full resolution."""
        self.level.fill_(min(max(level, 0.0), len(self.resolutions) - 1))

    @property
    def fading(self) -> tuple[int, float]:
        """The highest stage that is there, and how far it is faded in, above 0 and up to 1."""
        level = float(self.level)
        top = max(0, math.ceil(level - NOT_FADED))
        return top, 1.0 if top == 0 else level - (top - 1)


class PixelNorm(nn.Module):
    """Each pixel's features scaled to a mean square of 1 (sec. 4.2)."""

    def forward(self, x: Float[Tensor, "n c *grid"]) -> Float[Tensor, "n c *grid"]:
        return normalize_2nd_moment(x)


class SynthesisNetwork(StagedSynthesis, Growing):
    """Latents to an image."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__(w_dim, img_resolution, img_channels)
        self.channels = [min(channel_base // res, channel_max) for res in self.resolutions]
        stages: list[nn.Module] = []
        for k, out in enumerate(self.channels):
            first = [_Start(w_dim, out)] if k == 0 else [nn.Upsample(scale_factor=2), _conv(self.channels[k - 1], out)]
            stages.append(nn.Sequential(*first, PixelNorm(), _conv(out, out), PixelNorm()))
        self.stages = nn.ModuleList(stages)
        self.colours = nn.ModuleList(Conv2dLayer(c, img_channels, 1) for c in self.channels)
        self.begin()

    def forward(
        self,
        ws: Float[Tensor, "n 1 w_dim"],
        noise_mode: str = "random",
        noise: object = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image of the present level, enlarged, about in [-1, 1]. There is no noise."""
        top, _ = self.fading
        x = before = ws[:, 0, :, None, None]
        for stage in self.stages[: top + 1]:
            before, x = x, stage(x)
        return self.picture(before, x)

    def picture(self, before: Tensor, last: Float[Tensor, "n c s s"]) -> Float[Tensor, "n k h w"]:
        """Colours of the last stage that is there, faded with those of the one `before`."""
        top, share = self.fading
        image: Tensor = self.colours[top](last)
        if share < 1:
            image = torch.lerp(_larger(self.colours[top - 1](before), 2), image, share)
        return _larger(image, self.img_resolution // image.shape[2])


class Generator(StyleGenerator):
    """G(z); it knows no classes."""

    synthesis: SynthesisNetwork

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, 0, synthesis, PlainMapping(z_dim, 0))

    def grow(self, level: float) -> None:
        """As `Growing.grow`."""
        self.synthesis.grow(level)


class Discriminator(Growing):
    """D(img): logits [N, 1]."""

    def __init__(
        self, c_dim: int, img_resolution: int, img_channels: int, channel_base: int = 4096, channel_max: int = 256
    ) -> None:
        super().__init__()
        self.c_dim = 0
        self.resolutions = [2**i for i in range(2, img_resolution.bit_length())]
        channels = [min(channel_base // res, channel_max) for res in self.resolutions]
        self.enter = nn.ModuleList(Conv2dLayer(img_channels, c, 1, activation="lrelu") for c in channels)
        self.stages = nn.ModuleList(
            nn.Sequential(_conv(b, b), _conv(b, a), nn.AvgPool2d(2)) for a, b in itertools.pairwise(channels)
        )
        self.spread = MinibatchStdLayer(4)
        self.last = _conv(channels[0] + 1, channels[0])
        self.whole = FullyConnectedLayer(16 * channels[0], channels[0], activation="lrelu")
        self.out = FullyConnectedLayer(channels[0], 1)
        self.begin()

    def forward(self, img: Float[Tensor, "n c h w"], c: Tensor | None = None) -> Float[Tensor, "n 1"]:
        top, share = self.fading
        img = F.avg_pool2d(img, img.shape[2] // self.resolutions[top])
        below = F.avg_pool2d(img, 2) if share < 1 else None
        if below is not None:
            img = torch.lerp(_larger(below, 2), img, share)
        x = self.enter[top](img)
        for k in range(top, 0, -1):
            x = self.stages[k - 1](x)
            if below is not None and k == top:
                x = torch.lerp(self.enter[top - 1](below), x, share)
        x = self.last(self.spread(x)).flatten(1)
        logits: Tensor = self.out(self.whole(x))
        return logits


class _Start(nn.Module):
    """A latent to 4 x 4."""

    def __init__(self, w_dim: int, out: int) -> None:
        super().__init__()
        self.whole = FullyConnectedLayer(w_dim, 16 * out, activation="lrelu")

    def forward(self, x: Float[Tensor, "n w 1 1"]) -> Float[Tensor, "n c 4 4"]:
        made: Tensor = self.whole(normalize_2nd_moment(x.flatten(1)))
        return made.unflatten(1, (-1, 4, 4))


def _conv(inputs: int, outputs: int) -> Conv2dLayer:
    return Conv2dLayer(inputs, outputs, 3, activation="lrelu")


def _larger(x: Tensor, times: int) -> Tensor:
    return x if times == 1 else F.interpolate(x, scale_factor=times, mode="nearest")
