"""How good a generator is while it trains: Fréchet distance, precision, recall, and whether it copies its data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images import ImageSet
from ganlab.features.faces import features_of, load_classifier
from ganlab.features.pyramid import pyramid_features
from ganlab.metrics.attributes import conditional_accuracy
from ganlab.metrics.bootstrap import Interval, interval, intervals
from ganlab.metrics.frechet import few, frechet_distance
from ganlab.metrics.manifold import precision_recall
from ganlab.metrics.nearest import copying, nearest_neighbours
from ganlab.training.draws import generator

FEWEST = 16  # images, below which neighbours say nothing
REAL = 2000  # images of the data that fakes are compared with, at most
DRAWS = 8  # halves that an interval is taken from
SMALL = 8  # pixels: what the pyramid's Fréchet distance sees, so that it has fewer numbers than there are images
AT_ONCE = 250
Pictures = UInt8[Tensor, "n c h w"]


@dataclass(frozen=True)
class Quality:
    """Figures of a generator against the data that it learns."""

    name: str  # of the features, a part of every figure's name: "faces" (their classifier's) or "pyramid"
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


class QualityMeter:
    """Holds the features of a set of images; `measure` compares a training's fakes with them."""

    def __init__(self, images: ImageSet, real: int = REAL) -> None:
        """`real`: images of the data that are looked at, at most."""
        self.images = images
        self.name = "faces" if images.config.name == "faces" else "pyramid"
        self._features, self._small = FEATURES[self.name]
        count = min(real, len(images.train))
        self._pictures, self._targets = images.train.get(_spread(images, count))
        self._near = self._features(self._pictures)  # for distances between pictures
        self._real = self._small(self._pictures)  # for statistics
        self._held = None if images.valid is None else self._features(images.valid.get(range(_most(images)))[0])

    def measure(self, fakes: Float[Tensor, "n c h w"], seed: int = 0) -> Quality:
        """Figures of generated pictures about in [-1, 1]; `InvalidInput` where they or the data are too few."""
        if min(len(fakes), len(self._real)) < FEWEST:
            raise InvalidInput("quality", f"needs {FEWEST} images or more; the data has {len(self._real)}")
        pictures = to_bytes(fakes)
        near, small = self._features(pictures), self._small(pictures)
        rng = generator(seed, "quality")
        precision, recall = intervals(precision_recall, self._near, near, DRAWS, rng)
        fd = interval(frechet_distance, self._real, small, DRAWS, rng)
        held = self._held
        copies = None if held is None or len(held) < FEWEST else copying(near, self._near, held).share
        warning = few(min(len(small), len(self._real)), small.shape[1])
        return Quality(self.name, len(fakes), fd, precision, recall, copies, warning)

    def class_accuracy(self, pictures: Pictures, asked: Int[Tensor, " n"], k: int = 5) -> float:
        """Share of generated pictures whose k nearest images of the data are mostly of the class that was asked for."""
        rows = nearest_neighbours(self._features(pictures), self._near, k).rows
        return conditional_accuracy(self._targets[rows].mode(1).values, asked)

    def nearest(self, fakes: Float[Tensor, "n c h w"]) -> tuple[Pictures, Float[Tensor, " n"]]:
        """The training image that is nearest to each fake, and its distance."""
        found = nearest_neighbours(self._features(to_bytes(fakes)), self._near)
        return self._pictures[found.rows[:, 0]], found.distance[:, 0]


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


def _by_classifier(pictures: Pictures) -> Tensor:
    return features_of(load_classifier(), pictures.expand(-1, 3, -1, -1).contiguous())


def _by_pyramid(pictures: Pictures) -> Tensor:
    parts = pictures.split(AT_ONCE)
    return torch.cat([pyramid_features(part.float() / 127.5 - 1) for part in parts])


def _by_small_pyramid(pictures: Pictures) -> Tensor:
    parts = pictures.split(AT_ONCE)
    small = [F.adaptive_avg_pool2d(part.float() / 127.5 - 1, SMALL) for part in parts]
    return torch.cat([pyramid_features(part) for part in small])


Features = Callable[[Pictures], Tensor]
FEATURES: dict[str, tuple[Features, Features]] = {  # for distances, for statistics
    "faces": (_by_classifier, _by_classifier),
    "pyramid": (_by_pyramid, _by_small_pyramid),
}
