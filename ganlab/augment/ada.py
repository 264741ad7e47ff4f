"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with Limited Data", appendix B).

Eighteen transforms in five groups, each applied with probability p, so that a strong augmentation does not leak into
what G makes: as long as p < 1, each transform leaves some images alone. Differentiable; every draw comes from the
generator that is passed in.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.config import Config, knob

SYM2 = (-0.12940952255126034, 0.2241438680420134, 0.8365163037378079, 0.48296291314453416)
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
BANDS = 4  # octaves of the image-space filter
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # expected power of natural images in them (sec. B.2)


@dataclass(frozen=True)
class AdaConfig(Config):
    """Which transforms there are, as factors of p; 0 leaves one out. The paper's choice is all of blit, geom, color."""

    xflip: float = knob(1.0, "Mirror left and right", lo=0, hi=1)
    rotate90: float = knob(1.0, "Turn by a multiple of 90 degrees", lo=0, hi=1)
    xint: float = knob(1.0, "Move by whole pixels, up to an eighth", lo=0, hi=1)
    scale: float = knob(1.0, "Scale, 2^N(0, 0.2)", lo=0, hi=1)
    rotate: float = knob(1.0, "Turn by any angle (before and after stretching)", lo=0, hi=1)
    aniso: float = knob(1.0, "Stretch, 2^N(0, 0.2)", lo=0, hi=1)
    xfrac: float = knob(1.0, "Move by N(0, 1/8) of the side", lo=0, hi=1)
    brightness: float = knob(1.0, "N(0, 0.2)", lo=0, hi=1)
    contrast: float = knob(1.0, "2^N(0, 0.5)", lo=0, hi=1)
    lumaflip: float = knob(1.0, "Light becomes dark, hue stays", lo=0, hi=1)
    hue: float = knob(1.0, "Turn of the hue by any angle", lo=0, hi=1)
    saturation: float = knob(1.0, "2^N(0, 1)", lo=0, hi=1)
    imgfilter: float = knob(0.0, "Amplify each of four bands of frequency, 2^N(0, 1)", lo=0, hi=1)
    noise: float = knob(0.0, "Add noise of deviation |N(0, 0.1)|", lo=0, hi=1)
    cutout: float = knob(0.0, "Cut out a square of half the side", lo=0, hi=1)


class AdaPipe:
    """The transforms for one configuration. Images in [-1, 1], square, grey or colour."""

    def __init__(self, config: AdaConfig) -> None:
        self.config = config
        self.lowpass = torch.tensor(SYM6) / sum(SYM6)
        self.bank = _filter_bank()  # [BANDS, taps]

    def __call__(self, images: Float[Tensor, "n c h w"], p: float, generator: torch.Generator) -> Tensor:
        """[n, c, h, w], each transform applied to each image with probability p times its factor."""
        draws = Draws(len(images), p, generator, images.device)
        images = self._geometry(images, draws)
        images = self._colour(images, draws)
        images = self._filtered(images, draws)
        return self._corrupted(images, draws)

    def _geometry(self, x: Tensor, draws: "Draws") -> Tensor:
        """Pixel blitting and general transforms as one inverse map, resampled with a low-pass filter (sec. B.1)."""
        c, size = self.config, x.shape[-1]
        inverse = torch.eye(3, device=x.device).repeat(draws.n, 1, 1)
        if c.xflip:
            flip = draws.where(c.xflip, 1 - 2 * draws.whole(0, 1), 1.0)
            inverse = inverse @ _scaling(flip, torch.ones_like(flip))
        if c.rotate90:
            inverse = inverse @ _rotation(draws.where(c.rotate90, draws.whole(0, 3) * (math.pi / 2), 0.0))
        if c.xint:
            moves = [draws.where(c.xint, draws.uniform(-1 / 8, 1 / 8), 0.0, k == 0) for k in range(2)]
            inverse = inverse @ _translation(*((move * size).round() for move in moves))
        if c.scale:
            s = draws.where(c.scale, 2 ** (0.2 * draws.normal()), 1.0)
            inverse = inverse @ _scaling(1 / s, 1 / s)
        part = 1 - math.sqrt(max(1 - c.rotate * draws.p, 0))  # P(before or after) = p
        if c.rotate:
            inverse = inverse @ _rotation(draws.where_at(part, draws.uniform(-math.pi, math.pi), 0.0))
        if c.aniso:
            s = draws.where(c.aniso, 2 ** (0.2 * draws.normal()), 1.0)
            inverse = inverse @ _scaling(1 / s, s)
        if c.rotate:
            inverse = inverse @ _rotation(draws.where_at(part, draws.uniform(-math.pi, math.pi), 0.0))
        if c.xfrac:
            moves = [draws.where(c.xfrac, draws.normal() / 8, 0.0, k == 0) for k in range(2)]
            inverse = inverse @ _translation(*(move * size for move in moves))
        return self._resampled(x, inverse)

    def _resampled(self, x: Tensor, inverse: Tensor) -> Tensor:
        """x at the places that `inverse` [n, 3, 3] sends pixels to (centre at 0), reflected at the edges."""
        moved = (inverse - torch.eye(3, device=x.device)).abs().amax((1, 2)) > 1e-6
        if not moved.any():
            return x
        some, size = x[moved], x.shape[-1]
        taps = self.lowpass.to(x)
        fine = _upsampled(_reflected(some, size // 2), taps)  # twice the resolution, room of half an image around
        delay = _delay(taps) / 2  # of the filter, in pixels: what goes up late comes down late, unless it is turned
        shift = torch.eye(3, device=x.device)
        shift[:2, 2] = delay
        theta = (shift @ inverse[moved] @ (2 * torch.eye(3, device=x.device) - shift))[:, :2].clone()
        span = fine.shape[-1] / (2 * size)  # of the padded image, in images
        theta[:, :, 2] *= 2 / size / span
        theta[:, :, :2] /= span
        coarse_side = 2 * size
        grid = F.affine_grid(theta, [len(some), x.shape[1], coarse_side, coarse_side], align_corners=False)
        sampled = F.grid_sample(fine, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        out = x.clone()
        out[moved] = _downsampled(sampled, taps)
        return out

    def _colour(self, x: Tensor, draws: "Draws") -> Tensor:
        c = self.config
        matrix = torch.eye(4, device=x.device).repeat(draws.n, 1, 1)
        axis = torch.tensor([1.0, 1.0, 1.0, 0.0], device=x.device) / math.sqrt(3)  # of luma
        luma, eye = axis.outer(axis), torch.eye(4, device=x.device)
        if c.brightness:
            b = draws.where(c.brightness, 0.2 * draws.normal(), 0.0)
            matrix = _offset(b) @ matrix
        if c.contrast:
            s = draws.where(c.contrast, 2 ** (0.5 * draws.normal()), 1.0)
            matrix = torch.diag_embed(torch.stack([s, s, s, torch.ones_like(s)], 1)) @ matrix
        if c.lumaflip:
            i = draws.where(c.lumaflip, draws.whole(0, 1), 0.0)
            matrix = (eye - 2 * luma * i[:, None, None]) @ matrix  # a reflection along the luma axis
        if c.hue and x.shape[1] > 1:
            matrix = _about(axis, draws.where(c.hue, draws.uniform(-math.pi, math.pi), 0.0)) @ matrix
        if c.saturation and x.shape[1] > 1:
            s = draws.where(c.saturation, 2 ** draws.normal(), 1.0)
            matrix = (luma + (eye - luma) * s[:, None, None]) @ matrix
        if x.shape[1] == 1:  # grey: what the matrix does to a grey pixel, on average
            gain, shift = matrix[:, :3, :3].sum(2).mean(1), matrix[:, :3, 3].mean(1)
            return x * gain[:, None, None, None] + shift[:, None, None, None]
        flat = matrix[:, :3, :3].to(x) @ x.flatten(2) + matrix[:, :3, 3:].to(x)
        return flat.view_as(x)

    def _filtered(self, x: Tensor, draws: "Draws") -> Tensor:
        """Each band amplified, the expected power kept (sec. B.2)."""
        if not self.config.imgfilter:
            return x
        power = torch.tensor(POWER, device=x.device)
        gains = torch.ones(draws.n, BANDS, device=x.device)
        for band in range(BANDS):
            gain = draws.where(self.config.imgfilter, 2 ** draws.normal(), 1.0)
            one = torch.ones_like(gains)
            one[:, band] = gain
            gains = gains * one / (power * one.square()).sum(1, keepdim=True).sqrt()
        taps = gains @ self.bank.to(x)  # [n, taps]
        n, channels, h, w = x.shape
        kernel = taps.repeat_interleave(channels, 0)
        reach = kernel.shape[1] // 2
        out = F.pad(x, (reach,) * 4, mode="reflect" if reach < min(h, w) else "replicate").reshape(
            1, n * channels, *(s + 2 * reach for s in (h, w))
        )
        out = F.conv2d(out, kernel[:, None, None, :], groups=n * channels)
        out = F.conv2d(out, kernel[:, None, :, None], groups=n * channels)
        return out.view(n, channels, h, w)

    def _corrupted(self, x: Tensor, draws: "Draws") -> Tensor:
        if self.config.noise:
            sigma = draws.where(self.config.noise, 0.1 * draws.normal().abs(), 0.0)
            x = x + draws.like(x) * sigma[:, None, None, None]
        if self.config.cutout:
            size = draws.where(self.config.cutout, torch.full((draws.n,), 0.5, device=x.device), 0.0)
            at = [(torch.arange(side, device=x.device) + 0.5) / side for side in x.shape[2:]]
            centre = [draws.uniform(0, 1)[:, None] for _ in at]
            inside = [(a - c).abs() < size[:, None] / 2 for a, c in zip(at, centre)]
            x = x * ~(inside[0][:, :, None] & inside[1][:, None, :])[:, None]
        return x


class Draws:
    """Random numbers of n images, and the decision which of them are touched."""

    def __init__(self, n: int, p: float, generator: torch.Generator, device: torch.device) -> None:
        self.n, self.p, self.generator, self.device = n, p, generator, device
        self._chosen = torch.zeros(n, dtype=torch.bool, device=device)

    def uniform(self, low: float, high: float) -> Tensor:
        """[n]."""
        draw = torch.rand(self.n, generator=self.generator, device=self.generator.device)
        return (low + (high - low) * draw).to(self.device)

    def normal(self) -> Tensor:
        """[n], standard normal."""
        return torch.randn(self.n, generator=self.generator, device=self.generator.device).to(self.device)

    def whole(self, low: int, high: int) -> Tensor:
        """[n], from low to high, both included, as floats."""
        draw = torch.randint(low, high + 1, (self.n,), generator=self.generator, device=self.generator.device)
        return draw.float().to(self.device)

    def like(self, x: Tensor) -> Tensor:
        """Standard normal of the shape of x."""
        return torch.randn(x.shape, generator=self.generator, device=self.generator.device).to(x)

    def where_at(self, probability: float, values: Tensor, otherwise: float) -> Tensor:
        """`values` for those images that a coin of this probability chooses."""
        self._chosen = self.uniform(0, 1) < probability
        return torch.where(self._chosen, values, torch.full_like(values, otherwise))

    def where(self, factor: float, values: Tensor, otherwise: float, toss: bool = True) -> Tensor:
        """The same with probability p x factor; without a toss, for the images chosen last."""
        if toss:
            return self.where_at(factor * self.p, values, otherwise)
        return torch.where(self._chosen, values, torch.full_like(values, otherwise))


class AdaController:
    """Moves p so that D's sign on real images, r_t = E[sign D(x)], stays at the target (sec. 3.3)."""

    def __init__(self, target: float = 0.6, kimg: float = 500.0, p: float = 0.0) -> None:
        """`kimg`: thousands of real images that p takes from 0 to 1."""
        self.target, self.kimg, self.p = target, kimg, p

    def update(self, r_t: float, images: int) -> float:
        """The new p after `images` real images whose signs had the mean r_t; usually called every 4 batches."""
        step = math.copysign(images / (1000 * self.kimg), r_t - self.target) if r_t != self.target else 0.0
        self.p = max(0.0, self.p + step)
        return self.p


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    o, i = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[x, o, o], [o, y, o], [o, o, i]])


def _rotation(angle: Tensor) -> Tensor:
    o, i, s, c = torch.zeros_like(angle), torch.ones_like(angle), angle.sin(), angle.cos()
    return _matrix([[c, s, o], [-s, c, o], [o, o, i]])


def _translation(x: Tensor, y: Tensor) -> Tensor:
    o, i = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[i, o, -x], [o, i, -y], [o, o, i]])


def _offset(b: Tensor) -> Tensor:
    o, i = torch.zeros_like(b), torch.ones_like(b)
    return _matrix([[i, o, o, b], [o, i, o, b], [o, o, i, b], [o, o, o, i]])


def _about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotation of the colour space about an axis (Rodrigues), [n, 4, 4]."""
    x, y, z, _ = axis
    cross = torch.zeros(4, 4, device=axis.device)
    cross[0, 1], cross[0, 2], cross[1, 0], cross[1, 2], cross[2, 0], cross[2, 1] = -z, y, z, -x, -y, x
    three = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], device=axis.device))
    last = torch.diag(torch.tensor([0.0, 0.0, 0.0, 1.0], device=axis.device))
    s, c = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return last + three * c + cross * s + axis.outer(axis) * (1 - c)


def _delay(taps: Tensor) -> float:
    """How far the filter's centre of mass lies from its middle, in taps."""
    return float((taps * torch.arange(len(taps), device=taps.device)).sum() / taps.sum()) - (len(taps) - 1) / 2


def _reflected(x: Tensor, pad: int) -> Tensor:
    return F.pad(x, (pad,) * 4, mode="reflect")


def _upsampled(x: Tensor, taps: Tensor) -> Tensor:
    """Twice the resolution, pixel centres kept at the same places."""
    c, h, w = x.shape[1:]
    k = len(taps)
    rows = (2 * taps)[None, None, None].expand(c, 1, 1, -1)
    x = F.conv_transpose2d(x, rows, stride=(1, 2), groups=c)
    x = F.conv_transpose2d(x, rows.transpose(2, 3), stride=(2, 1), groups=c)
    first = (k - 2) // 2
    return x[:, :, first : first + 2 * h, first : first + 2 * w]


def _downsampled(x: Tensor, taps: Tensor) -> Tensor:
    """Half the resolution; the transpose of `_upsampled` but for its gain."""
    c, k = x.shape[1], len(taps)
    rows = taps[None, None, None].expand(c, 1, 1, -1)
    first = (k - 2) // 2
    x = F.pad(x, (first, k - 2 - first) * 2, mode="reflect")
    x = F.conv2d(x, rows, stride=(1, 2), groups=c)
    return F.conv2d(x, rows.transpose(2, 3), stride=(2, 1), groups=c)


def _filter_bank() -> Tensor:
    """Zero-phase band filters [BANDS, taps] that sum to the identity, from the sym2 wavelet (sec. B.2)."""
    low = torch.tensor(SYM2, dtype=torch.float64)
    high = low * (-1) ** torch.arange(len(low))
    low2 = _convolved(low, low.flip(0)) / 2  # [-3, 3]
    high2 = _convolved(high, high.flip(0)) / 2
    bank = torch.eye(BANDS, 1, dtype=torch.float64)  # the lowest band is what is left in the end
    for band in range(1, BANDS):
        bank = _between(bank)  # insert zeros: one octave further down
        bank = torch.stack([_convolved(row, low2) for row in bank])
        middle = bank.shape[1] // 2
        bank[band, middle - 3 : middle + 4] += high2
    return bank.float()


def _between(bank: Tensor) -> Tensor:
    """A zero between each two taps."""
    return torch.stack([bank, torch.zeros_like(bank)], 2).flatten(1)[:, :-1]


def _convolved(a: Tensor, b: Tensor) -> Tensor:
    return F.conv1d(a[None, None], b.flip(0)[None, None], padding=len(b) - 1)[0, 0]
