"""An embedding made up for tests: of colours, and of the words for them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class Colours:
    """Sees the mean colour of a picture, and reads the words red, green and blue."""

    name = "colours"

    def embed_images(self, images: Tensor) -> Tensor:
        return F.normalize(torch.cat([images.mean((2, 3)), torch.ones(len(images), 1)], 1), dim=1)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        words = ("red", "green", "blue")
        return F.normalize(torch.tensor([[*(float(word in text) for word in words), 1.0] for text in texts]), dim=1)
