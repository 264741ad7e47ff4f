"""How good an edit is: as far as a CLIP sees it, and on cartoon faces as far as a classifier of attributes reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ganlab.data.faces import faces
from ganlab.data.faces.visible import visible
from ganlab.features.faces import FacesClassifier, in_batches
from ganlab.metrics.editing import attribute_dependency, directional_similarity, flipped, moved_beside, spreads
from ganlab.text.aims import Aim
from ganlab.text.directions import Embedder

UNREADABLE = ("freckles",)  # the classifier is hardly better there than a guess, as its card says
FRESH = 200  # real faces that say how far apart two people are
SEED = 1 << 31
MOST_NAMED, WORTH_NAMING = 3, 0.1  # of the attributes that changed, too


@dataclass(frozen=True)
class EditQuality:
    """Means over pictures. None: it cannot be said of this model or this text."""

    pictures: int
    similarity: float | None  # directional CLIP similarity, -1 to 1
    identity: float | None = None  # change of features beside what was asked for; 1: as between two people
    had: float | None = None  # part of the pictures that showed all that was asked for, before
    reached: float | None = None  # and after
    flipped: float | None = None  # part of the other attributes that are read as something else
    dependency: float | None = None  # attribute dependency: change of the others in standard deviations
    changed: tuple[tuple[str, float], ...] = ()  # the others that changed most: (attribute, part of the pictures)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@torch.inference_mode()
def edit_quality(
    before: Shaped[Tensor, "n 3 h w"],
    after: Shaped[Tensor, "n 3 h w"],
    change: Float[Tensor, " d"] | None,
    clip: Embedder,
    reader: FacesClassifier | None = None,
    aims: Sequence[Aim] = (),
) -> EditQuality:
    """Of N pictures in [-1, 1] before and after an edit that follows a `change` of texts (`directions.text_change`).

    `change` None: no text says what the edit is to do.

    `reader`: where they are cartoon faces. `aims`: what the text asks for (`aims.aims_of`).
    """
    similarity = identity = None
    if change is not None:
        seen = clip.embed_images(before), clip.embed_images(after)
        similarity = float(directional_similarity(*seen, change).mean())
        identity = _identity(*seen, change) if reader is None and len(before) > 1 else None
    if reader is None:
        return EditQuality(len(before), similarity, identity)
    was, then = (torch.cat(in_batches(reader.features, images)) for images in (before, after))
    read, now = reader.read(was), reader.read(then)
    asked, common = {aim.attribute for aim in aims}, _common(reader)
    names = [head.name for head in reader.heads if head.options and head.name not in (*asked, *UNREADABLE)]
    shown = _shown(read, now, names)
    return EditQuality(
        len(before),
        similarity,
        float(moved_beside(was, then, _rows(reader, asked)).mean() / common.distance),
        _share(aims, read),
        _share(aims, now),
        float(flipped(read, now, shown, names).mean()),
        float(attribute_dependency(read, now, common.spread, asked).mean()),
        _most_changed(read, now, shown, names),
    )


def _identity(before: Tensor, after: Tensor, change: Tensor) -> float:
    """How far a CLIP's vectors moved beside what was asked for; 1: as from one of the pictures to the next."""
    apart = (before - before.roll(1, 0)).norm(dim=1).mean()
    return float(moved_beside(before, after, change.to(before)[None]).mean() / apart.clamp_min(1e-6))


def _most_changed(
    read: Mapping[str, Tensor], now: Mapping[str, Tensor], shown: Mapping[str, Tensor], names: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    """The attributes that are read as something else most often, of the pictures that show them."""
    parts = {name: float(flipped(read, now, shown, [name])[shown[name]].mean()) for name in names if shown[name].any()}
    most = sorted(parts.items(), key=lambda item: -item[1])[:MOST_NAMED]
    return tuple((name.replace("_", " "), round(part, 3)) for name, part in most if part >= WORTH_NAMING)


@dataclass(frozen=True)
class _Common:
    """What is usual among real faces."""

    distance: float  # of the features of two of them
    spread: Mapping[str, float]  # of what is read


@lru_cache(maxsize=2)
@torch.inference_mode()
def _common(reader: FacesClassifier) -> _Common:
    images, _ = faces(SEED, range(FRESH), 64)
    found = torch.cat(in_batches(reader.features, images))
    read = reader.read(found)
    names = [head.name for head in reader.heads if head.name not in UNREADABLE]
    return _Common(float((found[::2] - found[1::2]).norm(dim=1).mean()), spreads(read, names))


def _share(aims: Sequence[Aim], read: Mapping[str, Tensor]) -> float | None:
    """The part of the pictures that show all that was asked for."""
    return float(torch.stack([aim.reached(read) for aim in aims]).all(0).float().mean()) if aims else None


def _shown(read: Mapping[str, Tensor], now: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """Whose pictures show each attribute, before and after."""
    sides = [
        visible({name: value.argmax(1) for name, value in side.items() if value.ndim == 2}) for side in (read, now)
    ]
    return {name: sides[0][name] & sides[1][name] for name in names}


def _rows(reader: FacesClassifier, names: set[str]) -> Tensor:
    """The directions of features that some attributes are read along, [k, d]."""
    parts = reader.last.weight.detach().split([head.outputs for head in reader.heads])
    chosen = [part for head, part in zip(reader.heads, parts) if head.name in names]
    return torch.cat(chosen) if chosen else reader.last.weight.new_zeros(0, reader.last.in_features)
