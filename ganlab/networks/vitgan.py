"""ViTGAN (Lee et al. 2022, "ViTGAN: Training GANs with Vision Transformers"): G and D of transformers, 8 x 8 patches.

D is a vision transformer (Dosovitskiy et al. 2021) that is kept smooth: attention by distance, layers that keep the
spectral norm they begin with, patches that overlap (the paper's "Regularizing ViT-based discriminator"). In G, w
modulates the layer norms of a transformer on learned positions, and a small network of sines draws each patch (the
paper's "Generator design"). Nothing in G's weights depends on the size of a patch.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import MappingNetwork, StyleGenerator
from ganlab.nn.norms import SpectralLinear, SpectralNetwork
from ganlab.nn.resample import exact

GRID = 8  # patches along a side
DEPTH = 4  # blocks of G, and of D
HEADS = 4
EXPANSION = 4  # how much wider a block is inside (Dosovitskiy et al. 2021, table 1)
SCALE = 0.02  # deviation of D's initial tokens and positions
ITERATIONS = 100  # of the power method before training: its vectors start as ones
MAPPING_LR = 0.1  # of G's rate: ten times StyleGAN's, for a rate that is ten times lower


class RescaledLinear(SpectralLinear):
    """A linear layer that keeps the spectral norm it begins with: W sigma(W_init) / sigma(W)."""

    initial: Tensor  # sigma(W_init)

    def start(self) -> None:
        super().start()
        self.register_buffer("initial", torch.ones([]))

    @torch.no_grad()
    def keep(self) -> None:
        """From now on the spectral norm is that of the present weight."""
        self.power_iterate(ITERATIONS)
        self.initial.copy_(self.u @ self.weight @ self.v)

    def normalized(self) -> Tensor:
        return self.initial * super().normalized()


class DotAttention(nn.Module):
    """Each token takes from all others what is like it (Vaswani et al. 2017, sec. 3.2)."""

    def __init__(self, width: int, linear: type[nn.Linear] = nn.Linear) -> None:
        super().__init__()
        self.query, self.key, self.value = (linear(width, width, bias=False) for _ in range(3))
        self.out = linear(width, width)

    def forward(self, x: Float[Tensor, "n t w"]) -> Float[Tensor, "n t w"]:
        query, key, value = (_heads(layer(x)) for layer in (self.query, self.key, self.value))
        out: Tensor = self.out(self.attend(query, key, value).transpose(1, 2).flatten(2))
        return out

    def attend(
        self, query: Float[Tensor, "n h t d"], key: Float[Tensor, "n h t d"], value: Float[Tensor, "n h t d"]
    ) -> Float[Tensor, "n h t d"]:
        """Written out: torch's own kernels cannot be differentiated twice, as gradient penalties ask for."""
        logits = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        return logits.softmax(3) @ value


class L2Attention(nn.Module):
    """Attention by distance, with queries for keys: smooth, as that by dot products is not (Kim et al. 2021)."""

    def __init__(self, width: int, linear: type[nn.Linear] = nn.Linear) -> None:
        super().__init__()
        self.query, self.value = (linear(width, width, bias=False) for _ in range(2))
        self.out = linear(width, width)

    def forward(self, x: Float[Tensor, "n t w"]) -> Float[Tensor, "n t w"]:
        seen = self.logits(x).softmax(3) @ _heads(self.value(x))
        out: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return out

    def logits(self, x: Float[Tensor, "n t w"]) -> Float[Tensor, "n h t t"]:
        """-|x_i Q - x_j Q|^2 / sqrt(d) of each head of d features."""
        query = _heads(self.query(x))
        square = query.square().sum(3)  # [n, h, t]
        distances = square[:, :, :, None] + square[:, :, None] - 2 * query @ query.transpose(2, 3)
        return -distances / math.sqrt(query.shape[3])


class Block(nn.Module):
    """x + attention, then x + two layers at each token, each behind a layer norm (Dosovitskiy et al. 2021, eq. 2-3)."""

    def __init__(self, width: int, attention: nn.Module, linear: type[nn.Linear] = nn.Linear) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.mlp = attention, _mlp(width, linear)

    def forward(self, x: Float[Tensor, "n t w"]) -> Float[Tensor, "n t w"]:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class SelfModulatedNorm(nn.Module):
    """SLN: gamma(w) * LN(x) + beta(w), both linear in w."""

    def __init__(self, width: int, w_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.affine = nn.Linear(w_dim, 2 * width)

    def forward(self, x: Float[Tensor, "n t width"], w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n t width"]:
        gamma, beta = self.affine(w)[:, None].chunk(2, 2)
        return self.norm(x) * (1 + gamma) + beta


class ModulatedBlock(nn.Module):
    """`Block` with the layer norms modulated by w."""

    def __init__(self, width: int, w_dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = SelfModulatedNorm(width, w_dim), SelfModulatedNorm(width, w_dim)
        self.attention, self.mlp = DotAttention(width), _mlp(width)

    def forward(self, x: Float[Tensor, "n t width"], w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n t width"]:
        x = x + self.attention(self.norm1(x, w))
        out: Tensor = x + self.mlp(self.norm2(x, w))
        return out


class ModulatedLinear(nn.Module):
    """A linear layer at each pixel, its weights scaled by the patch (Karras et al. 2020, "Analyzing", sec. 2.2)."""

    def __init__(self, inputs: int, outputs: int, demodulated: bool) -> None:
        super().__init__()
        self.demodulated = demodulated
        self.affine = nn.Linear(inputs, inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Float[Tensor, "*nt p i"], patches: Float[Tensor, "n t i"]) -> Float[Tensor, "n t p o"]:
        styles = 1 + self.affine(patches)  # [n, t, i]
        out = F.linear(x * styles[:, :, None], self.weight)
        if self.demodulated:
            out = out * (F.linear(styles.square(), self.weight.square()) + 1e-8).rsqrt()[:, :, None]
        return out + self.bias


class PatchDecoder(nn.Module):
    """The pixels of a patch from its embedding: sines of their places in it, and two modulated layers, the first with a
    sine (Sitzmann et al. 2020; Anokhin et al. 2021)."""

    positions: Tensor  # [pixels, 2], from -1 to 1

    def __init__(self, width: int, patch: int, img_channels: int) -> None:
        super().__init__()
        places = (torch.arange(patch) + 0.5) * 2 / patch - 1
        grid = torch.stack(torch.meshgrid(places, places, indexing="ij"), 2).flatten(0, 1)
        self.register_buffer("positions", grid, persistent=False)
        self.frequencies = nn.Parameter(torch.randn(width, 2) * (math.pi * patch / 4))  # most can be sampled
        self.phases = nn.Parameter(torch.rand(width) * (2 * math.pi))
        self.hidden = ModulatedLinear(width, width, demodulated=True)
        self.out = ModulatedLinear(width, img_channels, demodulated=False)

    def forward(self, patches: Float[Tensor, "n t width"]) -> Float[Tensor, "n t pixels k"]:
        with exact(patches):  # angles need the digits
            waves = (self.positions @ self.frequencies.T + self.phases).sin()  # [pixels, width]
        out: Tensor = self.out(self.hidden(waves, patches).sin(), patches)
        return out


class SynthesisNetwork(nn.Module):
    """ws to an image: each block reads its own row, the decoder the last."""

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int) -> None:
        super().__init__()
        self.patch = patch_size(img_resolution)
        self.side, self.width = img_resolution // self.patch, token_width(GRID, channel_base, channel_max)
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.num_ws = DEPTH + 1
        self.positions = nn.Parameter(torch.randn(self.side**2, self.width))
        self.blocks = nn.ModuleList(ModulatedBlock(self.width, w_dim) for _ in range(DEPTH))
        self.norm = SelfModulatedNorm(self.width, w_dim)
        self.decoder = PatchDecoder(self.width, self.patch, img_channels)
        start(self)

    def noise_inputs(self, *wishes: object) -> list[Tensor | None]:
        """None: the family has no noise."""
        return []

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        """Tokens after the k-th block, as a grid: 0 begins with the learned positions."""
        tokens = self.positions.expand(len(w), -1, -1) if k == 0 or x is None else to_tokens(x)
        return to_grid(self.blocks[k](tokens, w))

    def torgb(self, x: Float[Tensor, "n c s s"], w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n k h h"]:
        """The patches of the last tokens, drawn."""
        pixels = self.decoder(self.norm(to_tokens(x), w))  # [n, tokens, pixels, k]
        stacked = pixels.permute(0, 3, 2, 1).flatten(1, 2).unflatten(2, (self.side, self.side))
        return F.pixel_shuffle(stacked, self.patch)

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: object = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n k h w"]:
        """The image, about in [-1, 1]. There is no noise: the last three arguments change nothing."""
        x = None
        for k in range(DEPTH):
            x = self.stage(k, x, ws[:, k])
        assert x is not None
        return self.torgb(x, ws[:, DEPTH])


class Generator(StyleGenerator):
    """G(z, c): a mapping network as StyleGAN's, and a transformer."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        w_dim: int = 128,
        mapping_layers: int = 4,
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, channel_base, channel_max)
        depth, num_ws = mapping_layers, synthesis.num_ws
        mapping = MappingNetwork(z_dim, c_dim, w_dim, num_ws, num_layers=depth, lr_multiplier=MAPPING_LR)
        super().__init__(z_dim, c_dim, synthesis, mapping)


class Discriminator(SpectralNetwork):
    """D(img, c): logits [N, 1] of a class token; a label enters as a projection (Miyato and Koyama 2018, eq. 3)."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 256,
        smooth: bool = True,
    ) -> None:
        """`smooth`: all that keeps D smooth; without it this is a plain vision transformer."""
        super().__init__()
        linear = RescaledLinear if smooth else nn.Linear
        width, self.patch = token_width(GRID, channel_base, channel_max), patch_size(img_resolution)
        self.c_dim, self.overlap = c_dim, self.patch // 2 if smooth else 0
        self.token = nn.Parameter(torch.randn(width) * SCALE)
        self.positions = nn.Parameter(torch.randn(1 + (img_resolution // self.patch) ** 2, width) * SCALE)
        self.enter = linear(img_channels * (self.patch + 2 * self.overlap) ** 2, width)
        self.blocks = nn.Sequential(
            *(Block(width, (L2Attention if smooth else DotAttention)(width, linear), linear) for _ in range(DEPTH))
        )
        self.norm = nn.LayerNorm(width)
        self.out = linear(width, 1)
        self.embed = linear(c_dim, width, bias=False) if c_dim else None
        start(self)

    def patches(self, img: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t numbers"]:
        """The patches, row by row, each with `overlap` pixels of its neighbours on all sides."""
        return F.unfold(img, self.patch + 2 * self.overlap, padding=self.overlap, stride=self.patch).transpose(1, 2)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        tokens = self.enter(self.patches(img))
        tokens = torch.cat([self.token.to(tokens.dtype).expand(len(img), 1, -1), tokens], 1) + self.positions
        x = self.norm(self.blocks(tokens)[:, 0])  # [n, width]
        logits: Tensor = self.out(x)
        if self.embed is None:
            return logits
        if c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        return logits + (self.embed(c.to(x.dtype)) * x).sum(1, keepdim=True)


def patch_size(img_resolution: int) -> int:
    """Pixels along a side of a patch: an eighth of the image, two at least."""
    return max(2, img_resolution // GRID)


def token_width(side: int, channel_base: int, channel_max: int) -> int:
    """Features of a token where `side` stand along a side, a multiple of the heads."""
    return max(1, min(channel_base // side, channel_max) // HEADS) * HEADS


def to_tokens(x: Float[Tensor, "n c s s"]) -> Float[Tensor, "n t c"]:
    """A grid, row by row."""
    return x.flatten(2).transpose(1, 2)


def to_grid(tokens: Float[Tensor, "n t c"]) -> Float[Tensor, "n c s s"]:
    """The inverse of `to_tokens`."""
    side = math.isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).unflatten(2, (side, side))


def start(net: nn.Module) -> None:
    """Initial weights (Glorot and Bengio 2010), whose spectral norms are kept where layers keep them."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, L2Attention):  # distances of about 1: else a token sees itself alone, and that norm stays
            module.query.weight.data *= (4 * module.query.in_features // HEADS) ** -0.25
    for module in net.modules():
        if isinstance(module, RescaledLinear):
            module.keep()


def _heads(x: Tensor) -> Tensor:
    """Features [n, t, w] of each head, [n, h, t, d]."""
    return x.unflatten(2, (HEADS, -1)).transpose(1, 2)


def _mlp(width: int, linear: type[nn.Linear] = nn.Linear) -> nn.Sequential:
    return nn.Sequential(linear(width, EXPANSION * width), nn.GELU(), linear(EXPANSION * width, width))
