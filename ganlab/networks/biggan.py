"""SAGAN (Zhang et al. 2019) and BigGAN (Brock et al. 2019): residual networks with spectral normalisation in G and D,
self-attention at half resolution, class-conditional batch normalisation, a projection discriminator.

BigGAN adds a class embedding that all layers share, and a part of z for each of them ("skip-z"); so each of its blocks
has a row of ws, and labs can mix pictures layer by layer. SAGAN's blocks know the class alone.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import StyleGenerator
from ganlab.nn.norms import ConditionalBatchNorm, SpectralConv2d, SpectralLinear, SpectralNetwork

EMBEDDED = 128  # numbers of the shared embedding
ITERATIONS = 15  # of the power method before training: its vectors start as ones
WIDTHS = (1, 2, 4, 8, 16, 16, 16, 16, 16, 16)  # channels from the finest resolution, in units (Brock et al., table 4)


class SelfAttention(nn.Module):
    """Each place takes from all others what is like it (Zhang et al. 2019, sec. 3); keys and values at half size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, half = max(1, channels // 8), max(1, channels // 2)
        self.query, self.key = (SpectralConv2d(channels, few, 1, bias=False) for _ in range(2))
        self.value, self.out = (
            SpectralConv2d(channels, half, 1, bias=False),
            SpectralConv2d(half, channels, 1, bias=False),
        )
        self.gamma = nn.Parameter(torch.zeros([]))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        query = self.query(x).flatten(2).transpose(1, 2)  # [n, h w, few]
        key, value = (F.max_pool2d(layer(x), 2).flatten(2).transpose(1, 2) for layer in (self.key, self.value))
        seen = F.scaled_dot_product_attention(query, key, value, scale=1.0)  # [n, h w, half]
        return x + self.gamma * self.out(seen.transpose(1, 2).unflatten(2, x.shape[2:]))


class GeneratorBlock(nn.Module):
    """Twice as large: norm, ReLU, upsampling, convolution, norm, ReLU, convolution, beside an upsampled shortcut."""

    def __init__(self, inputs: int, outputs: int, knows: int, attends: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = ConditionalBatchNorm(inputs, knows), ConditionalBatchNorm(outputs, knows)
        self.conv1, self.conv2 = SpectralConv2d(inputs, outputs, 3), SpectralConv2d(outputs, outputs, 3)
        self.skip = SpectralConv2d(inputs, outputs, 1)
        self.attention = SelfAttention(outputs) if attends else nn.Identity()

    def forward(self, x: Float[Tensor, "n i h w"], known: Float[Tensor, "n k"]) -> Float[Tensor, "n o h2 w2"]:
        y = self.conv1(larger(F.relu(self.norm1(x, known))))
        y = self.conv2(F.relu(self.norm2(y, known)))
        out: Tensor = self.attention(y + larger(self.skip(x)))
        return out


def truncated_normal(z: Float[Tensor, "*n z_dim"], psi: float) -> Float[Tensor, "*n z_dim"]:
    """z of a normal distribution that ends at 2 psi either way (Brock et al. 2019, sec. 3.1), from z of a whole one.

    Each number keeps its rank, so that a seed's picture moves smoothly with psi; the paper draws those beyond the
    threshold anew, which gives the same distribution. From 1 on nothing ends, and z is multiplied; below 0 it turns.
    """
    if abs(psi) >= 1:
        return z * psi
    end = torch.tensor(math.copysign(2 * psi, 1), dtype=torch.float64)
    rank = torch.special.ndtr(z.cpu().double())  # not every accelerator has float64
    low = torch.special.ndtr(-end)
    cut = torch.special.ndtri(low + rank * (1 - 2 * low)) if psi else torch.zeros_like(rank)
    return (cut * math.copysign(1, psi)).to(z)


class Mapping(nn.Module):
    """z beside the class: as it is (SAGAN), or embedded (BigGAN). z alone is truncated, by `truncated_normal`."""

    def __init__(self, z_dim: int, c_dim: int, embedded: int, num_ws: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws = z_dim, c_dim, num_ws
        self.embed = nn.Linear(c_dim, embedded, bias=False) if c_dim and embedded else None

    @property
    def w_avg(self) -> Float[Tensor, "w_dim"]:
        """What truncation moves towards: no z, and the mean of the classes."""
        classes = torch.full((self.c_dim,), 1 / max(self.c_dim, 1))
        if self.embed is not None:
            classes = self.embed.weight.detach().mean(1)
        return torch.cat([torch.zeros(self.z_dim, device=classes.device), classes])

    def forward(
        self,
        z: Float[Tensor, "n z_dim"],
        c: Float[Tensor, "n c_dim"] | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Float[Tensor, "n num_ws w_dim"]:
        """ws; of the first `truncation_cutoff` rows z is truncated."""
        if self.c_dim and c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        known = (
            [] if c is None or not self.c_dim else [c.to(z.dtype) if self.embed is None else self.embed(c.to(z.dtype))]
        )
        rows = self.num_ws if truncation_cutoff is None else truncation_cutoff
        near, far = (part[:, None].expand(-1, self.num_ws, -1) for part in (truncated_normal(z, truncation_psi), z))
        zs = torch.cat([near[:, :rows], far[:, rows:]], 1)
        return torch.cat([zs, *(part[:, None].expand(-1, self.num_ws, -1) for part in known)], 2)

    def truncated(
        self, rows: Float[Tensor, "k w_dim"], center: Float[Tensor, " w_dim"], psi: float
    ) -> Float[Tensor, "k w_dim"]:
        """The same of rows of ws; what stands behind z moves towards a centre."""
        z, rest = rows.split([self.z_dim, rows.shape[1] - self.z_dim], 1)
        return torch.cat([truncated_normal(z, psi), center[self.z_dim :].lerp(rest, psi)], 1)


class RowedSynthesis(SpectralNetwork):
    """ws to an image: each of `num_ws` stages reads its own row."""

    num_ws: int
    norm: nn.Module
    colours: nn.Module

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c h w"]:
        """Features after the k-th of the rows: 0 begins at 4 x 4."""
        raise NotImplementedError

    def torgb(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Colours of the last features."""
        return torch.tanh(self.colours(F.relu(self.norm(x))))

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: object = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image in [-1, 1]. There is no noise: the last three arguments change nothing."""
        x = None
        for k in range(self.num_ws):
            x = self.stage(k, x, ws[:, k])
        assert x is not None
        return self.torgb(x)


class SynthesisNetwork(RowedSynthesis):
    """ws to an image, doubling from 4 x 4; each block reads its own row."""

    def __init__(
        self,
        z_dim: int,
        knows: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int,
        channel_max: int,
        skip_z: bool,
        attention: bool,
    ) -> None:
        """`knows`: numbers of w after z, about the class. `skip_z`: each block has a part of z."""
        super().__init__()
        self.z_dim, self.w_dim, self.img_resolution, self.img_channels = (
            z_dim,
            z_dim + knows,
            img_resolution,
            img_channels,
        )
        self.resolutions = [2**i for i in range(3, img_resolution.bit_length())]  # after each block
        widths = block_widths(img_resolution, channel_base, channel_max)[::-1]  # from 4 x 4
        self.num_ws, self.channels = len(self.resolutions) + 1, widths
        each = z_dim // self.num_ws if skip_z else 0
        first = z_dim - each * len(self.resolutions)
        self.parts = [
            slice(0, first),
            *(slice(first + k * each, first + (k + 1) * each) for k in range(self.num_ws - 1)),
        ]
        self.first = SpectralLinear(first, 16 * widths[0])
        self.stages = nn.ModuleList(
            GeneratorBlock(a, b, each + knows, attention and res == attended(img_resolution))
            for a, b, res in zip(widths, widths[1:], self.resolutions)
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.colours = SpectralConv2d(widths[-1], img_channels, 3)
        start(self)

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c h w"]:
        """Features after the k-th of the rows: 0 begins at 4 x 4."""
        z = w[:, self.parts[k]]
        if k == 0 or x is None:
            return self.first(z).unflatten(1, (-1, 4, 4))
        made: Tensor = self.stages[k - 1](x, torch.cat([z, w[:, self.z_dim :]], 1))
        return made


class Generator(StyleGenerator):
    """G(z, c); `skip_z` is BigGAN's, without it this is SAGAN's."""

    synthesis: SynthesisNetwork

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        skip_z: bool = True,
        attention: bool = True,
        embedded: int = EMBEDDED,
    ) -> None:
        knows = 0 if not c_dim else embedded if skip_z else c_dim
        sizes = img_resolution, img_channels, channel_base, channel_max
        synthesis = SynthesisNetwork(z_dim, knows, *sizes, skip_z, attention)
        mapping = Mapping(z_dim, c_dim, embedded if skip_z else 0, synthesis.num_ws)
        super().__init__(z_dim, c_dim, synthesis, mapping)

    def power_iterate(self, times: int = 1) -> None:
        """As `SpectralNetwork.power_iterate`."""
        self.synthesis.power_iterate(times)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, then half the size but for the last block; the first block begins with the image itself."""

    def __init__(self, inputs: int, outputs: int, down: bool, first: bool) -> None:
        super().__init__()
        self.down, self.first = down, first
        self.conv1, self.conv2 = SpectralConv2d(inputs, outputs, 3), SpectralConv2d(outputs, outputs, 3)
        self.skip = SpectralConv2d(inputs, outputs, 1) if down or inputs != outputs else None

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.skip is None:
            return y + x
        if not self.down:
            return y + self.skip(x)
        shortcut = self.skip(F.avg_pool2d(x, 2)) if self.first else F.avg_pool2d(self.skip(x), 2)
        return F.avg_pool2d(y, 2) + shortcut


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
        widths = block_widths(img_resolution, channel_base, channel_max)
        blocks: list[nn.Module] = []
        inputs, res = img_channels, img_resolution
        for k, out in enumerate(widths):
            down = k < len(widths) - 1  # the last block keeps the size
            blocks.append(DiscriminatorBlock(inputs, out, down, k == 0))
            inputs, res = out, res // 2 if down else res
            if attention and down and res == attended(img_resolution):
                blocks.append(SelfAttention(out))
        self.blocks = nn.Sequential(*blocks)
        self.out = SpectralLinear(widths[-1], 1)
        self.embed = SpectralLinear(c_dim, widths[-1], bias=False) if c_dim else None
        start(self)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        x = F.relu(self.blocks(img)).sum((2, 3))  # [n, c]
        logits: Tensor = self.out(x)
        if self.embed is None:
            return logits
        if c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        return logits + (self.embed(c.to(x.dtype)) * x).sum(1, keepdim=True)


def block_widths(img_resolution: int, channel_base: int, channel_max: int) -> list[int]:
    """Channels at the full resolution, half of it, ... down to 4 px: multiples of those at full resolution."""
    unit, count = max(1, channel_base // img_resolution), img_resolution.bit_length() - 2
    return [min(unit * WIDTHS[k], max(unit, channel_max)) for k in range(count)]


def attended(img_resolution: int) -> int:
    """The resolution that attends: half of the image's, 64 px at most (Brock et al. 2019, appendix B)."""
    return min(64, img_resolution // 2)


def larger(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Each pixel four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def start(net: SpectralNetwork) -> None:
    """Orthogonal weights (Saxe et al. 2014), and power iterations that have found them."""
    for module in net.modules():
        if isinstance(module, SpectralConv2d | SpectralLinear):
            nn.init.orthogonal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    net.power_iterate(ITERATIONS)
