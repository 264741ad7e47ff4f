"""LAPGAN (Denton et al. 2015): a GAN for each level of a Laplacian pyramid.

The first makes a small picture. Each further one is shown it enlarged, and adds the band of details that the next
size has; it learns on the pyramids of data alone, so no level waits for another. A picture is I_0, then
I_k = u(I_{k-1}) + G_k(z_k, u(I_{k-1})) (sec. 2.2).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.features.pyramid import enlarged, halved
from ganlab.networks.biggan import Mapping
from ganlab.networks.several import Levels, SeveralGenerator, class_planes, joined, shared_out, taken_apart

SMALLEST = 8  # pixels of the first picture
SLOPE = 0.2


def pyramid(img: Float[Tensor, "n c h w"], levels: int) -> tuple[Float[Tensor, "n c s s"], list[tuple[Tensor, Tensor]]]:
    """The smallest picture, and for each larger size the band h and the picture l that it is added to."""
    bands: list[tuple[Tensor, Tensor]] = []
    for _ in range(levels - 1):
        small, low = halved(img)
        bands.append((img - low, low))
        img = small
    return img, bands[::-1]


class SynthesisNetwork(Levels):
    """ws to an image; each level has a part of z, and knows the class."""

    def __init__(
        self, z_dim: int, c_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int
    ) -> None:
        sides = resolutions(img_resolution)
        super().__init__(z_dim + c_dim, img_resolution, img_channels, sides, [img_channels] * len(sides))
        self.z_dim, self.parts = z_dim, shared_out(z_dim, len(sides))
        sizes = [part.stop - part.start for part in self.parts]
        self.first = _First(sizes[0] + c_dim, sides[0], img_channels, 4 * channel_max)
        self.bands = nn.ModuleList(
            _Band(size, c_dim, side, img_channels, _width(side, channel_base, channel_max))
            for size, side in zip(sizes[1:], sides[1:])
        )

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        if k == 0 or x is None:
            return self.smallest(w)
        low = enlarged(x)
        return low + self.band(k, low, w)

    def smallest(self, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        """I_0."""
        made: Tensor = self.first(torch.cat([w[:, self.parts[0]], w[:, self.z_dim :]], 1))
        return made

    def band(self, k: int, low: Float[Tensor, "n c s s"], w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        """h_k = G_k(z_k, l_k)."""
        made: Tensor = self.bands[k - 1](low, w[:, self.parts[k]], w[:, self.z_dim :])
        return made


class Generator(SeveralGenerator):
    """G(z, c), all levels together."""

    synthesis: SynthesisNetwork
    continues = True

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, c_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, c_dim, synthesis, Mapping(z_dim, c_dim, 0, synthesis.num_ws))

    def of_data(self, real: Tensor, c: Tensor | None, rng: torch.Generator | None = None) -> Float[Tensor, "n p"]:
        """I_0, and h and l of every level."""
        smallest, bands = pyramid(real, self.num_ws)
        return joined([smallest, *(part for pair in bands for part in pair)])

    def of_fakes(self, z: Tensor, c: Tensor | None, real: Tensor) -> Float[Tensor, "n p"]:
        """I_0 of G_0, and the bands that the others add to enlarged pictures of the data."""
        ws, parts = self.mapping(z, c), [self.synthesis.smallest(self.mapping(z, c)[:, 0])]
        for k, (_, low) in enumerate(pyramid(real, self.num_ws)[1], 1):
            parts += [self.synthesis.band(k, low, ws[:, k]), low]
        return joined(parts)


class Discriminator(nn.Module):
    """D(examples, c): logits [N, levels], from small to large."""

    def __init__(
        self, c_dim: int, img_resolution: int, img_channels: int, channel_base: int = 4096, channel_max: int = 128
    ) -> None:
        super().__init__()
        self.c_dim = c_dim
        sides = resolutions(img_resolution)
        small, *others = ((img_channels, side, side) for side in sides)
        self.shapes = [small, *(shape for shape in others for _ in range(2))]
        width = 4 * channel_max
        self.first = nn.Sequential(
            nn.Linear(img_channels * sides[0] ** 2 + c_dim, width), nn.LeakyReLU(SLOPE), nn.Linear(width, width),
            nn.LeakyReLU(SLOPE), nn.Linear(width, 1),
        )  # fmt: skip
        self.bands = nn.ModuleList(
            _BandDiscriminator(c_dim, side, img_channels, _width(side, channel_base, channel_max)) for side in sides[1:]
        )

    def forward(self, examples: Float[Tensor, "n p"], c: Float[Tensor, "n c_dim"] | None = None) -> Tensor:
        label = examples.new_zeros(len(examples), 0) if c is None or not self.c_dim else c.to(examples.dtype)
        if self.c_dim and c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        small, *others = taken_apart(examples, self.shapes)
        logits = [self.first(torch.cat([small.flatten(1), label], 1))]
        logits += [D(h, low, label) for D, h, low in zip(self.bands, others[::2], others[1::2])]
        return torch.cat(logits, 1)


def resolutions(img_resolution: int) -> list[int]:
    """8, 16, ... up to the picture's; below 8 px that alone."""
    return [2**i for i in range(SMALLEST.bit_length() - 1, img_resolution.bit_length())] or [img_resolution]


class _First(nn.Sequential):
    """G_0: a latent beside the class to a small picture, fully connected (sec. 3)."""

    def __init__(self, inputs: int, side: int, channels: int, width: int) -> None:
        layers = nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        whole = nn.Linear(width, channels * side**2), nn.Tanh(), nn.Unflatten(1, (channels, side, side))
        super().__init__(*layers, *whole)


class _Band(nn.Module):
    """G_k: the enlarged picture, a plane of noise and planes of the class to a band, by convolutions (sec. 3)."""

    def __init__(self, z_dim: int, c_dim: int, side: int, channels: int, width: int) -> None:
        super().__init__()
        self.plane = nn.Linear(z_dim, side**2)
        self.side = side
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1 + c_dim, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1),
        )  # fmt: skip

    def forward(self, low: Tensor, z: Tensor, c: Tensor) -> Float[Tensor, "n c s s"]:
        noise = self.plane(z).unflatten(1, (1, self.side, self.side))
        return self.layers(torch.cat([low, noise, class_planes(c, self.side)], 1))


class _BandDiscriminator(nn.Module):
    """D_k(h, l): the band is shown with what it is added to, added to it (sec. 3), and beside that."""

    def __init__(self, c_dim: int, side: int, channels: int, width: int) -> None:
        super().__init__()
        self.side = side
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels + c_dim, width, 5, 2, 2), nn.LeakyReLU(SLOPE), nn.Conv2d(width, width, 5, 2, 2),
            nn.LeakyReLU(SLOPE), nn.Flatten(), nn.Linear(width * (side // 4) ** 2, 1),
        )  # fmt: skip

    def forward(self, h: Tensor, low: Tensor, c: Tensor) -> Float[Tensor, "n 1"]:
        return self.layers(torch.cat([h + low, low, class_planes(c, self.side)], 1))


def _width(side: int, channel_base: int, channel_max: int) -> int:
    return min(channel_base // side, channel_max)
