"""StyleGAN3-T and -R (Karras et al. 2021, "Alias-Free Generative Adversarial Networks"), with the options and the
parameter names of the official releases, so that official weights load strictly. R is T with 1x1 convolutions, radial
filters and twice the channels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.alias_free import FilteredLrelu, lowpass
from ganlab.nn.mapping import MappingNetwork, StyleGenerator
from ganlab.nn.style import FullyConnectedLayer, pointwise, shifted, split_offsets

Convolve = Callable[[Tensor, Tensor], Tensor]  # [n, i, h, w] scaled by [n, i], to [n, o, h + k - 1, w + k - 1]
SLOPE = 0.2
MAGNITUDE_BETA = 0.999  # of the moving mean of squared features, by whose root inputs are divided


class Prepared(NamedTuple):
    """What can be made of a layer's weights beforehand."""

    squares: Float[Tensor, "o i"]  # of `normalized` weights, summed over the kernel: demodulation goes by them
    convolve: Convolve | None  # with these weights, over all that a kernel touches; None: plainly


class Band(NamedTuple):
    """What a layer's output may hold (appendix C.1, fig. 4): a row of the schedule."""

    size: int  # of its features, margins included
    rate: int  # samples across the picture
    cutoff: float  # cycles across the picture that pass
    half_width: float  # of the transition to those that do not
    channels: int


class SynthesisInput(nn.Module):
    """Fourier features: waves, each with a frequency, a phase and a weight, turned and moved by w and by the user."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, w_dim: int, channels: int, size: int, rate: float, bandwidth: float) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        freqs = torch.randn(channels, 2)
        radii = freqs.square().sum(1, keepdim=True).sqrt()
        freqs = freqs / (radii * radii.square().exp().pow(0.25)) * bandwidth  # uniform within the band, about
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = FullyConnectedLayer(w_dim, 4)
        with torch.no_grad():
            self.affine.weight.zero_()
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))  # type: ignore[union-attr]
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(
        self, w: Float[Tensor, "n w_dim"], transform: Float[Tensor, "m 3 3"] | None = None
    ) -> Float[Tensor, "n c h w"]:
        """`transform` takes a place in the picture (from -0.5 to 0.5, x and y) to one in the pattern of waves; None:
        the one that the model carries.
        """
        t = self.affine(w)  # cosine and sine of a turn, and a shift
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        one, zero = torch.ones_like(t[:, 0]), torch.zeros_like(t[:, 0])
        turn = torch.stack([t[:, 0], -t[:, 1], zero, t[:, 1], t[:, 0], zero, zero, zero, one], 1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -t[:, 2], zero, one, -t[:, 3], zero, zero, one], 1).view(-1, 3, 3)
        given = self.transform[None] if transform is None else transform
        whole = turn @ shift @ given.to(t)  # [n, 3, 3]
        phases = self.phases + (self.freqs @ whole[:, :2, 2:])[..., 0]  # [n, c]
        freqs = self.freqs @ whole[:, :2, :2]  # [n, c, 2]
        nyquist = self.rate / 2
        loud = (1 - (freqs.norm(dim=2) - self.bandwidth) / (nyquist - self.bandwidth)).clamp(0, 1)
        half = 0.5 * self.size / self.rate
        places = (torch.arange(self.size, device=w.device) + 0.5) * (2 * half / self.size) - half
        x, y = (
            freqs[:, None, None, :, 0] * places[None, None, :, None],
            freqs[:, None, None, :, 1] * places[:, None, None],
        )
        waves = torch.sin((x + y + phases[:, None, None]) * (2 * math.pi)) * loud[:, None, None]  # [n, h, w, c]
        return (waves @ (self.weight / math.sqrt(len(self.weight))).T).permute(0, 3, 1, 2)


class SynthesisLayer(nn.Module):
    """Style, modulated convolution, filtered leaky ReLU; the last one, to colours, bends and resamples nothing."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(
        self,
        w_dim: int,
        before: Band,
        after: Band,
        is_torgb: bool,
        is_critically_sampled: bool,
        conv_kernel: int = 3,
        filter_size: int = 6,
        lrelu_upsampling: int = 2,
        use_radial_filters: bool = False,
        conv_clamp: float | None = 256,
        magnitude_ema_beta: float = MAGNITUDE_BETA,
    ) -> None:
        """`magnitude_ema_beta`: how much of the mean of squared inputs is kept in a step of training."""
        super().__init__()
        self.is_torgb, self.conv_clamp, self.beta = is_torgb, conv_clamp, magnitude_ema_beta
        self.channels, self.size, self.in_size, self.cutoff = after.channels, after.size, before.size, after.cutoff
        self.kernel = 1 if is_torgb else conv_kernel
        bent = max(before.rate, after.rate) * (1 if is_torgb else lrelu_upsampling)  # the rate of the nonlinearity
        self.up, self.down = round(bent / before.rate), round(bent / after.rate)
        up_taps = 1 if is_torgb or self.up == 1 else filter_size * self.up
        down_taps = 1 if is_torgb or self.down == 1 else filter_size * self.down
        self.affine = FullyConnectedLayer(w_dim, before.channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(after.channels, before.channels, self.kernel, self.kernel))
        self.bias = nn.Parameter(torch.zeros(after.channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        radial = use_radial_filters and not is_critically_sampled
        self.register_buffer("up_filter", lowpass(up_taps, before.cutoff, 2 * before.half_width, bent))
        self.register_buffer("down_filter", lowpass(down_taps, after.cutoff, 2 * after.half_width, bent, radial))
        total = (self.size - 1) * self.down + 1 - (self.in_size + self.kernel - 1) * self.up + up_taps + down_taps - 2
        self.zeros_before = (total + self.up) // 2
        self._filtered: FilteredLrelu | None = None

    def forward(
        self,
        x: Float[Tensor, "n i h w"],
        w: Float[Tensor, "n w_dim"],
        offset: Tensor | None = None,
        prepared: Prepared | None = None,
        into: Tensor | None = None,
    ) -> Float[Tensor, "n o h2 w2"]:
        """`offset` [N, i] is added to the styles. Without a gradient, what has filters makes its result in `into`."""
        if self.training:
            with torch.no_grad():
                self.magnitude_ema.copy_(x.detach().float().square().mean().lerp(self.magnitude_ema, self.beta))
        x, scale = self._convolved(x, shifted(self.affine(w), offset), prepared)
        if self.up_filter is None and self.down_filter is None:
            slope, gain = (1.0, 1.0) if self.is_torgb else (SLOPE, math.sqrt(2))
            x = x if scale is None else x * scale[:, :, None, None].to(x.dtype)
            x = F.leaky_relu(x + self.bias.view(-1, 1, 1), slope) * gain
            return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)
        return self.filtered()(x, self.bias, SLOPE, math.sqrt(2), self.conv_clamp, scale, into)

    def filtered(self) -> FilteredLrelu:
        """Its nonlinearity, whose matrices are made of its filters once."""
        if self._filtered is None:
            side, pads = self.in_size + self.kernel - 1, self.zeros_before
            with torch.inference_mode(False):  # whoever comes next may want gradients
                self._filtered = FilteredLrelu(
                    side, self.size, self.up_filter, self.down_filter, self.up, self.down, pads
                )
        return self._filtered

    def _convolved(
        self, x: Tensor, styles: Float[Tensor, "n i"], prepared: Prepared | None
    ) -> tuple[Tensor, Float[Tensor, "n o"] | None]:
        """Modulated, over the whole of what the kernel touches; and what it is still to be multiplied by."""
        done = prepared is not None and prepared.convolve is not None
        weight = self.weight if done else self.normalized()
        scale = self.magnitude_ema.rsqrt().expand(len(styles), 1)
        if self.is_torgb:
            styles = styles / math.sqrt(self.weight[0].numel())
        else:
            styles = styles * styles.square().mean(1, keepdim=True).rsqrt()
            squares = weight.square().sum((2, 3)) if prepared is None else prepared.squares  # [o, i]
            scale = scale * (styles.square() @ squares.T + 1e-8).rsqrt()
        if self.kernel == 1:  # a matrix for each picture
            taps = weight[:, :, 0, 0].T * styles[:, :, None] * scale[:, None]  # [n, i, o]
            return pointwise(x, taps, passing=not self.is_torgb), None
        if prepared is not None and prepared.convolve is not None:
            return prepared.convolve(x, styles), scale
        x = x * styles[:, :, None, None].to(x.dtype)
        return F.conv2d(x, weight.to(x.dtype), padding=self.kernel - 1), scale

    def normalized(self) -> Float[Tensor, "o i k k"]:
        """Its weights as they are convolved with: each output's to a mean square of 1, but for colours."""
        weight: Tensor = self.weight
        return weight if self.is_torgb else weight * weight.square().mean([1, 2, 3], keepdim=True).rsqrt()


class SynthesisNetwork(nn.Module):
    """g: ws to an image."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_layers: int = 14,
        num_critical: int = 2,
        first_cutoff: float = 2,
        first_stopband: float = 2**2.1,
        last_stopband_rel: float = 2**0.3,
        margin_size: int = 10,
        output_scale: float = 0.25,
        num_fp16_res: int = 4,
        **layer_kwargs: Any,
    ) -> None:
        """`num_fp16_res` is what a model declares for a GPU; it changes nothing here."""
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.num_ws, self.output_scale = num_layers + 2, output_scale
        plan = schedule(
            img_resolution,
            img_channels,
            channel_base,
            channel_max,
            num_layers,
            num_critical,
            (first_cutoff, first_stopband, last_stopband_rel),
            margin_size,
        )
        self._build(plan, [f"L{i}_{row.size}_{row.channels}" for i, row in enumerate(plan)], num_critical, layer_kwargs)

    def _build(self, plan: list[Band], names: list[str], num_critical: int, layer_kwargs: Mapping[str, Any]) -> None:
        """The input and a layer for each row of a plan."""
        first, last = plan[0], len(plan) - 1
        self.input = SynthesisInput(self.w_dim, first.channels, first.size, first.rate, first.cutoff)
        self.layer_names = names
        for i, (name, after) in enumerate(zip(names, plan)):
            before, critical = plan[max(i - 1, 0)], i >= last - num_critical
            setattr(self, name, SynthesisLayer(self.w_dim, before, after, i == last, critical, **layer_kwargs))

    def layers(self) -> list[SynthesisLayer]:
        """All layers in order, the one to colours last."""
        return [getattr(self, name) for name in self.layer_names]

    def affines(self) -> list[FullyConnectedLayer]:
        """What makes the styles of all layers, in order; the input's is no style."""
        return [layer.affine for layer in self.layers()]

    def noise_inputs(self, *wishes: object) -> list[Tensor | None]:
        """None: the family has no noise."""
        return []

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: object = None,
        generator: torch.Generator | None = None,
        offsets: Float[Tensor, "m styles"] | None = None,
        transform: Float[Tensor, "m 3 3"] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image, about in [-1, 1]. There is no noise: the three arguments about it change nothing.

        `offsets` as for StyleGAN2, `transform` as for `SynthesisInput`: the picture moves and turns with it.
        """
        if ws.shape[1] != self.num_ws:
            raise ValueError(f"ws has {ws.shape[1]} rows; this model needs {self.num_ws}")
        ws = ws.float()
        x = self.input(ws[:, 0], transform)
        for i, (layer, offset) in enumerate(zip(self.layers(), split_offsets(offsets, self.affines()))):
            x = layer(x, ws[:, i + 1], offset)
        return x.float() * self.output_scale


def placed(right: float, down: float, turn: float) -> Tensor:
    """The `transform` [3, 3] that moves the picture by parts of its width, after a turn clockwise in radians."""
    c, s = math.cos(turn), math.sin(turn)
    return torch.tensor([[c, -s, right], [s, c, down], [0.0, 0.0, 1.0]]).inverse()


def schedule(
    resolution: int,
    img_channels: int,
    channel_base: int,
    channel_max: int,
    num_layers: int,
    num_critical: int,
    band: Sequence[float],
    margin: int,
) -> list[Band]:
    """What each layer's output may hold (appendix C.1): cutoffs and stopbands grow geometrically to the last layers.

    `band`: the first cutoff and stopband, and the last stopband relative to the last cutoff.
    """
    parts = [min(i / (num_layers - num_critical), 1) for i in range(num_layers + 1)]
    return bands(resolution, img_channels, channel_base, channel_max, parts, band, margin)


def bands(
    resolution: int,
    img_channels: int,
    channel_base: int,
    channel_max: int,
    parts: Sequence[float],
    band: Sequence[float],
    margin: int,
) -> list[Band]:
    """The rows of a schedule that are so far, as parts of 1, on the way to the last layers; the last one is colours."""
    first_cutoff, first_stopband, last_relative = band
    rows, last = [], len(parts) - 1
    for i, part in enumerate(parts):
        cutoff = first_cutoff * (resolution / 2 / first_cutoff) ** part
        stopband = first_stopband * (resolution / 2 * last_relative / first_stopband) ** part
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, resolution)))
        size = resolution if i >= last - 1 else rate + 2 * margin
        channels = img_channels if i == last else round(min(channel_base / 2 / cutoff, channel_max))
        rows.append(Band(size, rate, cutoff, max(stopband, rate / 2) - cutoff, channels))
    return rows


def takes_places(G: nn.Module) -> bool:
    """Whether a generator's input can be moved and turned by a matrix (`placed`): StyleGAN3, and StyleGAN-XL on it."""
    return isinstance(getattr(G, "synthesis", None), SynthesisNetwork)


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
        **synthesis_kwargs: Any,
    ) -> None:
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **synthesis_kwargs)
        options = {"num_layers": 2, **(mapping_kwargs or {})}
        super().__init__(z_dim, c_dim, synthesis, MappingNetwork(z_dim, c_dim, w_dim, synthesis.num_ws, **options))
