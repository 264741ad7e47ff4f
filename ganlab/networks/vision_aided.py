"""A discriminator with a second one on a frozen network's features (Kumari et al. 2022, "Ensembling Off-the-shelf
Models for GAN Training").

D need not learn from G's mistakes what the frozen network knows of pictures, so G finds rare and small things sooner.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.features.frozen import Backbone
from ganlab.networks.stylegan2 import DiscriminatorEpilogue
from ganlab.nn.style import Conv2dLayer, normalize_2nd_moment

SIDE = 4  # pixels at which a head sees the whole picture


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
        one_hot = None if c is None or not self.c_dim else c * math.sqrt(self.c_dim)  # no scale: a logit per class
        return cast(Tensor, self.last(self.down(self.squeeze(x)), None, one_hot))


class OnFrozen(nn.Module):
    """What looks through a frozen network, which is no part of its state: that comes with ganlab, or from timm."""

    def __init__(self, *backbones: Backbone) -> None:
        super().__init__()
        self._held = backbones  # in a tuple: no submodules

    @property
    def frozen(self) -> tuple[Backbone, ...]:
        """The networks; none has joined yet where there are none."""
        return self._held

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """The frozen network follows to other devices."""
        for held in self._held:
            cast(nn.Module, held)._apply(fn, recurse)
        return super()._apply(fn, recurse)


class VisionAided(OnFrozen):
    """D(img, c) of any family and, once a frozen network has joined, one head for each of its maps: [N, 1 + heads].

    The first column is D's own.
    """

    def __init__(self, own: nn.Module, c_dim: int, width: int = 64) -> None:
        super().__init__()
        self.own, self.c_dim, self.width = own, c_dim, width
        self.heads = nn.ModuleDict()  # by the name of the network, which the state tells so

    @property
    def second(self) -> str:
        """The name of the network that has joined; empty: none yet."""
        return next(iter(self.heads), "")

    def join(self, name: str, backbone: Backbone) -> nn.ModuleList:
        """Lets D look through a network; its new heads, with weights from torch's global generator."""
        shapes = backbone.map_shapes
        heads = nn.ModuleList(FeatureHead(channels, side, self.c_dim, self.width) for channels, side in shapes)
        self._held, self.heads = (backbone,), nn.ModuleDict({name: heads})
        return heads

    def part(self) -> None:
        """D by itself again."""
        self._held, self.heads = (), nn.ModuleDict()

    def forward(self, img: Float[Tensor, "n 3 h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n k"]:
        own: Tensor = self.own(img, c)
        if not self._held:
            return own
        heads, maps = cast(nn.ModuleList, self.heads[self.second]), self.frozen[0].maps(img)
        return torch.cat([own, *(head(x, c) for head, x in zip(heads, maps))], 1)

    def power_iterate(self, times: int = 1) -> None:
        """Moves those of D's own spectral layers, where it has some."""
        own: Any = self.own
        if hasattr(own, "power_iterate"):
            own.power_iterate(times)
