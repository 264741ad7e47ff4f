"""Images as training sees them: uint8, in memory or drawn when asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ganlab.data.faces import sample
from ganlab.data.images.config import ImageData

ENDLESS = 2**40  # images; what `len` says where there is no end

ESTIMATED = 10_000  # faces

Batch = tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, " n"]]


@dataclass(frozen=True, eq=False)
class Split:
    """Images for training or for validation.

    Where there is an end, all of them are in `images` [N, C, H, W] and their classes in `targets` [N], which can be
    moved to a GPU as they are; a mirrored image follows its original. Where there is none, both are None and `draw`
    makes the images of some indices.
    """

    images: UInt8[Tensor, "n c h w"] | None = None
    targets: Int64[Tensor, " n"] | None = None
    draw: Callable[[Sequence[int]], Batch] | None = None

    def __len__(self) -> int:
        return ENDLESS if self.images is None else len(self.images)

    @property
    def endless(self) -> bool:
        """Whether any index from 0 up is an image of its own."""
        return self.images is None

    def get(self, indices: Tensor | Sequence[int]) -> Batch:
        """The images and classes of some indices, on the CPU; the classes are 0 where there are none.

        Raises: `IndexError` where there is an end and an index lies beyond it.
        """
        if self.images is not None and self.targets is not None:
            rows = torch.as_tensor(indices, dtype=torch.int64, device="cpu")
            return self.images[rows], self.targets[rows]
        if self.draw is None:
            raise TypeError("a split has images and targets, or a way to draw them")
        return self.draw(indices.tolist() if isinstance(indices, Tensor) else indices)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A set that is open: its images, divided, and what is known of it."""

    config: ImageData
    title: str
    licence: str
    classes: tuple[str, ...]  # names; () where unconditional
    train: Split
    valid: Split | None = None
    skipped: tuple[str, ...] = ()  # "photo.png: is not a readable ..." for each file that was left out

    @property
    def shares(self) -> Float[Tensor, " classes"]:
        """How frequent each class is among the images for training; those of endless faces are estimated."""
        targets = self.train.targets
        if targets is None:
            targets = sample(self.config.seed, range(ESTIMATED))[self.config.labels]
        counts = torch.bincount(targets, minlength=len(self.classes)).float()
        return counts / counts.sum()
