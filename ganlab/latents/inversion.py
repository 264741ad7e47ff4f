"""Inversion: the latents with which a model comes nearest to a picture that it did not make.

An optimization of w, or of a w for each layer (W+), as in Karras et al. 2020 ("Analyzing and improving the image
quality of StyleGAN"), appendix D, with three changes: it begins at the best of some hundred random latents instead of
the mean, w is measured in standard deviations, so that one learning rate serves all models, and the best step is kept.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.images.config import ImageData
from ganlab.data.images.decoding import fitted
from ganlab.data.opening import MOST_BYTES, open_picture
from ganlab.features.pyramid import pyramid_features
from ganlab.recipe import LARGEST_MAP, Noise, Recipe, Source, pack_latent, pack_maps
from ganlab.synthesis import Cancelled, Renderer
from ganlab.synthesis.renderer import Tick
from ganlab.synthesis.steps import NoiseInput

RAMP_UP, RAMP_DOWN = 0.05, 0.25  # of the steps: the learning rate, as in the projector of StyleGAN2
JITTER, JITTERED = 0.05, 0.75  # noise on w, in standard deviations; for so much of the steps, falling
SEED = 0  # of the latents that are tried first and of the noise on w
STATISTICS = 1000  # latents that tell how wide w is
LARGEST = 256  # pixels of a side from which pictures are shrunk before they are compared
TOGETHER = 16  # pictures made in one batch, at 64 px
SMALLEST_MAP = 8  # pixels of a side down to which noise maps are held free of structure
SPACES = ("w", "w+")
Maps = Callable[[Tensor], Sequence[Tensor]]  # images [N, 3, H, W] in [-1, 1] to feature maps [N, channels, h, w]


@dataclass(frozen=True)
class Inversion(Config):
    """How latents are looked for."""

    space: str = knob("w+", "w: one for all layers, a typical picture; w+: one for each, nearer", choices=SPACES)
    noise: bool = knob(False, "Whether the noise maps move, too: those that a recipe can carry")
    steps: int = knob(300, "Steps", lo=1, hi=5000)
    starts: int = knob(500, "Random latents that are tried first", lo=0, hi=4000)
    lr: float = knob(0.1, "Learning rate of Adam at its highest, in standard deviations of w", lo=1e-5, hi=10, log=True)
    pixel: float = knob(10.0, "Weight of the difference in pixels, octave by octave", lo=0, hi=1000)
    perceptual: float = knob(1.0, "Weight of the distance of feature maps", lo=0, hi=1000)
    near: float = knob(0.02, "Weight of the squared distance from the mean w: edits work better near it", lo=0, hi=10)
    structure: float = knob(1e5, "Weight of what is not random in noise maps", lo=0, hi=1e9)


@dataclass(frozen=True)
class Error:
    """How far a picture is from the target."""

    rmse: float  # root mean square over pixels and channels, both in [-1, 1]: at most 2
    perceptual: float  # mean squared distance of feature maps, each pixel's of length 1; 0 where nothing has features


@dataclass(frozen=True)
class Moment:
    """A step of the search; `latents`, `maps`, `image` and `error` are those of the best step so far."""

    step: int  # made so far
    perceptual: float  # loss of this step, weighted
    pixel: float
    noise: float  # of structure in noise maps
    latents: Float[Tensor, "num_ws w_dim"]
    maps: tuple[Tensor | None, ...]  # noise maps [H, W], for each input that moves; empty where none does
    image: Float[Tensor, "c h w"]  # about in [-1, 1]
    error: Error


def open_photo(data: bytes, field: str, enough: int) -> Image.Image:
    """A user's PNG, JPEG or WebP file of at most 20 MB: `open_picture`, with a word for what is often mistaken."""
    if not data:
        raise InvalidInput(field, "is empty (0 bytes)")
    if len(data) > MOST_BYTES:
        raise InvalidInput(field, f"is {len(data) / 2**20:,.1f} MB large; at most {MOST_BYTES >> 20} MB are read")
    if data.startswith(b"%PDF"):
        raise InvalidInput(field, "is a PDF document; save its page as a PNG or JPEG picture first")
    return open_picture(data, field, enough)


def read_target(data: bytes, renderer: Renderer, field: str = "picture") -> Float[Tensor, "c h w"]:
    """A user's picture as this model would have made it, in [-1, 1]: its middle square, on white, in the model's size.

    `InvalidInput` says of `field` what is wrong.
    """
    side, channels = renderer.G.img_resolution, renderer.G.img_channels
    if channels not in (1, 3):
        raise InvalidInput("model", f"makes pictures of {channels} channels, not grey or in colour; choose another one")
    pixels = fitted(open_photo(data, field, 2 * side), ImageData("folder", resolution=side, grey=channels == 1))
    return torch.from_numpy(pixels).float() / 127.5 - 1


def inverted(
    renderer: Renderer,
    image: Float[Tensor, "c h w"],
    how: Inversion,
    maps: Maps | None = None,
    tick: Tick | None = None,
) -> Iterator[Moment]:
    """Looks for the latents of an image in [-1, 1], step by step; stop it by taking no more.

    Of families without styles it finds z. maps: features of a network that knows such pictures, for 3 channels alone.
    tick: hears of the latents that are tried first, and may end it there with `Cancelled`. `InvalidInput` where the
    image does not fit the model, or its noise cannot move. The same call gives the same moments.
    """
    target = _Target(renderer, image, how, maps)
    noise = _noise_maps(renderer) if how.noise else []
    around = renderer.surroundings(Recipe())
    rng = torch.Generator().manual_seed(SEED)
    way = _Way(renderer, target, how, rng, tick)
    free = [n for n in noise if n is not None]
    optimizer = torch.optim.Adam([way.moved, *free], lr=how.lr, betas=(0.9, 0.999))
    best: Moment | None = None
    least = math.inf
    for step in range(how.steps + 1):
        away = way.away(step / how.steps)
        ws = way.ws(away)
        made: Tensor = renderer.G.synthesis(ws, **_with(around, noise))
        perceptual, pixel = target.losses(made)
        structure = how.structure * sum((_structure(n) for n in free), made.new_zeros(()))
        loss = (perceptual + pixel).sum()
        now = _Losses(perceptual.item(), pixel.item(), structure.item())
        if best is None or loss.item() < least:
            least, kept = loss.item(), tuple(None if n is None else _copied(n) for n in noise)
            best = Moment(step, *now, _copied(ws[0]), kept, _copied(made[0]), target.error(made[0]))
        yield replace(best, step=step, perceptual=now.perceptual, pixel=now.pixel, noise=now.noise)
        if step < how.steps:
            optimizer.param_groups[0]["lr"] = how.lr * pace(step / how.steps)
            optimizer.zero_grad()
            (loss + structure + how.near * away.square().mean()).backward()
            optimizer.step()
            _normalise(free)


def source_of(moment: Moment) -> Source:
    """The latents of a moment as a part of a recipe."""
    one = bool((moment.latents == moment.latents[:1]).all())
    return Source(latent=pack_latent(moment.latents[: 1 if one else None].numpy(), short=True))


def recipe_of(moment: Moment, recipe: Recipe | None = None) -> Recipe:
    """A recipe whose picture is that of a moment: psi is 1, which leaves latents as they are.

    Noise maps that were found take the place of the noise that the model carries; they are rounded a little
    (`recipe.pack_maps`). Model and edits are those of `recipe`, and its noise where no maps moved.
    """
    base = Recipe() if recipe is None else recipe
    noise = replace(base.noise, maps="")
    if moment.maps:
        noise = Noise(maps=pack_maps([None if n is None else n.numpy() for n in moment.maps]))
    return replace(base, sources=(source_of(moment),), space="w", psi=1.0, cutoff=None, mixes=(), noise=noise)


@torch.no_grad()
def error_of(renderer: Renderer, image: Float[Tensor, "c h w"], recipe: Recipe, maps: Maps | None = None) -> Error:
    """How far the picture of a recipe is from an image in [-1, 1]."""
    target = _Target(renderer, image, Inversion(), maps)
    return target.error(renderer.image(recipe).to(target.device))


def average_of(renderer: Renderer) -> Recipe:
    """The recipe of the model's average picture."""
    return Recipe(renderer.name, sources=(Source(latent=pack_latent(_mean(renderer).cpu().numpy())),), psi=1.0)


class _Losses(NamedTuple):
    """Of one step, weighted."""

    perceptual: float
    pixel: float
    noise: float


class _Way:
    """Where the search begins, and how far it has come, in standard deviations of w."""

    def __init__(
        self, renderer: Renderer, target: "_Target", how: Inversion, rng: torch.Generator, tick: Tick | None
    ) -> None:
        self.count, self.rng = renderer.engine.num_ws, rng
        self.mean = _mean(renderer).to(target.device)
        drawn = renderer.latents.sample(max(how.starts, STATISTICS), rng).to(target.device)
        self.std = (drawn - self.mean).square().mean().sqrt().clamp_min(1e-6)
        begun = _best_of(renderer, torch.cat([self.mean[None], drawn[: how.starts]]), target, tick)
        self.start = (begun - self.mean) / self.std
        rows = self.count if how.space == "w+" else 1
        self.moved = torch.zeros(1, rows, len(begun), device=target.device, requires_grad=True)

    def away(self, t: float) -> Tensor:
        """How far from the mean, [1, rows, w_dim], at the part t of the steps: with some noise on it at first."""
        noise = torch.randn(self.moved.shape, generator=self.rng) * (JITTER * max(0.0, 1 - t / JITTERED) ** 2)
        return self.start + self.moved + noise.to(self.moved.device)

    def ws(self, away: Tensor) -> Tensor:
        """The same as styles, [1, num_ws, w_dim]."""
        return (self.mean + self.std * away).expand(-1, self.count, -1)


class _Target:
    """What is looked for, and how far pictures are from it."""

    def __init__(self, renderer: Renderer, image: Tensor, how: Inversion, maps: Maps | None) -> None:
        G = renderer.G
        wanted = (G.img_channels, G.img_resolution, G.img_resolution)
        if tuple(image.shape) != wanted or not image.isfinite().all():
            shape = " x ".join(map(str, wanted))
            raise InvalidInput("image", f"must be of {shape} finite numbers, as this model's pictures are")
        self.device, self.how, self.maps = renderer.engine.device, how, maps
        self.image = image.to(self.device).clamp(-1, 1)
        small = _small(self.image[None])
        self.features = [] if maps is None else [_unit(part) for part in maps(small)]
        self.pyramid = pyramid_features(small)

    def losses(self, made: Tensor) -> tuple[Tensor, Tensor]:
        """(perceptual, pixel), weighted, [N] each."""
        small = _small(made)
        pixel = (pyramid_features(small) - self.pyramid).square().sum(1)
        return self.how.perceptual * self.distance(small), self.how.pixel * pixel

    def distance(self, small: Tensor) -> Tensor:
        """The distance of feature maps, [N] (as LPIPS without its learned weights, Zhang et al. 2018, eq. 1)."""
        if self.maps is None:
            return small.new_zeros(len(small))
        pairs = zip(self.maps(small), self.features, strict=True)
        return torch.stack([(_unit(a) - b).square().sum(1).mean((1, 2)) for a, b in pairs]).mean(0).to(small.device)

    @torch.no_grad()
    def error(self, made: Tensor) -> Error:
        """Of one picture [C, H, W]."""
        rmse = (made.clamp(-1, 1) - self.image).square().mean().sqrt().item()
        return Error(rmse, self.distance(_small(made[None])).item())


def _with(around: dict[str, Any], noise: Sequence[Tensor | None]) -> dict[str, Any]:
    """The surroundings of a picture with noise maps that move."""
    if not noise:
        return around
    return around | {"noise": [a if n is None else n for a, n in zip(around["noise"], noise, strict=True)]}


def _best_of(renderer: Renderer, latents: Tensor, target: _Target, tick: Tick | None) -> Tensor:
    """The one of some w [N, w_dim] whose picture is nearest, [w_dim]."""
    side = renderer.G.img_resolution
    parts = latents.split(max(1, TOGETHER * 64**2 // side**2))
    losses = []
    for k, part in enumerate(parts):
        if tick is not None and not tick(k, len(parts)):
            raise Cancelled
        ws = part[:, None].expand(-1, renderer.engine.num_ws, -1).contiguous()
        with torch.no_grad():
            perceptual, pixel = target.losses(renderer.images(ws))
            losses.append(perceptual + pixel)
    return latents[int(torch.cat(losses).argmin())]


def _mean(renderer: Renderer) -> Tensor:
    """The mean w, [w_dim]."""
    average = renderer.G.mapping.w_avg
    assert isinstance(average, Tensor)
    return average.detach()


def _copied(value: Tensor) -> Tensor:
    return value.detach().cpu().clone()


def _noise_maps(renderer: Renderer) -> list[Tensor | None]:
    """The noise that a model carries, as maps that can move: one for each input of which a recipe can carry a map."""
    inputs = renderer.engine.noises
    if all(at.const is None for at in inputs):
        raise InvalidInput("noise", "cannot be moved: this model takes none; search without noise")
    if any(at.uniform for at in inputs):
        raise InvalidInput("noise", "cannot be moved: all layers of this model share one; search without noise")
    moves = [at.const is not None and at.resolution <= LARGEST_MAP for at in inputs]
    out = [_begun(at) if able else None for at, able in zip(inputs, moves)]
    _normalise([n for n in out if n is not None])
    return out


def _begun(at: NoiseInput) -> Tensor:
    assert at.const is not None
    return at.const.detach().clone().requires_grad_(True)


@torch.no_grad()
def _normalise(maps: Sequence[Tensor]) -> None:
    """Mean 0 and mean square 1 of each map, in place."""
    for n in maps:
        n -= n.mean()
        n *= n.square().mean().add(1e-8).rsqrt()


def _structure(n: Tensor) -> Tensor:
    """How much a map's pixels tell of their neighbours, at all sizes down to 8 px (Karras et al. 2020, appendix D)."""
    at, out = n[None, None], n.new_zeros(())
    while True:
        for axis in (2, 3):
            out = out + (at * at.roll(1, axis)).mean().square()
        if at.shape[-1] <= SMALLEST_MAP:
            return out
        at = F.avg_pool2d(at, 2) * 2  # times 2: the variance stays


def _small(images: Tensor) -> Tensor:
    """Images of at most 256 px: a loss in finer detail leads nowhere."""
    ratio = images.shape[-1] // LARGEST
    return F.avg_pool2d(images, ratio) if ratio > 1 else images


def _unit(features: Tensor) -> Tensor:
    """Each pixel's features scaled to length 1."""
    return features * (features.square().sum(1, keepdim=True) + 1e-10).rsqrt()


def pace(t: float) -> float:
    """The learning rate's part at t of the way: it rises, stays, and falls like a cosine."""
    down = min(1.0, (1 - t) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, (t + 1e-3) / RAMP_UP)
