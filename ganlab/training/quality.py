"""How good a generator is while it trains: Fréchet distance, precision, recall, and whether it copies its data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images import ImageSet
from ganlab.features.extractors import Extractor, Tick, distances_of, usual
from ganlab.features.faces import load_classifier
from ganlab.features.kept import kept_features
from ganlab.metrics.attributes import as_asked
from ganlab.metrics.bootstrap import Interval, interval, intervals
from ganlab.metrics.frechet import few, frechet_distance
from ganlab.metrics.manifold import precision_recall
from ganlab.metrics.nearest import copying, nearest_neighbours
from ganlab.training.draws import generator

FEWEST = 16  # images, below which neighbours say nothing
REAL = 2000  # images of the data that fakes are compared with, at most
DRAWS = 8  # halves that an interval is taken from
NEIGHBOURS = 5  # whose classes say what a picture is of
Heard = Callable[[str, int, int], object]  # (what, done, of)
Pictures = UInt8[Tensor, "n c h w"]


@dataclass(frozen=True)
class Quality:
    """Figures of a generator against the data that it learns."""

    name: str  # of the features, a part of every figure's name: a key of `features.extractors.EXTRACTORS`
    count: int  # generated pictures
    fd: Interval  # squared Fréchet distance on these features; not to be called FID
    precision: Interval
    recall: Interval
    copying: float | None  # chance that a fake is nearer to the training images than a held-out one is; 1/2 is right
    warning: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        numbers = {key: list(map(float, getattr(self, key))) for key in ("fd", "precision", "recall")}
        return {"name": self.name, "count": self.count, **numbers, "copying": self.copying, "warning": self.warning}


class Real(NamedTuple):
    """Some images of the data: as bytes, their classes, and features for distances and for statistics."""

    pictures: Pictures
    targets: Int[Tensor, " n"]
    near: Float[Tensor, "n d"]
    small: Float[Tensor, "n k"]


class QualityMeter:
    """Holds the features of a set of images; `measure` compares a training's fakes with them."""

    def __init__(
        self, images: ImageSet, real: int = REAL, extractor: Extractor | None = None, tick: Heard | None = None
    ) -> None:
        """`real`: images of the data that are looked at, at most. `extractor`: None is the usual one of this data.

        `tick(what, done, of)` hears of the progress, and may end it by raising.
        """
        self.images, self._tick = images, tick
        self.extractor = extractor or usual(images.config.name)
        self.name = self.extractor.name
        heads = [head.name for head in load_classifier().heads if head.options] if self.name == "faces" else []
        self.reads = images.config.labels if images.config.labels in heads else ""  # the attribute that classes are
        self.reader = "the faces' classifier" if self.reads else f"{NEIGHBOURS} nearest real images"
        self.of_floats = self.extractor.of_floats
        pictures, targets = images.train.get(_spread(images, min(real, len(images.train))))
        self.real = Real(pictures, targets, *self._of_data(pictures))
        held = None if images.valid is None else self._of_data(images.valid.get(range(_most(images)))[0])[0]
        self.held = None if held is None or len(held) < FEWEST else held  # features of images that are held out

    def features(
        self, pictures: Pictures, tick: Tick | None = None
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]:
        """(vectors for distances, vectors for statistics) of pictures."""
        return distances_of(self.extractor, pictures, tick)

    def _of_data(self, pictures: Pictures) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]:
        """`features` of pictures that come up again; what visitors of a page bring is not kept."""
        config, heard = self.images.config, self._tick
        tick = None if heard is None else partial(heard, "features of the data")
        if config.name == "folder" and not config.path:
            return self.features(pictures, tick)
        return kept_features(self.extractor, pictures, config.to_dict(), tick)

    def measure(self, fakes: Float[Tensor, "n c h w"], seed: int = 0) -> Quality:
        """Figures of generated pictures about in [-1, 1]; `InvalidInput` where they or the data are too few."""
        if min(len(fakes), len(self.real.small)) < FEWEST:
            raise InvalidInput("quality", f"needs {FEWEST} images or more; the data has {len(self.real.small)}")
        pictures = to_bytes(fakes)
        near, small = self.features(pictures)
        rng = generator(seed, "quality")
        precision, recall = intervals(precision_recall, self.real.near, near, DRAWS, rng)
        fd = interval(frechet_distance, self.real.small, small, DRAWS, rng)
        copies = None if self.held is None else copying(near, self.real.near, self.held).share
        warning = few(min(len(small), len(self.real.small)), small.shape[1])
        return Quality(self.name, len(fakes), fd, precision, recall, copies, warning)

    def class_as_asked(
        self, near: Float[Tensor, "n d"], asked: Int[Tensor, " n"], k: int = NEIGHBOURS
    ) -> Float[Tensor, " n"]:
        """1 for each generated picture that is of the class that was asked for, as `reader` sees it; 0 for others.

        `near`: the pictures' vectors for distances, the first of `features`.
        """
        if self.reads:
            return as_asked(load_classifier().read(near)[self.reads].argmax(1).cpu(), asked)
        rows = nearest_neighbours(near, self.real.near, k).rows
        return as_asked(self.real.targets[rows].mode(1).values, asked)

    def nearest(self, fakes: Float[Tensor, "n c h w"]) -> tuple[Pictures, Float[Tensor, " n"]]:
        """The training image that is nearest to each fake, and its distance."""
        found = nearest_neighbours(self.extractor.near(to_bytes(fakes)), self.real.near)
        return self.real.pictures[found.rows[:, 0]], found.distance[:, 0]


def _spread(images: ImageSet, count: int) -> range:
    """`count` images from all over a set, whose classes may come one after the other."""
    return (
        range(count)
        if images.train.endless
        else range(0, len(images.train) // count * count, len(images.train) // count)
    )


def to_bytes(images: Float[Tensor, "n c h w"]) -> Pictures:
    """Images about in [-1, 1] as those that are stored."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu()


def _most(images: ImageSet) -> int:
    return min(REAL, len(images.valid or ()))
