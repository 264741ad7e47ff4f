"""A discriminator with a second one on a frozen network's features (Kumari et al. 2022, "Ensembling Off-the-shelf
Models for GAN Training").

D need not learn from G's mistakes what the frozen network knows of pictures, so G finds rare and small things sooner.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.features.faces import load_classifier
from ganlab.networks.stylegan2 import DiscriminatorEpilogue
from ganlab.nn.style import Conv2dLayer, normalize_2nd_moment

SIDE = 4  # pixels at which a head sees the whole picture


@runtime_checkable
class Backbone(Protocol):
    """A frozen network: `maps(img)` are its feature maps, from large to small, with gradients to the pictures."""

    @property
    def map_shapes(self) -> tuple[tuple[int, int], ...]:
        """Channels and pixels of a side of each map."""

    def maps(self, img: Tensor) -> list[Tensor]:
        """Of pictures [N, 3, H, W] in [-1, 1] of any size: maps [N, channels, side, side]."""


class FeatureHead(nn.Module):
    """Logits from one feature map: steps down to 4 x 4, then the last layers of a StyleGAN2 discriminator."""

    def __init__(self, channels: int, side: int, c_dim: int, width: int) -> None:
        super().__init__()
        self.c_dim = c_dim
        steps = int(math.log2(side // SIDE))
        self.squeeze = Conv2dLayer(channels, width, 1, activation="lrelu")
        self.down = nn.Sequential(*(Conv2dLayer(width, width, 3, activation="lrelu", down=2) for _ in range(steps)))
        self.last = DiscriminatorEpilogue(width, c_dim, SIDE, img_channels=3)

    def forward(
        self, x: Float[Tensor, "n channels side side"], c: Float[Tensor, "n c_dim"] | None
    ) -> Float[Tensor, "n 1"]:
        x = normalize_2nd_moment(x)  # a vector of features says what is there, not how strongly
        one_hot = None if c is None else c * math.sqrt(self.c_dim)  # undoes the projection's scale: a logit per class
        return cast(Tensor, self.last(self.down(self.squeeze(x)), None, one_hot))


class OnFrozen(nn.Module):
    """What looks through a frozen network, which is no part of its state: it comes with ganlab."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._held = (backbone,)  # in a tuple: not a submodule

    @property
    def frozen(self) -> Backbone:
        """The network."""
        return self._held[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """The frozen network follows to other devices."""
        cast(nn.Module, self.frozen)._apply(fn, recurse)
        return super()._apply(fn, recurse)


class VisionAided(OnFrozen):
    """D(img, c) of any family and one head for each feature map of a frozen network: logits [N, 1 + heads].

    The first column is D's own.
    """

    def __init__(self, own: nn.Module, backbone: Backbone, c_dim: int, width: int = 64) -> None:
        super().__init__(backbone)
        self.own = own
        self.c_dim = c_dim
        self.heads = nn.ModuleList(FeatureHead(channels, side, c_dim, width) for channels, side in backbone.map_shapes)

    def forward(self, img: Float[Tensor, "n 3 h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n k"]:
        maps = self.frozen.maps(img)
        return torch.cat([self.own(img, c), *(head(x, c) for head, x in zip(self.heads, maps))], 1)

    def power_iterate(self, times: int = 1) -> None:
        """Moves those of D's own spectral layers, where it has some."""
        own: Any = self.own
        if hasattr(own, "power_iterate"):
            own.power_iterate(times)


BACKBONES: dict[str, Callable[[], Backbone]] = {"faces": lambda: copy.deepcopy(load_classifier())}
