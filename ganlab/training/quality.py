"""How good a generator is while it trains: Fréchet distance, precision, recall, and whether it copies its data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images import ImageSet
from ganlab.features.faces import features_of, in_batches, load_classifier
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
NEIGHBOURS = 5  # whose classes say what a picture is of
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


class Real(NamedTuple):
    """Some images of the data: as bytes, their classes, and features for distances and for statistics."""

    pictures: Pictures
    targets: Int[Tensor, " n"]
    near: Float[Tensor, "n d"]
    small: Float[Tensor, "n k"]


class QualityMeter:
    """Holds the features of a set of images; `measure` compares a training's fakes with them."""

    def __init__(self, images: ImageSet, real: int = REAL) -> None:
        """`real`: images of the data that are looked at, at most."""
        self.images = images
        self.name = "faces" if images.config.name == "faces" else "pyramid"
        self.features, self.small_features = FEATURES[self.name]  # for distances between pictures, for statistics
        heads = [head.name for head in load_classifier().heads if head.options] if self.name == "faces" else []
        self.reads = images.config.labels if images.config.labels in heads else ""  # the attribute that classes are
        self.reader = "the faces' classifier" if self.reads else f"{NEIGHBOURS} nearest real images"
        self.of_floats = OF_FLOATS[self.name]  # `features` of pictures about in [-1, 1], without rounding
        pictures, targets = images.train.get(_spread(images, min(real, len(images.train))))
        self.real = Real(pictures, targets, self.features(pictures), self.small_features(pictures))
        held = None if images.valid is None else self.features(images.valid.get(range(_most(images)))[0])
        self.held = None if held is None or len(held) < FEWEST else held  # features of images that are held out

    def measure(self, fakes: Float[Tensor, "n c h w"], seed: int = 0) -> Quality:
        """Figures of generated pictures about in [-1, 1]; `InvalidInput` where they or the data are too few."""
        if min(len(fakes), len(self.real.small)) < FEWEST:
            raise InvalidInput("quality", f"needs {FEWEST} images or more; the data has {len(self.real.small)}")
        pictures = to_bytes(fakes)
        near, small = self.features(pictures), self.small_features(pictures)
        rng = generator(seed, "quality")
        precision, recall = intervals(precision_recall, self.real.near, near, DRAWS, rng)
        fd = interval(frechet_distance, self.real.small, small, DRAWS, rng)
        copies = None if self.held is None else copying(near, self.real.near, self.held).share
        warning = few(min(len(small), len(self.real.small)), small.shape[1])
        return Quality(self.name, len(fakes), fd, precision, recall, copies, warning)

    def class_accuracy(self, pictures: Pictures, asked: Int[Tensor, " n"], k: int = NEIGHBOURS) -> float:
        """Share of generated pictures that are of the class that was asked for, as `reader` sees it."""
        if self.reads:
            pixels = pictures.expand(-1, 3, -1, -1).contiguous()
            read = torch.cat(in_batches(lambda part: load_classifier()(part)[self.reads].argmax(1), pixels))
            return conditional_accuracy(read.cpu(), asked)
        rows = nearest_neighbours(self.features(pictures), self.real.near, k).rows
        return conditional_accuracy(self.real.targets[rows].mode(1).values, asked)

    def nearest(self, fakes: Float[Tensor, "n c h w"]) -> tuple[Pictures, Float[Tensor, " n"]]:
        """The training image that is nearest to each fake, and its distance."""
        found = nearest_neighbours(self.features(to_bytes(fakes)), self.real.near)
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


def _by_classifier(pictures: Shaped[Tensor, "n c h w"]) -> Tensor:
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
OF_FLOATS: dict[str, Features] = {"faces": _by_classifier, "pyramid": pyramid_features}  # of pictures not rounded
