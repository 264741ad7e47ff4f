"""DCGAN (Radford et al. 2016): transposed convolutions, batch normalisation, nothing else.

A class label enters G beside z, and D as constant channels beside the image (Mirza and Osindero 2014) or beside its
last features (Reed et al. 2016, sec. 4.1).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import PlainMapping, StagedSynthesis, StyleGenerator

SCALE = 0.02  # deviation of initial weights (sec. 4)
EMBEDDED = 16  # numbers of a label beside features


class SynthesisNetwork(StagedSynthesis):
    """Latents to an image, doubling from 4 x 4."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__(w_dim, img_resolution, img_channels)
        channels = [min(channel_base // res, channel_max) for res in self.resolutions]
        stages: list[nn.Module] = []
        for k, out in enumerate(channels):
            conv = nn.ConvTranspose2d(channels[k - 1], out, 4, 2, 1) if k else nn.ConvTranspose2d(w_dim, out, 4)
            stages.append(nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU()))
        self.stages = nn.ModuleList(stages)
        self.torgb = nn.Sequential(nn.Conv2d(channels[-1], img_channels, 3, padding=1), nn.Tanh())
        self.channels = channels
        start(self)


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
        synthesis = SynthesisNetwork(z_dim + c_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, c_dim, synthesis, PlainMapping(z_dim, c_dim))


class Discriminator(nn.Module):
    """D(img, c): strided convolutions down to 4 x 4, then one logit [N, 1]."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 512,
        hidden: bool = False,
    ) -> None:
        """`hidden`: the label meets the features at 4 x 4, not the image."""
        super().__init__()
        self.c_dim, self.hidden = c_dim, hidden and c_dim > 0
        layers: list[nn.Module] = []
        inputs, res = img_channels + (0 if self.hidden else c_dim), img_resolution
        while res > 4:
            out = min(channel_base // res * 2, channel_max)
            norm = [nn.BatchNorm2d(out)] if layers else []  # not on the image itself (sec. 3)
            layers += [nn.Conv2d(inputs, out, 4, 2, 1), *norm, nn.LeakyReLU(0.2)]
            inputs, res = out, res // 2
        self.layers = nn.Sequential(*layers)
        if self.hidden:
            self.embed = nn.Linear(c_dim, EMBEDDED)
            self.meet = nn.Sequential(nn.Conv2d(inputs + EMBEDDED, inputs, 1), nn.LeakyReLU(0.2))
        self.out = nn.Conv2d(inputs, 1, 4)
        start(self)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        if not self.c_dim:
            return self.out(self.layers(img)).flatten(1)
        if c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        if not self.hidden:
            return self.out(self.layers(_beside(img, c))).flatten(1)
        return self.out(self.meet(_beside(self.layers(img), self.embed(c.to(img.dtype))))).flatten(1)


def _beside(x: Float[Tensor, "n c h w"], label: Float[Tensor, "n k"]) -> Float[Tensor, "n c_and_k h w"]:
    """A label as constant channels."""
    return torch.cat([x, label[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[2:])], 1)


def start(net: nn.Module) -> None:
    """Initial weights; drawn from torch's generator, which a training forks and seeds."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = torch.randn(module.weight.shape) * SCALE
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            module.weight.data = 1 + torch.randn(module.weight.shape) * SCALE
