"""A discriminator that also reads what a picture was made from: its class (AC-GAN, Odena et al. 2017; semi-supervised
learning, Salimans et al. 2016), a part of its z (InfoGAN, Chen et al. 2016)."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Reading(NamedTuple):
    """What is read off pictures."""

    classes: Float[Tensor, "n classes"]  # logits
    info: Float[Tensor, "n info"]  # the first numbers of z
    kinds: Float[Tensor, "n kinds"]  # logits of which of the next numbers of z is the largest


class AuxiliaryD(nn.Module):
    """D(img, c) of any family, and a linear head on the features that its last layer sees.

    `own` must have been built without classes where the head reads them: D is not told what it shall read.
    """

    def __init__(self, own: nn.Module, classes: int, info: int, channels: int, resolution: int, kinds: int = 0) -> None:
        """`channels`, `resolution`: of the pictures, which tell how many features there are."""
        super().__init__()
        self.own, self.classes, self.info, self.kinds = own, classes, info, kinds
        self.c_dim: int = own.c_dim  # type: ignore[assignment]
        with torch.no_grad():
            own.eval()
            features = last_features(own, torch.zeros(1, channels, resolution, resolution))
            own.train()
        self.head = nn.Linear(features.shape[1], classes + info + kinds)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        """D's own logits."""
        logits: Tensor = self.own(img, c)
        return logits

    def read(self, img: Float[Tensor, "n c h w"]) -> Reading:
        """What the head reads off pictures."""
        read = self.head(last_features(self.own, img).float())
        return Reading(*read.split([self.classes, self.info, self.kinds], 1))

    def power_iterate(self, times: int = 1) -> None:
        """Moves those of D's own spectral layers, where it has some."""
        own: Any = self.own
        if hasattr(own, "power_iterate"):
            own.power_iterate(times)


class SemiSupervisedD(AuxiliaryD):
    """A classifier of K classes and of fakes (Salimans et al. 2016, sec. 5; Odena 2016) in D's place.

    Adding a number to all K + 1 logits changes nothing, so that of "fake" is 0, and D(x) = Z / (Z + 1) with Z the sum
    of exp of the others: the sigmoid of their logsumexp, which is what `forward` gives.
    """

    def __init__(self, own: nn.Module, classes: int, channels: int, resolution: int) -> None:
        """`own`: any family's, built without classes; its last layer is taken from it."""
        super().__init__(own, classes, 0, channels, resolution)
        setattr(own.get_submodule(_last(own).rpartition(".")[0]), LAST, _Unasked())

    def forward(self, img: Float[Tensor, "n c h w"], c: Tensor | None = None) -> Float[Tensor, "n 1"]:
        """log Z; no label is looked at."""
        return self.read(img)[0].logsumexp(1, keepdim=True)


class _Unasked(nn.Module):
    """A last layer without weights, whose logit nobody looks at."""

    def forward(self, x: Float[Tensor, "n *features"]) -> Float[Tensor, "n 1"]:
        return x.new_zeros(len(x), 1)


LAST = "out"  # what each family calls D's last layer


def last_features(net: nn.Module, img: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """What the last layer of a family's D sees, where D is told of no class."""
    c_dim: Any = net.c_dim
    seen: list[Tensor] = []
    hook = net.get_submodule(_last(net)).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        net(img, img.new_zeros(len(img), c_dim) if c_dim else None)
    finally:
        hook.remove()
    return seen[-1].flatten(1)


def _last(net: nn.Module) -> str:
    """The last layer's path."""
    return [name for name, _ in net.named_modules() if name.rpartition(".")[2] == LAST][-1]
