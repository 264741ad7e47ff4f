"""A Film: recipes on a time line. Each of its moments is a Recipe again."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ganlab.config import Config, InvalidInput, knob
from ganlab.recipe import (
    LONGEST_EDITS,
    MOST_DEPTH,
    MOST_EDITS,
    MOST_LAYERS,
    MOST_POINTS,
    SPACES,
    Edit,
    Place,
    Recipe,
    Source,
)


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
            elif len(self.keyframes) > 1 and key.recipe.depth >= MOST_DEPTH:
                raise InvalidInput(f"keyframes.{i}", "holds recipes nested too deep for a film; save it as latents")
            elif len(self.keyframes) > 1 and 4 * key.recipe.points > MOST_POINTS:
                raise InvalidInput(f"keyframes.{i}", "is blended from too many seeds for a film; save it as latents")
        if self.space != "w":
            for i, (one, other) in enumerate(zip(self.keyframes, (*self.keyframes[1:], *self.keyframes[: self.loop]))):
                edits = _edits([(one.recipe, 0.5), (other.recipe, 0.5)])
                if len(edits) > MOST_EDITS or sum(len(edit.direction) for edit in edits) > LONGEST_EDITS:
                    raise InvalidInput(f"keyframes.{i}", "and the next have too many edits to fade in Z: choose W")

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
    """A recipe between others: in W their finished styles are blended, edits with them, in Z their one seed each."""
    nearest = max(parts, key=lambda part: part[1])[0]
    loud = [part for part in parts if part[0].noise.mode != "none"] or parts  # "none" has no strength to fade with
    noise = replace(max(loud, key=lambda part: part[1])[0].noise, strength=_strengths(parts))
    if space == "w":
        sources = tuple(Source(recipe=recipe, weight=weight) for recipe, weight in parts)
        return Recipe(nearest.model, nearest.sha256, sources, psi=1.0, noise=noise, place=_place(parts))
    sources = tuple(replace(recipe.sources[0], weight=weight) for recipe, weight in parts)
    psi = sum(recipe.psi * weight for recipe, weight in parts)
    return replace(
        nearest, sources=sources, space=space, psi=psi, noise=noise, place=_place(parts), edits=_edits(parts)
    )


def _place(parts: list[tuple[Recipe, float]]) -> Place:
    """Shifts and turns, blended; a spline may go beyond what a place allows."""
    right, down, turn = (sum(getattr(r.place, name) * w for r, w in parts) for name in ("right", "down", "turn"))
    return Place(min(max(right, -0.5), 0.5), min(max(down, -0.5), 0.5), min(max(turn, -180.0), 180.0))


def _edits(parts: list[tuple[Recipe, float]]) -> tuple[Edit, ...]:
    """The edits of all, each times its picture's weight; what several pictures share is one edit."""
    total: dict[tuple[Edit, int], float] = {}
    for recipe, weight in parts:
        kinds = [(replace(edit, strength=1.0), edit.strength) for edit in recipe.edits if edit.active]
        for i, (kind, strength) in enumerate(kinds):
            key = kind, sum(kind == before for before, _ in kinds[:i])  # twice in one picture is two edits
            total[key] = total.get(key, 0.0) + weight * strength
    return tuple(replace(kind, strength=strength) for (kind, _), strength in total.items())


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
