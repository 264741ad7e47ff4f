"""Tensors of images as pixels, one by one or side by side."""

import math

import numpy as np
import numpy.typing as npt
import torch

Pixels = npt.NDArray[np.uint8]  # [H, W, 3]


def sheet(images: torch.Tensor, columns: int = 0) -> Pixels:
    """Images [N, C, H, W] about in [-1, 1] side by side; as many columns as rows, or so many."""
    n, _, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    pixels = to_pixels(images)
    grid = np.full((-(-n // columns) * height, columns * width, 3), 255, np.uint8)
    for i, picture in enumerate(pixels):
        y, x = (i // columns) * height, (i % columns) * width
        grid[y : y + height, x : x + width] = picture
    return grid


def to_pixels(image: torch.Tensor) -> list[Pixels]:
    """Images [N, C, H, W] in [-1, 1] as N arrays [H, W, 3]: grey is repeated, of more than 3 channels 3 are shown."""
    if image.shape[1] < 3:
        image = image[:, :1].expand(-1, 3, -1, -1)
    rounded = (image[:, :3] * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return list(rounded.permute(0, 2, 3, 1).contiguous().cpu().numpy())
