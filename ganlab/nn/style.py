"""Layers that the style-based generators and their discriminators share: equalized learning rate, modulation."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.resample import conv_down2d, conv_up2d, exact, make_filter
from ganlab.nn.scratch import scratch
from ganlab.nn.spread import slices, spread

BLUR = (1, 3, 3, 1)
PIECE = 32  # rows that one core multiplies at a time
WIDE = 64  # pixels of a row, from where one product for each is as quick as one for all


def normalize_2nd_moment(x: Float[Tensor, "n d *grid"]) -> Float[Tensor, "n d *grid"]:
    """Each row scaled to a mean square of 1 (Karras et al. 2018, sec. 4.2)."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def activate(x: Tensor, activation: str, gain: float = 1.0, clamp: float | None = None, scaled: float = 1.0) -> Tensor:
    """The activation times its own gain and `gain`, then clamped to +-clamp * gain; x was `scaled` beforehand."""
    function, own = ACTIVATIONS[activation]
    x = function(x)
    if own * gain != scaled:
        x = x * (own * gain / scaled)
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def gain_before(activation: str, gain: float = 1.0) -> float:
    """The part of an activation's gain that x can be scaled by before: all of it where f(a x) = a f(x), which saves
    scaling features."""
    return ACTIVATIONS[activation][1] * gain if activation in HOMOGENEOUS else 1.0


def shifted(styles: Float[Tensor, "n c"], offset: Tensor | None) -> Float[Tensor, "n c"]:
    """Styles moved in StyleSpace (Wu et al. 2021, sec. 3): None changes nothing."""
    return styles if offset is None else styles + offset


class FullyConnectedLayer(nn.Module):
    """A linear layer whose weights are stored as N(0, 1) / lr_multiplier and scaled as they are used."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init))) if bias else None
        self.weight_gain = lr_multiplier / math.sqrt(in_features) if in_features else 0.0
        self.bias_gain = lr_multiplier

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        bias = None if self.bias is None else self.bias * self.bias_gain
        with exact(x):  # small, and styles need the digits
            return activate(F.linear(x.float(), self.weight * self.weight_gain, bias), self.activation)


def split_offsets(offsets: Tensor | None, affines: Sequence[nn.Module]) -> Sequence[Tensor | None]:
    """The part of each layer in offsets [N, all styles] of all layers, one after the other; None: none anywhere."""
    if offsets is None:
        return [None] * len(affines)
    return offsets.split([len(affine.weight) for affine in affines], 1)  # type: ignore[arg-type]


class Conv2dLayer(nn.Module):
    """A convolution with equalized learning rate; `up` or `down` 2 resample with the filter."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Sequence[float] = BLUR,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.up, self.down, self.activation, self.conv_clamp = up, down, activation, conv_clamp
        self.register_buffer("resample_filter", make_filter(resample_filter))
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)

    def forward(self, x: Float[Tensor, "n i h w"], gain: float = 1.0) -> Float[Tensor, "n o h2 w2"]:
        scaled = gain_before(self.activation, gain)
        weight = self.weight * (self.weight_gain * scaled)
        bias = None if self.bias is None else self.bias * scaled
        if self.up > 1:
            x = conv_up2d(x, weight, self.resample_filter)
            x = x if bias is None else x + bias.to(x.dtype).view(-1, 1, 1)
        elif self.down > 1:
            x = conv_down2d(x, weight, self.resample_filter, bias)
        else:
            x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        return activate(x, self.activation, gain, self.conv_clamp, scaled)


class MinibatchStdLayer(nn.Module):
    """Appends the standard deviation over groups of the minibatch as channels (Karras et al. 2018, sec. 3)."""

    def __init__(self, group_size: int | None, num_channels: int = 1) -> None:
        super().__init__()
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
        x = x.float()
        n, c, h, w = x.shape
        most = n if self.group_size is None else min(self.group_size, n)
        group = next(size for size in range(most, 0, -1) if n % size == 0)
        y = x.reshape(group, -1, self.num_channels, c // self.num_channels, h, w)
        y = (y - y.mean(0)).square().mean(0)  # [n / group, F, c / F, h, w]
        y = (y + 1e-8).sqrt().mean((2, 3, 4))  # [n / group, F]
        return torch.cat([x, y.repeat(group, 1)[:, :, None, None].expand(-1, -1, h, w)], 1)


def demodulation(weight: Float[Tensor, "o i k k"], styles: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
    """1 / norm of each output channel's modulated weights (Karras et al. 2020, eq. 3)."""
    with exact(styles):
        return (styles.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt()


def pointwise(
    x: Float[Tensor, "n i h w"], taps: Float[Tensor, "m i o"], passing: bool = False
) -> Float[Tensor, "n o h w"]:
    """A 1x1 convolution with a matrix for each picture, or one for all.

    `passing`: it is made in pieces, and the next one may overwrite it, as `nn.scratch` has it.
    """
    rows, taps = x.permute(0, 2, 3, 1), taps.to(x.dtype)
    narrow = x.shape[3] < WIDE
    if x.requires_grad or taps.requires_grad or (narrow and not passing):
        return (rows.flatten(1, 2) @ taps).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
    shape, taps = (*rows.shape[:3], taps.shape[2]), taps.expand(len(x), -1, -1)
    out = scratch("convolved", shape, x) if passing else x.new_empty(shape)

    def multiply(piece: tuple[int, slice]) -> None:
        k, part = piece
        taken, made = rows[k, part], out[k, part]
        if narrow:
            torch.mm(taken.flatten(0, 1), taps[k], out=made.view(-1, shape[3]))
        else:  # as they lie: a border costs no copy
            torch.bmm(taken, taps[k].expand(len(taken), -1, -1), out=made)

    if passing:
        parts = slices(shape[1], PIECE if x.device.type == "cpu" else shape[1], x.device)
        spread(multiply, [(k, part) for k in range(len(x)) for part in parts], x.device)
    else:
        for k in range(len(x)):
            multiply((k, slice(0, shape[1])))
    return out.permute(0, 3, 1, 2)


def modulated_conv2d(
    x: Float[Tensor, "n i h w"],
    weight: Float[Tensor, "o i k k"],
    styles: Float[Tensor, "n i"],
    demodulate: bool = True,
    up: int = 1,
    resample_filter: Tensor | None = None,
    gain: float = 1.0,
    added: Tensor | None = None,
) -> Float[Tensor, "n o h2 w2"]:
    """Convolution whose weights are scaled by `styles` per input channel (Karras et al. 2020, sec. 2.2).

    Scaling the weights of each sample is the same as scaling its input channels, and demodulating them the same as
    scaling its output channels: so one convolution serves the whole batch. Of 1x1 kernels without demodulation each
    sample has its own. The result is scaled by `gain`; then, [n or 1, o or 1, h2 or 1, w2 or 1] is `added`.
    """
    if weight.shape[-1] == 1 and not demodulate:
        taps = weight[:, :, 0, 0].T * (styles * gain)[:, :, None]  # [n, i, o]
        x = pointwise(x, taps)
        return x if added is None else x + added  # colours are added up in float32
    x = x * styles.to(x.dtype)[:, :, None, None]
    if up > 1:
        assert resample_filter is not None
        x = conv_up2d(x, weight, resample_filter)
    else:
        x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    scale = demodulation(weight, styles) * gain if demodulate else styles.new_full((1, 1), gain)
    scale = scale.to(x.dtype)[:, :, None, None]
    return x * scale if added is None else torch.addcmul(added.to(x.dtype), x, scale)


class ToRGBLayer(nn.Module):
    """Style and a 1x1 modulated convolution without demodulation: features to colours."""

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, kernel_size: int = 1, conv_clamp: float | None = None
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)

    def forward(
        self, x: Float[Tensor, "n i h w"], w: Float[Tensor, "n w_dim"], offset: Tensor | None = None
    ) -> Float[Tensor, "n o h w"]:
        styles = shifted(self.affine(w), offset) * self.weight_gain
        x = modulated_conv2d(x, self.weight, styles, demodulate=False, added=self.bias.view(-1, 1, 1))
        return activate(x, "linear", 1.0, self.conv_clamp)


def _linear(x: Tensor) -> Tensor:
    return x


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


# name -> (function, gain that keeps the variance)
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "linear": (_linear, 1.0),
    "relu": (F.relu, math.sqrt(2)),
    "lrelu": (_lrelu, math.sqrt(2)),
    "tanh": (torch.tanh, 1.0),
    "sigmoid": (torch.sigmoid, 1.0),
    "elu": (F.elu, 1.0),
    "selu": (F.selu, 1.0),
    "softplus": (F.softplus, 1.0),
    "swish": (F.silu, math.sqrt(2)),
}
HOMOGENEOUS = ("linear", "relu", "lrelu")  # f(a x) = a f(x) for a > 0
