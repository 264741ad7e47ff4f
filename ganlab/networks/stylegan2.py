"""StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"), with the options and the
parameter names of the official releases, so that official weights load strictly.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import MappingNetwork, StyleGenerator
from ganlab.nn.noise import noise_inputs
from ganlab.nn.resample import downsample2d, make_filter, upsample2d
from ganlab.nn.style import (
    BLUR,
    Conv2dLayer,
    FullyConnectedLayer,
    MinibatchStdLayer,
    ToRGBLayer,
    activate,
    gain_before,
    modulated_conv2d,
    shifted,
    split_offsets,
)

HALF = math.sqrt(0.5)  # gain of each of the two branches of a residual block
# what the first release (StyleGAN2-ADA) leaves out means other values than in the later one
ADA_DEFAULTS = {"num_fp16_res": 0, "conv_clamp": None}


class SynthesisLayer(nn.Module):
    """Style, modulated convolution, noise, bias, activation."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        kernel_size: int = 3,
        up: int = 1,
        use_noise: bool = True,
        activation: str = "lrelu",
        resample_filter: Sequence[float] = BLUR,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.use_noise = resolution, up, use_noise
        self.activation, self.conv_clamp = activation, conv_clamp
        self.register_buffer("resample_filter", make_filter(resample_filter))
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self,
        x: Float[Tensor, "n i h w"],
        w: Float[Tensor, "n w_dim"],
        noise: Tensor | None = None,
        gain: float = 1.0,
        offset: Tensor | None = None,
    ) -> Float[Tensor, "n o h2 w2"]:
        """`noise` ([H, W] or [N, 1, H, W], times noise_strength) is added as given, `offset` [N, i] to the styles."""
        styles = shifted(self.affine(w), offset)
        scaled = gain_before(self.activation, gain)
        bias = (self.bias * scaled).view(-1, 1, 1)
        added = noise * (self.noise_strength * scaled) if noise is not None and self.use_noise else None
        x = modulated_conv2d(
            x,
            self.weight,
            styles,
            up=self.up,
            resample_filter=self.resample_filter,
            gain=scaled,
            added=bias if added is None else added,
        )
        x = x if added is None else x + bias.to(x.dtype)
        return activate(x, self.activation, gain, self.conv_clamp, scaled)


class SynthesisBlock(nn.Module):
    """All layers of one resolution; the first block starts from a learned constant."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        architecture: str = "skip",
        resample_filter: Sequence[float] = BLUR,
        conv_clamp: float | None = 256,
        use_fp16: bool = False,
        fp16_channels_last: bool = False,
        fused_modconv_default: bool | str = True,
        **layer_kwargs: Any,
    ) -> None:
        """`use_fp16` is what the model declares; rendering on CUDA follows it. The two last named change no result."""
        super().__init__()
        if architecture not in ("orig", "skip", "resnet"):
            raise ValueError("architecture must be orig, skip or resnet")
        self.in_channels, self.resolution, self.is_last = in_channels, resolution, is_last
        self.architecture, self.use_fp16 = architecture, use_fp16
        self.register_buffer("resample_filter", make_filter(resample_filter))
        options: dict[str, Any] = {"resample_filter": resample_filter, "conv_clamp": conv_clamp, **layer_kwargs}
        self.num_conv = 1 if in_channels == 0 else 2
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=2, **options)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, **options)
        self.num_torgb = int(is_last or architecture == "skip")
        if self.num_torgb:
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp=conv_clamp)
        if in_channels != 0 and architecture == "resnet":
            self.skip = Conv2dLayer(in_channels, out_channels, 1, bias=False, up=2, resample_filter=resample_filter)

    def layers(self) -> list[SynthesisLayer]:
        """The convolutions, one noise input each."""
        return [self.conv1] if self.in_channels == 0 else [self.conv0, self.conv1]

    def affines(self) -> list[FullyConnectedLayer]:
        """What makes the styles of its convolutions, then of its colours."""
        return [layer.affine for layer in self.layers()] + ([self.torgb.affine] if self.num_torgb else [])

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Float[Tensor, "n rows w_dim"],
        noise: Sequence[Tensor | None],
        offsets: Sequence[Tensor | None],
    ) -> tuple[Tensor, Tensor | None]:
        """(features [n, o, res, res], image so far); `ws` and `offsets` hold one a layer, `noise` one a convolution."""
        if self.in_channels == 0:
            x = (self.const if x is None else x)[None].expand(len(ws), -1, -1, -1)
            x = self.conv1(x, ws[:, 0], noise[0], offset=offsets[0])
        else:
            half = HALF if self.architecture == "resnet" else 1.0
            y = self.conv0(x, ws[:, 0], noise[0], offset=offsets[0])
            y = self.conv1(y, ws[:, 1], noise[1], half, offsets[1])
            x = self.skip(x, gain=HALF) + y if self.architecture == "resnet" else y
        assert x is not None
        if img is not None:
            img = upsample2d(img, self.resample_filter)
        if self.num_torgb:
            rgb = self.torgb(x, ws[:, self.num_conv], offsets[self.num_conv])
            img = rgb if img is None else img + rgb
        return x, img


class SynthesisNetwork(nn.Module):
    """g: ws to an image."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        **block_kwargs: Any,
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.block_resolutions = block_resolutions(img_resolution)
        channels = {res: min(channel_base // res, channel_max) for res in self.block_resolutions}
        half_from = max(2 ** (int(math.log2(img_resolution)) + 1 - num_fp16_res), 8)
        for res in self.block_resolutions:
            block = SynthesisBlock(
                channels[res // 2] if res > 4 else 0,
                channels[res],
                w_dim,
                res,
                img_channels,
                is_last=res == img_resolution,
                use_fp16=num_fp16_res > 0 and res >= half_from,
                **block_kwargs,
            )
            setattr(self, f"b{res}", block)
        self.num_ws = sum(block.num_conv for block in self.blocks()) + 1  # the last block's torgb has a row of its own

    def blocks(self) -> list[SynthesisBlock]:
        """The blocks, from 4 x 4 up."""
        return [getattr(self, f"b{res}") for res in self.block_resolutions]

    def layers(self) -> list[SynthesisLayer]:
        """The convolutions in order, one noise input each."""
        return [layer for block in self.blocks() for layer in block.layers()]

    def affines(self) -> list[FullyConnectedLayer]:
        """What makes the styles of all layers, in order."""
        return [affine for block in self.blocks() for affine in block.affines()]

    def noise_inputs(
        self, mode: str, n: int, generator: torch.Generator | None = None, device: torch.device | None = None
    ) -> list[Tensor | None]:
        """One entry a convolution: its constant noise [H, W], none, or new draws [n, 1, H, W]."""
        return noise_inputs(self.layers(), mode, n, generator, device)

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: Sequence[Tensor | None] | None = None,
        generator: torch.Generator | None = None,
        offsets: Float[Tensor, "m styles"] | None = None,
        const: Float[Tensor, "i 4 4"] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image, about in [-1, 1]. `noise` (one map a convolution, None for nothing) replaces `noise_mode`.

        `offsets` [N or 1, all styles] are added to all styles in order; `const` replaces what it starts from.
        """
        if ws.shape[1] != self.num_ws:
            raise ValueError(f"ws has {ws.shape[1]} rows; this model needs {self.num_ws}")
        maps = list(noise) if noise is not None else self.noise_inputs(noise_mode, len(ws), generator, ws.device)
        ws = ws.float()
        x, img, row = const, None, 0
        moves = iter(split_offsets(offsets, self.affines()))
        for block in self.blocks():
            rows = ws[:, row : row + block.num_conv + block.num_torgb]
            x, img = block(x, img, rows, maps[row : row + block.num_conv], [next(moves) for _ in block.affines()])
            row += block.num_conv
        assert img is not None
        return img


class Generator(StyleGenerator):
    """G(z, c): the mapping and the synthesis network."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: Mapping[str, Any] | None = None,
        synthesis_kwargs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Options of the synthesis network come in `synthesis_kwargs` (as in StyleGAN2-ADA) or by themselves."""
        options = more if synthesis_kwargs is None else {**ADA_DEFAULTS, **synthesis_kwargs, **more}
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **options)
        mapping = MappingNetwork(z_dim, c_dim, w_dim, synthesis.num_ws, **(mapping_kwargs or {}))
        super().__init__(z_dim, c_dim, synthesis, mapping)


class DiscriminatorBlock(nn.Module):
    """Two convolutions and a step down to half the resolution."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        img_channels: int,
        architecture: str = "resnet",
        activation: str = "lrelu",
        resample_filter: Sequence[float] = BLUR,
        conv_clamp: float | None = None,
        freeze_layers: int = 0,
        fp16_channels_last: bool = False,
    ) -> None:
        """`freeze_layers` belongs to the training that made the weights, `fp16_channels_last` changes no result."""
        super().__init__()
        self.architecture = architecture
        self.register_buffer("resample_filter", make_filter(resample_filter))
        options: dict[str, Any] = {"activation": activation, "conv_clamp": conv_clamp}
        fir: dict[str, Any] = {"resample_filter": resample_filter}
        if in_channels == 0 or architecture == "skip":
            self.fromrgb = Conv2dLayer(img_channels, tmp_channels, 1, **options)
        self.conv0 = Conv2dLayer(tmp_channels, tmp_channels, 3, **options)
        self.conv1 = Conv2dLayer(tmp_channels, out_channels, 3, down=2, **fir, **options)
        if architecture == "resnet":
            self.skip = Conv2dLayer(tmp_channels, out_channels, 1, bias=False, down=2, **fir)

    def forward(self, x: Tensor | None, img: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if hasattr(self, "fromrgb"):
            y = self.fromrgb(img)
            x = y if x is None else x + y
            img = downsample2d(img, self.resample_filter) if self.architecture == "skip" and img is not None else None
        if self.architecture != "resnet":
            return self.conv1(self.conv0(x)), img
        return self.skip(x, gain=HALF) + self.conv1(self.conv0(x), gain=HALF), img


class DiscriminatorEpilogue(nn.Module):
    """The last layers: minibatch standard deviation, convolution, logits; the label enters as a projection."""

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        resolution: int,
        img_channels: int,
        architecture: str = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.cmap_dim = cmap_dim
        if architecture == "skip":
            self.fromrgb = Conv2dLayer(img_channels, in_channels, 1, activation=activation)
        self.mbstd = MinibatchStdLayer(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels else None
        self.conv = Conv2dLayer(
            in_channels + mbstd_num_channels, in_channels, 3, activation=activation, conv_clamp=conv_clamp
        )
        self.fc = FullyConnectedLayer(in_channels * resolution**2, in_channels, activation=activation)
        self.out = FullyConnectedLayer(in_channels, cmap_dim or 1)

    def forward(self, x: Tensor, img: Tensor | None, cmap: Tensor | None) -> Float[Tensor, "n 1"]:
        if hasattr(self, "fromrgb"):
            x = x + self.fromrgb(img)
        if self.mbstd is not None:
            x = self.mbstd(x)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        if cmap is None:
            return x
        return (x * cmap).sum(1, keepdim=True) / math.sqrt(self.cmap_dim)  # Miyato and Koyama 2018, eq. 3


class Discriminator(nn.Module):
    """D(img, c): images [N, C, H, W] to logits [N, 1]."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        architecture: str = "resnet",
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        conv_clamp: float | None = 256,
        cmap_dim: int | None = None,
        block_kwargs: Mapping[str, Any] | None = None,
        mapping_kwargs: Mapping[str, Any] | None = None,
        epilogue_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        self.num_fp16_res = num_fp16_res
        self.block_resolutions = block_resolutions(img_resolution)[:0:-1]  # from the image down to 8 x 8
        channels = {res: min(channel_base // res, channel_max) for res in block_resolutions(img_resolution)}
        cmap_dim = 0 if c_dim == 0 else (channels[4] if cmap_dim is None else cmap_dim)
        common: dict[str, Any] = {"architecture": architecture, "conv_clamp": conv_clamp}
        for res in self.block_resolutions:
            first = channels[res] if res < img_resolution else 0
            block = DiscriminatorBlock(
                first, channels[res], channels[res // 2], img_channels, **common, **(block_kwargs or {})
            )
            setattr(self, f"b{res}", block)
        if c_dim > 0:
            self.mapping = MappingNetwork(0, c_dim, cmap_dim, None, w_avg_beta=None, **(mapping_kwargs or {}))
        self.b4 = DiscriminatorEpilogue(channels[4], cmap_dim, 4, img_channels, **common, **(epilogue_kwargs or {}))

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        x, left = None, img
        for res in self.block_resolutions:
            x, left = getattr(self, f"b{res}")(x, left)
        cmap = self.mapping(None, c) if self.c_dim > 0 else None
        return self.b4(x, left, cmap)


def block_resolutions(img_resolution: int) -> list[int]:
    """4, 8, ... up to the image's."""
    if img_resolution < 4 or img_resolution & (img_resolution - 1):
        raise ValueError("img_resolution must be a power of two of at least 4")
    return [2**i for i in range(2, int(math.log2(img_resolution)) + 1)]
