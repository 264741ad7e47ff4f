"""StyleGAN2's synthesis network as a list of steps that can be entered at any of them, and run fast.

The result is that of `networks.stylegan2.SynthesisNetwork`. Styles scale the input channels and demodulation the output
channels, so one convolution with fixed weights, packed once, serves every picture. Large layers are computed in bands
of rows that stay in the cache, and write into memory that is kept: on a CPU the page faults of fresh memory cost more
than the arithmetic of a 1024 px layer.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.networks.stylegan2 import HALF, SynthesisBlock, SynthesisLayer, SynthesisNetwork
from ganlab.nn.precision import has_bf16
from ganlab.nn.style import shifted
from ganlab.synthesis.kernels import Direct, Up, as_2d
from ganlab.synthesis.steps import Inputs, NoiseInput, Step, Steps
from ganlab.synthesis.store import Store
from ganlab.synthesis.winograd import AVAILABLE, Winograd

BAND = 4 << 20  # bytes of a band's output; a few bands fit into a core's share of the cache
# where tiles pay: from so many channels in x out, and in which sizes of the picture; tiles are always float32
WINOGRAD = {torch.float32: (128 * 128, 16, 256), torch.bfloat16: (512 * 512, 32, 64), torch.float16: (1 << 40, 0, 0)}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LINEAR, LRELU = 1.0, 0.2  # slopes of the two activations that layers have


class Engine(Steps["ConvStep | RgbStep"]):
    """The steps of one network, prepared for one precision and device."""

    def __init__(
        self, synthesis: SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        """`precision` of the convolutions, the rest is float32: "fp32", "bf16", or "fp16", which takes half precision
        in those blocks where the model declares it, as the official code does on a GPU. A CPU that is not made for
        bf16 computes in fp32.
        """
        super().__init__(synthesis.num_ws, device)
        if precision == "bf16" and self.device.type == "cpu" and not has_bf16(self.device):
            precision = "fp32"
        self.synthesis, self.precision = synthesis, precision
        for block in synthesis.blocks():
            self._add_block(block)

    def _add_block(self, block: SynthesisBlock) -> None:
        size = f"{block.resolution}x{block.resolution}"
        names = ["conv1"] if block.in_channels == 0 else ["conv0", "conv1"]
        before = self._last("conv")
        for name in names:
            row = len(self.noises)
            layer = getattr(block, name)
            maker = ConvStep(block, layer, row, self._last("conv"), self.precision)
            if name == "conv1" and block.architecture == "resnet" and before is not None:
                maker.shortcut = (block, before)
            noise = row if layer.use_noise else None
            o, i = layer.weight.shape[:2]
            self._add(Step(f"{size} {name}", "conv", block.resolution, row, noise, o, i), maker)
            self.noises.append(_noise_input(layer))
        if block.num_torgb:
            row = len(self.noises)
            maker_rgb = RgbStep(block, row, len(self.steps) - 1, self._last("rgb"))
            o, i = block.torgb.weight.shape[:2]
            self._add(Step(f"{size} torgb", "rgb", block.resolution, row, None, o, i), maker_rgb)


class ConvStep:
    """Modulated convolution, noise, bias, activation, written with a border of zeros for the next step."""

    def __init__(
        self, block: SynthesisBlock, layer: SynthesisLayer, index: int, source: int | None, precision: str
    ) -> None:
        self.index, self.source, self.layer = index, source, layer
        self.const = block.const if source is None else None
        self.shortcut: tuple[SynthesisBlock, int] | None = None
        self.resolution, self.up = layer.resolution, layer.up
        weight = layer.weight.detach()
        dtype = DTYPES[precision] if precision != "fp16" or block.use_fp16 else torch.float32
        self.careful = dtype == torch.float16  # keep numbers small; demodulation takes the scale out again
        if self.careful:
            weight = weight / (weight.abs().amax((1, 2, 3), keepdim=True) * math.sqrt(weight[0].numel()))
        self.squares = weight.square().sum((2, 3)).T.contiguous()  # [i, o], for demodulation
        self.out_channels, self.in_channels = weight.shape[:2]
        self.slope = {"linear": LINEAR, "lrelu": LRELU}[layer.activation]
        self.conv = _convolution(layer, weight, dtype)
        self.conv_dtype = self.conv.dtype

    def styles(self, ws: Tensor) -> Tensor:
        """As `Maker`."""
        return self.layer.affine(ws[:, self.index])

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        """As `Maker`."""
        layer, added, n_all = self.layer, given.noise[self.index], len(given)
        styles = shifted(self.styles(given.ws), given.offset(i))  # [n, i]
        if self.careful:
            styles = styles / styles.abs().amax(1, keepdim=True)
        half = HALF if self.shortcut else 1.0
        gain = half * (math.sqrt(2) if self.slope == LRELU else 1.0)
        scale = (styles.square() @ self.squares + 1e-8).rsqrt() * gain  # [n, o]
        bias = (layer.bias * gain).view(1, -1, 1, 1)
        clamp = None if layer.conv_clamp is None else layer.conv_clamp * half
        x = self._input(n_all, store)  # [n, i, h + 2, w + 2]
        out = store.padded(i, n_all, self.out_channels, self.resolution)
        if self.shortcut:
            block, source = self.shortcut
            out[:, :, 1:-1, 1:-1] = block.skip(store.get(source)[:, :, 1:-1, 1:-1], gain=HALF)
        height, row_bytes = self.resolution // self.up, 4 * self.resolution * self.up * self.out_channels
        for n, first, last in _bands(n_all, height, row_bytes, x.device):
            y = self._convolved(x[n], styles[n, :, None, None], first, last)
            y = torch.addcmul(bias, y, scale[n, :, None, None], out=y)
            rows = slice(first * self.up, last * self.up)
            if added is not None:
                y += (added if added.ndim == 2 else added[n])[..., rows, :] * gain
            if self.slope != LINEAR:
                F.leaky_relu_(y, self.slope)
            place = out[n, :, 1 + rows.start : 1 + rows.stop, 1:-1]
            if clamp is not None and not self.shortcut:
                torch.clamp(y, -clamp, clamp, out=place)
            elif self.shortcut:
                place += y if clamp is None else y.clamp_(-clamp, clamp)
            else:
                place.copy_(y)

    def sources(self) -> list[int]:
        """The steps whose results it reads."""
        return [] if self.source is None else [self.source, *([self.shortcut[1]] if self.shortcut else [])]

    def _input(self, n: int, store: Store) -> Tensor:
        if self.const is not None:
            return F.pad(self.const, (1, 1, 1, 1)).expand(n, -1, -1, -1)
        assert self.source is not None
        return store.get(self.source)

    def _convolved(self, x: Tensor, styles: Tensor, first: int, last: int) -> Tensor:
        """The convolution of input rows first .. last of features that have a border, in float32."""
        if self.up == 1:
            return self.conv((x[:, :, first : last + 2] * styles).to(self.conv_dtype)).float()
        assert isinstance(self.conv, Up)
        top, bottom = max(first - self.conv.halo, 0), min(last + self.conv.halo, x.shape[2] - 2)
        y = self.conv((x[:, :, 1 + top : 1 + bottom, 1:-1] * styles).to(self.conv_dtype))
        return y[:, :, 2 * (first - top) : 2 * (last - top)].float()


class RgbStep:
    """A block's colours, added to the upsampled image of the blocks before."""

    def __init__(self, block: SynthesisBlock, row: int, source: int, image: int | None) -> None:
        self.block, self.row, self.source, self.image = block, row, source, image
        self.resolution = block.resolution
        taps = as_2d(block.resample_filter)
        channels = block.torgb.weight.shape[0]
        self.kernel = (taps * 4).expand(channels, 1, -1, -1).contiguous()  # a transposed convolution flips it itself
        first = len(taps) - 1 - (len(taps) + 1) // 2
        self.inside = slice(first, first + block.resolution)  # what of the transposed convolution is the image

    def sources(self) -> list[int]:
        """The steps whose results it reads."""
        return [self.source] if self.image is None else [self.source, self.image]

    def styles(self, ws: Tensor) -> Tensor:
        """As `Maker`."""
        return self.block.torgb.affine(ws[:, self.row])

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        """As `Maker`."""
        torgb = self.block.torgb
        styles = shifted(self.styles(given.ws), given.offset(i)) * torgb.weight_gain
        weights = torgb.weight[:, :, 0, 0][None] * styles[:, None]  # [n, c, i]
        x = store.get(self.source)
        out = store.plain(i, len(given), weights.shape[1], self.resolution)
        for n, top, bottom in _bands(len(given), self.resolution, 4 * self.resolution * x.shape[1], x.device):
            part = x[n, :, 1 + top : 1 + bottom]  # [k, i, rows, w + 2], with the border's sides
            pixels = part.permute(0, 2, 3, 1).flatten(1, 2)  # as they lie in memory
            colours = (weights[n] @ pixels.transpose(1, 2)).unflatten(2, part.shape[2:])
            torch.add(colours[..., 1:-1], torgb.bias.view(-1, 1, 1), out=out[n, :, top:bottom])
        if torgb.conv_clamp is not None:
            out.clamp_(-torgb.conv_clamp, torgb.conv_clamp)
        if self.image is not None:
            larger = F.conv_transpose2d(store.get(self.image), self.kernel, stride=2, groups=out.shape[1])
            out += larger[:, :, self.inside, self.inside]


def _bands(n: int, height: int, row_bytes: int, device: torch.device) -> Iterator[tuple[slice, int, int]]:
    """(pictures, first row, last row) of each part of the work: all at once but for a CPU's cache."""
    together = n if device.type != "cpu" else BAND // (row_bytes * height)
    if together > 0:
        for k in range(0, n, together):
            yield slice(k, min(k + together, n)), 0, height
        return
    rows = max(4, BAND // row_bytes // 4 * 4)  # a multiple of 4: Winograd's tiles
    for k in range(n):
        for first in range(0, height, rows):
            yield slice(k, k + 1), first, min(first + rows, height)


def _noise_input(layer: SynthesisLayer) -> NoiseInput:
    if not layer.use_noise:
        return NoiseInput(layer.resolution, None)
    return NoiseInput(layer.resolution, layer.noise_const, layer.noise_strength, layer.noise_strength)


def _convolution(layer: SynthesisLayer, weight: Tensor, dtype: torch.dtype) -> Direct | Up | Winograd:
    if layer.up > 1:
        return Up(weight, layer.resample_filter, dtype)
    smallest, low, high = WINOGRAD[dtype]
    large = weight.shape[0] * weight.shape[1] >= smallest and low <= layer.resolution <= high
    if AVAILABLE and large and weight.device.type == "cpu" and weight.shape[-1] == 3:
        return Winograd(weight)
    return Direct(weight, dtype)
