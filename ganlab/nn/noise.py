"""The noise inputs of the style-based generators (Karras et al. 2019, sec. 2)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

NOISE_MODES = ("const", "none", "random")


def noise_inputs(
    layers: Sequence[Any], mode: str, n: int, generator: torch.Generator | None, device: torch.device | None
) -> list[Tensor | None]:
    """One entry a layer: its constant noise [H, W], none, or new draws [n, 1, H, W].

    Of each layer it takes `resolution`, `use_noise` and, where that is true, `noise_const`.
    """
    check_mode(mode)
    if mode == "none":
        return [None] * len(layers)
    if mode == "const":
        return [layer.noise_const if layer.use_noise else None for layer in layers]
    source = device if generator is None else generator.device
    shapes = [(n, 1, layer.resolution, layer.resolution) for layer in layers]
    return [torch.randn(shape, generator=generator, device=source).to(device) for shape in shapes]


def check_mode(mode: str) -> None:
    """`ValueError` for a noise_mode that there is not."""
    if mode not in NOISE_MODES:
        raise ValueError(f"noise_mode must be one of {', '.join(NOISE_MODES)}")
