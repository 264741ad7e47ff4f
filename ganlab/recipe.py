"""A Recipe: everything that decides a picture, as one JSON object. Same recipe, same pixels.

A `Film` is a list of recipes on a time line; each of its moments is a Recipe again.
"""

import base64
import binascii
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ganlab.config import Config, InvalidInput, knob

MOST_LAYERS = 40  # rows of ws; StyleGAN2 at 1024 px has 18, StyleGAN3 16
MOST_CLASSES = 20_000
MOST_DEPTH = 4  # recipes inside recipes: a moment between two moments between two pictures
# what one recipe may ask of the machine: each about a second of one core with the largest public models
MOST_POINTS = 1000  # latents that are mapped, those of recipes inside included
MOST_PAINT = 24.0  # painted area, as a multiple of the picture's
MOST_CENTERS = 8  # classes whose centres are looked for
LONGEST_LATENT = 160_000  # characters: 18 x 1,024 float32 as base64 and some
MAP_ROW = 1000  # seeds between two rows of the latent map
SEEDS = 2**32
SPACES = ("w", "z_slerp", "z_lerp")
CENTERS = ("mean", "class")
NOISES = ("const", "none", "random")
Latents = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClassShare(Config):
    """A class and its part in a mixture; the parts of one source are normalised to sum to 1."""

    index: int = knob(0, "Number of the class", lo=0, hi=MOST_CLASSES - 1)
    share: float = knob(1.0, "Its part in the mixture", lo=0, hi=1)


@dataclass(frozen=True)
class Source(Config):
    """One point in latent space: a place on the map of seeds, uploaded latents, or another recipe's styles.

    The map has a seed at each whole (x, y), `map_seed`; between them the four neighbours are blended in W.
    """

    seed: int = knob(0, "Seed of z ~ N(0, I)", lo=0, hi=SEEDS - 1)
    x: float = knob(0.0, "Steps to the right on the map of seeds", lo=-1e6, hi=1e6)
    y: float = knob(0.0, "Steps down on the map of seeds", lo=-1e6, hi=1e6)
    weight: float = knob(1.0, "Its part in the blend; the parts are normalised to sum to 1", lo=-4, hi=4)
    classes: tuple[ClassShare, ...] = knob((), "Class or mixture of classes of a conditional model", longest=16)
    latent: str = knob("", "Uploaded w or ws, see `pack_latent`; replaces the seed", longest=LONGEST_LATENT)
    recipe: "Recipe | None" = knob(None, "Another picture, whose styles are taken as they are; replaces the seed")

    @property
    def is_seed(self) -> bool:
        """Whether this is a seed alone, a point that has a z."""
        return not self.latent and self.recipe is None and self.x == int(self.x) and self.y == int(self.y)

    @property
    def points(self) -> int:
        """Latents that are mapped for it: one at a whole place of the map, up to four between."""
        if self.recipe is not None:
            return self.recipe.points
        return 1 if self.latent else (1 + (self.x != int(self.x))) * (1 + (self.y != int(self.y)))


@dataclass(frozen=True)
class Mix(Config):
    """Style mixing: some layers take their style from another source."""

    source: Source = knob(Source, "Where the styles come from")
    layers: tuple[int, ...] = knob((), "Rows of ws that are replaced, counted from 0", longest=MOST_LAYERS, lo=0)
    strength: float = knob(1.0, "How far towards the other source", lo=0, hi=1)


@dataclass(frozen=True)
class Pin(Config):
    """A layer whose noise is held."""

    layer: int = knob(0, "Noise input, counted from 0", lo=0, hi=MOST_LAYERS - 1)
    seed: int | None = knob(None, "Seed it is held at; none: the noise that the model carries", lo=0, hi=SEEDS - 1)


@dataclass(frozen=True)
class Stroke(Config):
    """A dab of other noise on the picture."""

    x: float = knob(0.5, "Centre, from the left edge 0 to the right 1", lo=-1, hi=2)
    y: float = knob(0.5, "Centre, from the top edge 0 to the bottom 1", lo=-1, hi=2)
    radius: float = knob(0.1, "Radius as a part of the picture's width; the edge is soft", lo=0.001, hi=2)
    seed: int = knob(0, "Seed of the noise painted with", lo=0, hi=SEEDS - 1)
    strength: float = knob(1.0, "Times the layer's own strength; 0 wipes noise away", lo=-8, hi=8)
    layer: int | None = knob(None, "Noise input it is painted on; none: all", lo=0, hi=MOST_LAYERS - 1)


@dataclass(frozen=True)
class Noise(Config):
    """What stands at the noise inputs."""

    mode: str = knob("const", "const: the noise the model carries; none; random: drawn from the seed", choices=NOISES)
    seed: int = knob(0, "Seed of random noise", lo=0, hi=SEEDS - 1)
    strength: tuple[float, ...] = knob(
        (), "Factor per noise input; those left out are 1", longest=MOST_LAYERS, lo=-8, hi=8
    )
    pins: tuple[Pin, ...] = knob((), "Layers held while the seed changes", longest=MOST_LAYERS)
    strokes: tuple[Stroke, ...] = knob((), "Painted noise, later dabs over earlier ones", longest=200)

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(min(1.0, 2 * stroke.radius) ** 2 for stroke in self.strokes) > MOST_PAINT:
            raise InvalidInput(
                "strokes", f"cover the picture more than {MOST_PAINT:g} times over; clear some or use a smaller brush"
            )


@dataclass(frozen=True)
class Recipe(Config):
    """A picture. `ganlab.synthesis.render` makes it; every image lab edits it."""

    model: str = knob("", "Name of the model; empty: the one at hand", longest=200)
    sha256: str = knob("", "Checksum of its file; empty: any", longest=64)
    sources: tuple[Source, ...] = knob(lambda: (Source(),), "What the picture is blended from", longest=16)
    space: str = knob("w", "Where sources are blended: W, or Z by slerp or lerp", choices=SPACES)
    psi: float = knob(0.7, "Truncation: 1 leaves w alone, 0 gives the average picture", lo=-1, hi=2)
    cutoff: int | None = knob(None, "Only the first so many layers are truncated; none: all", lo=0, hi=MOST_LAYERS)
    center: str = knob("mean", "What truncation moves towards: the mean w, or the mean of the class", choices=CENTERS)
    mixes: tuple[Mix, ...] = knob((), "Style mixing, in this order", longest=MOST_LAYERS)
    noise: Noise = knob(Noise, "Noise inputs")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sources:
            raise InvalidInput("sources", "must name at least one seed, latent or recipe")
        if abs(sum(source.weight for source in self.sources)) < 1e-3:
            raise InvalidInput("sources", "have weights that sum to zero, so that nothing is left to blend")
        for i, source in enumerate(self.sources):
            if self.space != "w" and not (source.is_seed and source.weight >= 0):
                raise InvalidInput(
                    f"sources.{i}", "has no z of its own: blend in W, or use whole seeds with weights of at least 0"
                )
        if _depth(self) > MOST_DEPTH:
            raise InvalidInput("sources", f"hold recipes nested more than {MOST_DEPTH} deep; save one as latents first")
        if self.points > MOST_POINTS:
            raise InvalidInput(
                "sources", f"and mixes name more than {MOST_POINTS:,} seeds, with recipes inside; save one as latents"
            )
        if len(_centers(self)) > MOST_CENTERS:
            raise InvalidInput("center", f"of the class is known for at most {MOST_CENTERS} classes at a time")

    @property
    def points(self) -> int:
        """Latents that are mapped for it, those of recipes inside included."""
        return sum(source.points for source in self.latent_sources())

    def latent_sources(self) -> tuple[Source, ...]:
        """All sources, those of style mixing included."""
        return (*self.sources, *(mix.source for mix in self.mixes))


def _depth(recipe: Recipe) -> int:
    return 1 + max((_depth(s.recipe) for s in recipe.latent_sources() if s.recipe is not None), default=0)


def _centers(recipe: Recipe) -> set[int]:
    """Classes whose mean w is wanted, those of recipes inside included."""
    inside = [_centers(source.recipe) for source in recipe.latent_sources() if source.recipe is not None]
    ours = [] if recipe.center == "mean" else [s.classes for s in recipe.latent_sources() if s.recipe is None]
    return set().union(*inside, *({share.index for share in classes} for classes in ours))


def map_seed(seed: int, i: int, j: int) -> int:
    """The seed that stands `i` steps right and `j` steps down of `seed` on the latent map."""
    return (seed + i + MAP_ROW * j) % SEEDS


def pack_latent(ws: Latents) -> str:
    """w [w_dim] or ws [L, w_dim] as text: base64 of its rows, its shape in front (`14x512:...`)."""
    rows = np.atleast_2d(np.ascontiguousarray(ws, dtype="<f4"))
    return f"{rows.shape[0]}x{rows.shape[1]}:{base64.b64encode(rows.tobytes()).decode()}"


def unpack_latent(text: str) -> Latents:
    """What `pack_latent` packed, [1 or L, w_dim]; a damaged text raises `InvalidInput`."""
    shape, _, body = text.partition(":")
    try:
        rows, columns = (int(n) for n in shape.split("x"))
        values = np.frombuffer(base64.b64decode(body, validate=True), dtype="<f4")
        latents = values.reshape(rows, columns).astype(np.float32)
    except (ValueError, binascii.Error):
        raise InvalidInput("latent", "is damaged; upload the latents again") from None
    if not 1 <= rows <= MOST_LAYERS or not np.isfinite(latents).all() or np.abs(latents).max(initial=0) > 1e6:
        raise InvalidInput("latent", "holds values that are not finite or far too large, or too many rows")
    return latents


# films


def _linear(t: float) -> float:
    return t


def _smooth(t: float) -> float:
    return t * t * (3 - 2 * t)


def _ease_in(t: float) -> float:
    return t * t


def _ease_out(t: float) -> float:
    return t * (2 - t)


def _hold(t: float) -> float:
    return float(t >= 1)


EASINGS: dict[str, Callable[[float], float]] = {
    "linear": _linear,
    "smooth": _smooth,
    "ease_in": _ease_in,
    "ease_out": _ease_out,
    "hold": _hold,
}
CURVES = ("linear", "cubic")


@dataclass(frozen=True)
class Keyframe(Config):
    """A recipe on the time line, and how the film goes on from it."""

    recipe: Recipe = knob(Recipe, "The picture")
    seconds: float = knob(1.0, "Time to the next keyframe", lo=0.05, hi=60)
    easing: str = knob("linear", "Pace on the way to the next", choices=lambda: EASINGS)


@dataclass(frozen=True)
class Film(Config):
    """Keyframes and how the way between them is gone."""

    keyframes: tuple[Keyframe, ...] = knob((), "In the order they are shown", longest=100)
    space: str = knob("w", "Where the way is gone: W (layer by layer), or Z by slerp or lerp", choices=SPACES)
    curve: str = knob("linear", "Straight lines, or a smooth curve through all keyframes (W only)", choices=CURVES)
    loop: bool = knob(True, "Whether it goes back to the first keyframe")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.keyframes:
            raise InvalidInput("keyframes", "are missing: add the current picture as the first one")
        if len({key.recipe.model for key in self.keyframes}) > 1:
            raise InvalidInput("keyframes", "come from different models; a film is made with one")
        self._check_moments()

    def _check_moments(self) -> None:
        """What is between keyframes must be a recipe too."""
        for i, key in enumerate(self.keyframes):
            if self.space != "w":
                if len(key.recipe.sources) > 1 or key.recipe.mixes or not key.recipe.sources[0].is_seed:
                    raise InvalidInput(f"keyframes.{i}", "is not a single seed, so it has no z: choose W instead")
            elif len(self.keyframes) > 1 and _depth(key.recipe) >= MOST_DEPTH:
                raise InvalidInput(f"keyframes.{i}", "holds recipes nested too deep for a film; save it as latents")
            elif len(self.keyframes) > 1 and 4 * key.recipe.points > MOST_POINTS:
                raise InvalidInput(f"keyframes.{i}", "is blended from too many seeds for a film; save it as latents")

    @property
    def spans(self) -> tuple[float, ...]:
        """Seconds from each keyframe to the next; without a loop the last one leads nowhere."""
        seconds = tuple(key.seconds for key in self.keyframes)
        return seconds if self.loop and len(seconds) > 1 else seconds[:-1]

    @property
    def seconds(self) -> float:
        """Its length."""
        return sum(self.spans)

    def at(self, second: float) -> Recipe:
        """The picture at a time, as a recipe of its own; times outside the film are clamped."""
        ends = list(itertools.accumulate(self.spans))
        if not ends:
            return self.keyframes[0].recipe
        second = min(max(second, 0.0), ends[-1])
        k = next(i for i, end in enumerate(ends) if second <= end)
        linear = (second - (ends[k] - self.spans[k])) / self.spans[k]
        t = EASINGS[self.keyframes[k].easing](linear)
        n = len(self.keyframes)
        if t == 0.0 or t == 1.0:
            return self.keyframes[(k + round(t)) % n].recipe
        weights = _hermite(self.spans, k, t, self.loop) if self.curve == "cubic" and self.space == "w" else {}
        weights = weights or {k: 1 - t, k + 1: t}
        parts: dict[int, float] = {}
        for i, weight in weights.items():
            i = i % n if self.loop else min(max(i, 0), n - 1)
            parts[i] = parts.get(i, 0.0) + weight
        return _blend([(self.keyframes[i].recipe, w) for i, w in parts.items() if w], self.space)

    def times(self, fps: float) -> list[float]:
        """The times of its frames; a loop does not show its first frame twice."""
        count = max(1, math.floor(self.seconds * fps + 1e-6) + (0 if self.loop else 1))
        return [i / fps for i in range(count)]


def _hermite(spans: tuple[float, ...], k: int, t: float, loop: bool) -> dict[int, float]:
    """Weights of keyframes k-1 .. k+2 on the curve of Catmull and Rom with uneven times.

    Finite differences as tangents of a cubic Hermite spline; at an end without a loop the one-sided difference.
    """
    n = len(spans)
    span = spans[k]
    h00, h10 = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
    h01, h11 = -2 * t**3 + 3 * t**2, t**3 - t**2
    weights = {k - 1: 0.0, k: h00, k + 1: h01, k + 2: 0.0}
    for at, h in ((k, h10), (k + 1, h11)):
        before, after = at - 1, at
        first, last = not loop and before < 0, not loop and after >= n
        lo, hi = (at if first else at - 1), (at if last else at + 1)
        width = (0 if first else spans[before % n]) + (0 if last else spans[after % n])
        weights[hi] += h * span / width
        weights[lo] -= h * span / width
    return weights


def _blend(parts: list[tuple[Recipe, float]], space: str) -> Recipe:
    """A recipe between others: in W their finished styles are blended, in Z their one seed each."""
    nearest = max(parts, key=lambda part: part[1])[0]
    loud = [part for part in parts if part[0].noise.mode != "none"] or parts  # "none" has no strength to fade with
    noise = replace(max(loud, key=lambda part: part[1])[0].noise, strength=_strengths(parts))
    if space == "w":
        sources = tuple(Source(recipe=recipe, weight=weight) for recipe, weight in parts)
        return Recipe(nearest.model, nearest.sha256, sources, psi=1.0, noise=noise)
    sources = tuple(replace(recipe.sources[0], weight=weight) for recipe, weight in parts)
    psi = sum(recipe.psi * weight for recipe, weight in parts)
    return replace(nearest, sources=sources, space=space, psi=psi, noise=noise)


def _strengths(parts: list[tuple[Recipe, float]]) -> tuple[float, ...]:
    """The blend of the noise strengths; no noise at all counts as strength 0."""
    longest = max(len(recipe.noise.strength) for recipe, _ in parts)
    modes = {recipe.noise.mode for recipe, _ in parts}
    if "none" in modes and len(modes) > 1:
        longest = MOST_LAYERS
    total = [0.0] * longest
    for recipe, weight in parts:
        on = 0.0 if recipe.noise.mode == "none" and len(modes) > 1 else 1.0
        given = recipe.noise.strength
        for i in range(longest):
            total[i] += weight * on * (given[i] if i < len(given) else 1.0)
    return tuple(min(max(value, -8.0), 8.0) for value in total)
