"""What pictures are compared by. Its name is part of every figure's name: FD-pyramid is no FID, KD-faces no KID."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.features import faces
from ganlab.features.pyramid import pyramid_features
from ganlab.files import sha256_of

SMALL = 8  # pixels: what the pyramid's Fréchet distance sees, so that it has fewer numbers than there are images
AT_ONCE = 250
Pictures = UInt8[Tensor, "n c h w"]
Features = Callable[[Tensor], Tensor]
Tick = Callable[[int, int], object]
PUBLISHED = {"FD": "FID", "KD": "KID", "IS": "IS"}  # what figures on Inception's features are called


class Extractor(NamedTuple):
    """One way to see pictures."""

    name: str
    near: Features  # uint8 [N, C, H, W] to vectors [N, d] for distances between pictures
    small: Features | None  # the same for statistics, which want few numbers; None: `near`
    of_floats: Features  # `near` of pictures about in [-1, 1], without rounding
    version: str = ""  # what decides the features besides the pictures; empty: they are made quicker than read
    logits: Features | None = None  # what `near` gives to logits of classes, for a score

    def named(self, kind: str) -> str:
        """The name of a figure: FD-faces for FD, and FID on Inception's features."""
        return PUBLISHED.get(kind, f"{kind}-{self.name}") if self.name == "inception" else f"{kind}-{self.name}"


def extractor(name: str) -> Extractor:
    """The extractor with this name, of those that ship; any other raises `InvalidInput`."""
    if name not in EXTRACTORS:
        raise InvalidInput("features", f"{name[:40]!r} is not one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]()


def in_colour(pictures: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n 3 h w"]:
    """Grey pictures with their channel three times."""
    return pictures.expand(-1, 3, -1, -1).contiguous()


def _by_classifier(pictures: Shaped[Tensor, "n c h w"]) -> Tensor:
    return faces.features_of(faces.load_classifier(), in_colour(pictures))


def _hairstyles(near: Shaped[Tensor, "n d"]) -> Tensor:
    """Logits of the eight hairstyles: the classes of a score of faces."""
    return faces.load_classifier().read(near)["hairstyle"].cpu()


def _by_pyramid(pictures: Pictures) -> Tensor:
    return torch.cat([pyramid_features(part.float() / 127.5 - 1) for part in pictures.split(AT_ONCE)])


def _by_small_pyramid(pictures: Pictures) -> Tensor:
    small = [F.adaptive_avg_pool2d(part.float() / 127.5 - 1, SMALL) for part in pictures.split(AT_ONCE)]
    return torch.cat([pyramid_features(part) for part in small])


@lru_cache(1)
def _faces() -> Extractor:
    return Extractor("faces", _by_classifier, None, _by_classifier, sha256_of(faces.SHIPPED), _hairstyles)


def _pyramid() -> Extractor:
    return Extractor("pyramid", _by_pyramid, _by_small_pyramid, pyramid_features)


def usual(data: str) -> Extractor:
    """The extractor for a set of images by the set's name: the faces' classifier for faces, else the pyramid."""
    return extractor("faces" if data == "faces" else "pyramid")


def distances_of(
    extractor: Extractor, pictures: Pictures, tick: Tick | None = None
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]:
    """(vectors for distances, vectors for statistics) of pictures, some at a time; `tick(done, of)` hears of it."""
    near, small = [], []
    for part in pictures.split(AT_ONCE):
        near.append(extractor.near(part))
        small.append(near[-1] if extractor.small is None else extractor.small(part))
        if tick is not None:
            tick(min(len(near) * AT_ONCE, len(pictures)), len(pictures))
    together = torch.cat(near)
    return together, together if extractor.small is None else torch.cat(small)


EXTRACTORS: dict[str, Callable[[], Extractor]] = {"faces": _faces, "pyramid": _pyramid}
