"""Latent optimization (StyleCLIP, Patashnik et al. 2021, sec. 4): a picture's own latents are moved until a text fits.

It takes the longest of the three ways, needs nothing made beforehand, and finds what no single direction holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces.many import changed
from ganlab.latents.directions import as_edit, s_direction, w_direction
from ganlab.latents.inversion import pace
from ganlab.metrics.editing import along_and_beside
from ganlab.recipe import Edit, Recipe
from ganlab.synthesis import Renderer
from ganlab.text.directions import LONGEST, Embedder, check_styles, coloured, style_deviations, text_change, whole_text

SPACES = ("w", "s")
AIMS = ("text", "change")


@dataclass(frozen=True)
class TextAim(Config):
    """What latents are moved for."""

    target: str = knob("a smiling person", "What the picture should show", longest=LONGEST)
    neutral: str = knob("a person", "What it shows now; for the aim change", longest=LONGEST)
    aim: str = knob(
        "change",
        "text: near the target (as in the paper); change: as far as can be from neutral to target",
        choices=AIMS,
    )


@dataclass(frozen=True)
class Optimization(TextAim):
    """How latents are moved."""

    space: str = knob("w", "What moves: w of each layer (W+), or channels of styles (S)", choices=SPACES)
    layers: tuple[int, ...] | None = knob(None, "Rows of ws that move; none: all", longest=40, lo=0)
    steps: int = knob(300, "Steps", lo=1, hi=5000)
    lr: float = knob(0.1, "Learning rate of Adam, at its highest", lo=1e-5, hi=10, log=True)
    l2: float = knob(0.008, "Weight of the squared distance from where it began", lo=0, hi=10)
    beside: float = knob(0.2, "Weight of what else changes, as CLIP sees it; for the aim change", lo=0, hi=10)
    varied: bool = knob(True, "Whether CLIP sees the picture moved, lit and blurred a little, anew in each step")


@dataclass(frozen=True)
class Moment:
    """A step of the way."""

    step: int  # made so far
    image: Tensor  # [C, H, W], about in [-1, 1], on the CPU, before this step's move
    clip: float  # 1 - cosine of picture and aim
    l2: float  # squared distance, weighted
    beside: float  # how far the picture has moved at a right angle to the aim, weighted
    moved: Tensor  # [num_ws, w_dim] or [channels of S]: how far from the start


@dataclass(frozen=True)
class Moments:
    """A step of N pictures' ways, each its own; fields as in `Moment`, with a first axis of N."""

    step: int
    images: Tensor
    clip: Tensor
    l2: Tensor
    beside: Tensor
    moved: Tensor


def optimized(renderer: Renderer, clip: Embedder, recipe: Recipe, how: Optimization) -> Iterator[Moment]:
    """Moves the latents of a recipe step by step; stop it by taking no more.

    The last of the moments is the result, earlier ones lie on the way to it; `edit_of` makes either part of a recipe.
    `InvalidInput` where the model has no styles or a text is of no use.
    """
    check_styles(renderer)
    low = renderer.lower(recipe)
    offsets = None if low.offsets is None else low.offsets[None]
    for at in optimized_together(renderer, clip, low.ws[None], offsets, how, renderer.surroundings(recipe)):
        clip_term, l2, beside = (float(term[0]) for term in (at.clip, at.l2, at.beside))
        yield Moment(at.step, at.images[0].cpu(), clip_term, l2, beside, at.moved[0].cpu())


def optimized_together(
    renderer: Renderer,
    clip: Embedder,
    ws: Float[Tensor, "n num_ws w_dim"],
    offsets: Float[Tensor, "n channels"] | None,
    how: Optimization,
    surroundings: Mapping[str, Any] | None = None,
) -> Iterator[Moments]:
    """`optimized` for N pictures at once, each of which moves as it would alone, but for the small changes it is seen
    with; `offsets` of styles are where it begins, `surroundings` as the renderer has them (None: the model's noise)."""
    check_styles(renderer)
    around = renderer.surroundings(Recipe()) if surroundings is None else surroundings
    ws = ws.to(renderer.engine.device)
    begun, mask = torch.zeros(len(ws), renderer.space.channels), _mask(renderer, how).to(ws.device)
    begun = (begun if offsets is None else offsets.clone()).to(ws.device)
    delta = torch.zeros_like(ws if how.space == "w" else begun).requires_grad_(True)
    optimizer = torch.optim.Adam([delta], lr=how.lr, betas=(0.9, 0.999))
    scale = (torch.ones(()) if how.space == "w" else style_deviations(renderer)).to(ws.device)
    aim, start = text_aim(clip, how), None
    for step in range(how.steps + 1):
        moved = delta * mask * scale
        w, shifts = (ws + moved, begun) if how.space == "w" else (ws, begun + moved)
        images = renderer.G.synthesis(w, offsets=shifts, **around)
        shown = coloured(images)
        seen = clip.embed_images(varied(shown, step) if how.varied else shown)
        away = (1 - seen @ aim.to(seen.device)).to(ws.device)
        l2 = how.l2 * (delta * mask).square().flatten(1).sum(1)
        if start is None:
            start = clip.embed_images(shown.detach()).detach()
        beside = _beside(how, start, seen, aim).to(ws.device)
        yield Moments(step, images.detach(), away.detach(), l2.detach(), beside.detach(), moved.detach())
        if step < how.steps:
            optimizer.param_groups[0]["lr"] = how.lr * pace(step / how.steps)
            optimizer.zero_grad()
            (away + l2 + beside).sum().backward()
            optimizer.step()


def _beside(how: Optimization, start: Tensor, seen: Tensor, aim: Tensor) -> Float[Tensor, " n"]:
    """Towards a text alone there is no beside: the picture has to change as a whole."""
    if how.aim == "text" or torch.equal(start, seen):  # a norm has no slope at zero
        return seen.new_zeros(len(seen))
    return how.beside * along_and_beside(start, seen, aim)[1]


def varied(images: Float[Tensor, "n 3 h w"], step: int) -> Float[Tensor, "n 3 h w"]:
    """Small changes of pictures, others in each step: so that pictures fit a text, and not patterns of their pixels."""
    return changed(images, torch.Generator().manual_seed(step))[0]


def text_aim(clip: Embedder, how: TextAim) -> Float[Tensor, " d"]:
    """The unit vector that pictures are moved to lie along."""
    return text_change(clip, how.neutral, how.target) if how.aim == "change" else whole_text(clip, how.target)


def edit_of(moment: Moment, name: str, strength: float = 1.0) -> Edit:
    """The way to a moment, as a part of a recipe."""
    way = moment.moved
    made = w_direction(name[:120], way, "text") if way.ndim == 2 else s_direction(name[:120], way, "text")
    return as_edit(made, strength)


def _mask(renderer: Renderer, how: Optimization) -> Tensor:
    """1 for what may move."""
    rows, count = renderer.space.rows, renderer.engine.num_ws
    if how.layers is not None and not all(row < count for row in how.layers):
        raise InvalidInput("layers", f"must be from 0 to {count - 1}, the layers of this model")
    chosen = torch.tensor(range(count) if how.layers is None else how.layers)
    if how.space == "w":
        return torch.isin(torch.arange(count), chosen).float()[None, :, None]
    return torch.isin(rows, chosen).float()[None]
