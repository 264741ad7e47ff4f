"""Room for a finite set: made once, filled image by image, and divided without copies."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.images.config import ImageData
from ganlab.data.images.split import Split
from ganlab.files import Cancelled

MOST_MEMORY = 8 << 30  # bytes of all images together

Tick = Callable[[int, int], bool]  # (images so far, of) -> whether to go on


def heard(tick: Tick, done: int, of: int) -> None:
    """Reports progress; `Cancelled` if the listener has had enough."""
    if not tick(done, of):
        raise Cancelled


class Room:
    """Memory for `count` images, and for their mirrored ones where `config` asks for them.

    Raises: `InvalidInput` if 8 GB are too small for them.
    """

    def __init__(self, count: int, config: ImageData) -> None:
        self.config, self.copies = config, 2 if config.mirror else 1
        size = self.copies * int(np.prod(config.shape(count)))
        if size > MOST_MEMORY:
            raise InvalidInput(
                "resolution",
                f"{count:,} images of {config.resolution} px need {size / 2**30:.1f} GB of memory; at most "
                f"{MOST_MEMORY >> 30} GB are used: lower it, or set a limit of {count * MOST_MEMORY // size:,} images",
            )
        _, *shape = config.shape(count)
        try:
            self.images = torch.empty(count, self.copies, *shape, dtype=torch.uint8)
        except RuntimeError:  # what torch raises without memory
            raise InvalidInput("resolution", f"{size / 2**30:.1f} GB of memory are not free; lower it") from None
        self.targets = torch.empty(count, self.copies, dtype=torch.int64)

    def put(self, at: int, images: UInt8[Tensor, "n c h w"], targets: Int64[Tensor, " n"]) -> None:
        """Stores images and their classes from place `at` on."""
        rows = slice(at, at + len(images))
        self.images[rows, 0] = images
        if self.config.mirror:
            self.images[rows, 1] = images.flip(3)
        self.targets[rows] = targets[:, None]

    def divided(self, filled: int) -> tuple[Split, Split | None]:
        """The first `filled` images: the last of them for validation, the others for training."""
        share = self.config.valid
        held_out = round(share * filled)
        if share and not 0 < held_out < filled:
            raise InvalidInput("valid", f"a share of {share:g} of {filled:,} images leaves one part empty")
        cut = filled - held_out
        return self._split(slice(cut)), self._split(slice(cut, filled)) if held_out else None

    def _split(self, rows: slice) -> Split:
        return Split(self.images[rows].flatten(0, 1), self.targets[rows].flatten())  # views: nothing is copied
