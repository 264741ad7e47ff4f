"""The first GAN, on images: layers that see a picture as one long vector (Goodfellow et al. 2014, sec. 5).

A class label enters both beside their input (Mirza and Osindero 2014).
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import PlainMapping, StagedSynthesis, StyleGenerator

DEPTH = 3  # hidden layers
WIDER = 4  # features of a hidden layer for each of `channel_max`


class SynthesisNetwork(StagedSynthesis):
    """w to all pixels at once; a single stage, at the image's size."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, width: int) -> None:
        super().__init__(w_dim, img_resolution, img_channels)
        self.resolutions, self.channels = [img_resolution], [img_channels]
        shape = (img_channels, img_resolution, img_resolution)
        layers = _hidden(w_dim, width, nn.ReLU)
        whole = nn.Linear(width, img_channels * img_resolution**2)
        self.stages = nn.ModuleList([nn.Sequential(nn.Flatten(), *layers, whole, nn.Unflatten(1, shape))])
        self.torgb = nn.Tanh()


class Generator(StyleGenerator):
    """G(z, c)."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim + c_dim, img_resolution, img_channels, WIDER * channel_max)
        super().__init__(z_dim, c_dim, synthesis, PlainMapping(z_dim, c_dim))


class Discriminator(nn.Module):
    """D(img, c): logits [N, 1]."""

    def __init__(
        self, c_dim: int, img_resolution: int, img_channels: int, channel_base: int = 4096, channel_max: int = 128
    ) -> None:
        super().__init__()
        self.c_dim, width = c_dim, WIDER * channel_max
        self.layers = nn.Sequential(*_hidden(img_channels * img_resolution**2 + c_dim, width, nn.LeakyReLU))
        self.out = nn.Linear(width, 1)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        x = img.flatten(1)
        if self.c_dim:
            if c is None:
                raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
            x = torch.cat([x, c.to(x.dtype)], 1)
        return self.out(self.layers(x))


def _hidden(inputs: int, width: int, activation: type[nn.Module]) -> list[nn.Module]:
    sizes = [inputs] + [width] * DEPTH
    pairs = [(nn.Linear(a, b), activation()) for a, b in itertools.pairwise(sizes)]
    return [layer for pair in pairs for layer in pair]
