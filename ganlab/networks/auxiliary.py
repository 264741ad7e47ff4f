"""A discriminator with a second head that reads what a picture was made from: its class (AC-GAN, Odena et al. 2017), a
part of its z (InfoGAN, Chen et al. 2016)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class AuxiliaryD(nn.Module):
    """D(img, c) of any family, and a linear head on the features that its last layer sees.

    `own` must have been built without classes where the head reads them: D is not told what it shall read.
    """

    def __init__(self, own: nn.Module, classes: int, info: int, channels: int, resolution: int) -> None:
        """`channels`, `resolution`: of the pictures, which tell how many features there are."""
        super().__init__()
        self.own, self.classes, self.info = own, classes, info
        self.c_dim: int = own.c_dim  # type: ignore[assignment]
        with torch.no_grad():
            own.eval()
            features = self._features(torch.zeros(1, channels, resolution, resolution))
            own.train()
        self.head = nn.Linear(features.shape[1], classes + info)

    def forward(self, img: Float[Tensor, "n c h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n 1"]:
        """D's own logits."""
        logits: Tensor = self.own(img, c)
        return logits

    def read(self, img: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n classes"], Float[Tensor, "n info"]]:
        """Logits of the classes, and the first numbers of z."""
        read = self.head(self._features(img).float())
        return read[:, : self.classes], read[:, self.classes :]

    def power_iterate(self, times: int = 1) -> None:
        """Moves those of D's own spectral layers, where it has some."""
        own: Any = self.own
        if hasattr(own, "power_iterate"):
            own.power_iterate(times)

    def _features(self, img: Tensor) -> Float[Tensor, "n d"]:
        """What the last layer sees, where D is told of no class; each family calls that layer `out`."""
        c = img.new_zeros(len(img), self.c_dim) if self.c_dim else None
        seen: list[Tensor] = []
        last = [module for name, module in self.own.named_modules() if name.rpartition(".")[2] == "out"][-1]
        hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            self.own(img, c)
        finally:
            hook.remove()
        return seen[-1].flatten(1)
