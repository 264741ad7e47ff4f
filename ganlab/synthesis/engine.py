"""StyleGAN2's synthesis network as a list of steps that can be entered at any of them, and run fast.

The result is that of `networks.stylegan2.SynthesisNetwork`. Styles scale the input channels and demodulation the output
channels, so one convolution with fixed weights, packed once, serves every picture. Large layers are computed in bands
of rows that stay in the cache, and write into memory that is kept: on a CPU the page faults of fresh memory cost more
than the arithmetic of a 1024 px layer.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.networks.stylegan2 import HALF, SynthesisBlock, SynthesisLayer, SynthesisNetwork
from ganlab.synthesis.kernels import Direct, Up, as_2d
from ganlab.synthesis.store import Store
from ganlab.synthesis.winograd import AVAILABLE, Winograd

BAND = 4 << 20  # bytes of a band's output; a few bands fit into a core's share of the cache
# where tiles pay: from so many channels in x out, and in which sizes of the picture; tiles are always float32
WINOGRAD = {torch.float32: (128 * 128, 16, 256), torch.bfloat16: (512 * 512, 32, 64), torch.float16: (1 << 40, 0, 0)}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LINEAR, LRELU = 1.0, 0.2  # slopes of the two activations that layers have


@dataclass(frozen=True)
class Step:
    """One convolution or one step to colours."""

    name: str  # "64x64 conv0", as StyleGAN2 names its layers
    kind: str  # "conv" or "rgb"
    resolution: int  # of what it makes
    row: int  # of ws, its style
    noise: int | None  # its noise input
    channels: int  # that it makes


class Engine:
    """The steps of one network, prepared for one precision and device. Read-only but for its packed weights."""

    def __init__(
        self, synthesis: SynthesisNetwork, precision: str = "fp32", device: torch.device | str = "cpu"
    ) -> None:
        """`precision` of the convolutions, the rest is float32: "fp32", "bf16", or "fp16", which takes half precision
        in those blocks where the model declares it, as the official code does on a GPU.
        """
        self.synthesis, self.precision, self.device = synthesis, precision, torch.device(device)
        self.num_ws = synthesis.num_ws
        self.steps: list[Step] = []
        self._makers: list[ConvStep | RgbStep] = []
        for block in synthesis.blocks():
            self._add(block)

    def entry(self, step: int, store: Store) -> int:
        """The last step up to `step` that can be begun with what `store` holds from before."""
        while step > 0:
            missing = [source for source in self._makers[step].sources() if not store.holds(source)]
            if not missing:
                break
            step = min(missing)
        return step

    def needs(self, start: int) -> set[int]:
        """The steps before `start` whose results it and later steps read."""
        read = {source for maker in self._makers[start:] for source in maker.sources()}
        return {source for source in read if source < start}

    def _add(self, block: SynthesisBlock) -> None:
        size = f"{block.resolution}x{block.resolution}"
        names = ["conv1"] if block.in_channels == 0 else ["conv0", "conv1"]
        before = self._last_conv()
        for name in names:
            row = self._count("conv")
            layer = getattr(block, name)
            maker = ConvStep(block, layer, row, self._last_conv(), self.precision)
            if name == "conv1" and block.architecture == "resnet" and before is not None:
                maker.shortcut = (block, before)
            self._makers.append(maker)
            channels = layer.weight.shape[0]
            self.steps.append(
                Step(f"{size} {name}", "conv", block.resolution, row, row if layer.use_noise else None, channels)
            )
        if block.num_torgb:
            row = self._count("conv")
            images = [i for i, step in enumerate(self.steps) if step.kind == "rgb"]
            self._makers.append(RgbStep(block, row, len(self.steps) - 1, images[-1] if images else None))
            self.steps.append(Step(f"{size} torgb", "rgb", block.resolution, row, None, block.torgb.weight.shape[0]))

    def _count(self, kind: str) -> int:
        return sum(step.kind == kind for step in self.steps)

    def _last_conv(self) -> int | None:
        return next((i for i in reversed(range(len(self.steps))) if self.steps[i].kind == "conv"), None)

    @torch.inference_mode()
    def run(
        self, ws: Tensor, noise: Sequence[Tensor | None], store: Store, start: int = 0, stop: int | None = None
    ) -> Tensor:
        """The image [N, C, H, W] after step `stop` (None: the last), begun at step `start` with what `store` holds.

        ws: [N, num_ws, w_dim]. noise: one entry a convolution, [H, W] or [N, 1, H, W] with its strength multiplied in,
        or None. `store` gets what each step makes.
        """
        last = len(self.steps) - 1 if stop is None else stop
        ws = ws.to(self.device)
        store.begin(len(ws))
        for i in range(start, last + 1):
            self.run_one(ws, noise, store, i)
        return store.get(max(i for i in range(last + 1) if self.steps[i].kind == "rgb"))

    def run_one(self, ws: Tensor, noise: Sequence[Tensor | None], store: Store, i: int) -> None:
        """One step of `run`."""
        maker, style = self._makers[i], ws[:, self.steps[i].row]
        if isinstance(maker, ConvStep):
            maker(style, noise[maker.index], store, i)
        else:
            maker(style, store, i)


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

    def __call__(self, w: Tensor, noise: Tensor | None, store: Store, i: int) -> None:
        layer = self.layer
        styles = layer.affine(w)  # [n, i]
        if self.careful:
            styles = styles / styles.abs().amax(1, keepdim=True)
        half = HALF if self.shortcut else 1.0
        gain = half * (math.sqrt(2) if self.slope == LRELU else 1.0)
        scale = (styles.square() @ self.squares + 1e-8).rsqrt() * gain  # [n, o]
        bias = (layer.bias * gain).view(1, -1, 1, 1)
        clamp = None if layer.conv_clamp is None else layer.conv_clamp * half
        x = self._input(len(w), store)  # [n, i, h + 2, w + 2]
        out = store.padded(i, len(w), self.out_channels, self.resolution)
        for n, first, last in self._bands(len(w)):
            y = self._convolved(x[n], styles[n, :, None, None], first, last)
            y = torch.addcmul(bias, y, scale[n, :, None, None], out=y)
            rows = slice(first * self.up, last * self.up)
            if noise is not None:
                y += (noise if noise.ndim == 2 else noise[n])[..., rows, :] * gain
            if self.slope != LINEAR:
                F.leaky_relu_(y, self.slope)
            if clamp is not None:
                y.clamp_(-clamp, clamp)
            if self.shortcut:
                y += self._skip(n, first, last, store)
            out[n, :, 1 + rows.start : 1 + rows.stop, 1:-1] = y

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

    def _bands(self, n: int) -> Iterator[tuple[slice, int, int]]:
        """(pictures, first row, last row) of the input for each part of the work."""
        height = self.resolution // self.up
        if self.squares.device.type != "cpu":
            yield slice(0, n), 0, height
            return
        row_bytes = self.resolution * self.up * self.out_channels * 4
        together = max(1, BAND // (row_bytes * height))
        if together > 1 or row_bytes * height <= BAND:
            for k in range(0, n, together):
                yield slice(k, min(k + together, n)), 0, height
            return
        rows = max(4, BAND // row_bytes // 4 * 4)  # a multiple of 4: Winograd's tiles
        for k in range(n):
            for first in range(0, height, rows):
                yield slice(k, k + 1), first, min(first + rows, height)

    def _skip(self, n: slice, first: int, last: int, store: Store) -> Tensor:
        """The upsampled input of a residual block, for some rows of its output."""
        assert self.shortcut is not None
        block, source = self.shortcut
        skipped: Tensor = block.skip(store.get(source)[n, :, 1:-1, 1:-1], gain=HALF)
        return skipped[:, :, first:last]


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

    def __call__(self, w: Tensor, store: Store, i: int) -> None:
        torgb = self.block.torgb
        styles = torgb.affine(w) * torgb.weight_gain
        weights = torgb.weight[None] * styles[:, None, :, None, None]  # [n, c, i, 1, 1]
        x = store.get(self.source)
        out = store.plain(i, len(w), weights.shape[1], self.resolution)
        rows = max(1, BAND // (self.resolution * x.shape[1] * 4))
        for n in range(len(w)):
            for top in range(0, self.resolution, rows):
                part = x[n : n + 1, :, 1 + top : 1 + min(top + rows, self.resolution), 1:-1]
                out[n : n + 1, :, top : top + rows] = F.conv2d(part, weights[n], torgb.bias)
        if torgb.conv_clamp is not None:
            out.clamp_(-torgb.conv_clamp, torgb.conv_clamp)
        if self.image is not None:
            larger = F.conv_transpose2d(store.get(self.image), self.kernel, stride=2, groups=out.shape[1])
            out += larger[:, :, self.inside, self.inside]


def _convolution(layer: SynthesisLayer, weight: Tensor, dtype: torch.dtype) -> Direct | Up | Winograd:
    if layer.up > 1:
        return Up(weight, layer.resample_filter, dtype)
    smallest, low, high = WINOGRAD[dtype]
    large = weight.shape[0] * weight.shape[1] >= smallest and low <= layer.resolution <= high
    if AVAILABLE and large and weight.device.type == "cpu" and weight.shape[-1] == 3:
        return Winograd(weight)
    return Direct(weight, dtype)
