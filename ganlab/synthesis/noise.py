"""The noise inputs of a recipe: one map a convolution, and a key that says whether two are the same."""

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np
import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.networks.stylegan2 import SynthesisLayer
from ganlab.recipe import Noise, Stroke

REMEMBERED = 64 << 20  # bytes of draws that are kept


class NoiseMaps:
    """The noise inputs of one model."""

    def __init__(self, layers: list[SynthesisLayer]) -> None:
        self.layers = layers
        self._draws: OrderedDict[tuple[int, int], Tensor] = OrderedDict()
        self._bytes = 0

    def check(self, noise: Noise) -> None:
        """`InvalidInput` where a recipe names noise inputs that this model does not have."""
        named = [pin.layer for pin in noise.pins] + [s.layer for s in noise.strokes if s.layer is not None]
        if any(layer >= len(self.layers) for layer in named):
            raise InvalidInput("noise", f"names layers that this model does not have; it has {len(self.layers)}")

    def keys(self, noise: Noise) -> list[Hashable]:
        """Per convolution; equal keys mean equal maps."""
        return [self._key(noise, i) for i in range(len(self.layers))]

    def map(self, noise: Noise, index: int) -> Tensor | None:
        """What is added before the bias of a convolution, [H, W] with its strength in it; None for nothing."""
        layer = self.layers[index]
        seed, factor, strokes = self._key(noise, index)
        if not layer.use_noise or (factor == 0.0 and not strokes):
            return None
        base = layer.noise_const.cpu() if seed == "const" else self._draw(seed, index)
        total = base * factor
        for stroke in strokes:
            mask = _dab(stroke, layer.resolution)
            total = total * (1 - mask) + mask * stroke.strength * self._draw(stroke.seed, index)
        return (total * layer.noise_strength.to(total.device)).to(layer.noise_strength.device)

    def _key(self, noise: Noise, index: int) -> tuple[int | str, float, tuple[Stroke, ...]]:
        """(seed or "const", factor, strokes)."""
        factor = noise.strength[index] if index < len(noise.strength) else 1.0
        seed: int | str = noise.seed if noise.mode == "random" else "const"
        pin = next((pin for pin in reversed(noise.pins) if pin.layer == index), None)
        if pin is not None:
            seed = "const" if pin.seed is None else pin.seed
        elif noise.mode == "none":
            factor = 0.0
        strokes = tuple(s for s in noise.strokes if s.layer in (None, index))
        return seed, float(factor), strokes

    def _draw(self, seed: int | str, index: int) -> Tensor:
        """N(0, 1) noise of a seed for a layer, [H, W]: each pair of the two is a stream of its own."""
        assert isinstance(seed, int)
        key = (seed, index)
        if key not in self._draws:
            side = self.layers[index].resolution
            rng = np.random.Generator(np.random.Philox(key=[seed, index]))
            self._draws[key] = torch.from_numpy(rng.standard_normal((side, side), dtype=np.float32))
            self._bytes += 4 * side * side
            while self._bytes > REMEMBERED and len(self._draws) > 1:
                self._bytes -= 4 * self._draws.popitem(last=False)[1].numel()
        self._draws.move_to_end(key)
        return self._draws[key]


def _dab(stroke: Stroke, side: int) -> Tensor:
    """The stroke's mask [side, side]: 1 inside, falling to 0 over the outer half of the radius."""
    at = (torch.arange(side) + 0.5) / side
    distance = ((at[None, :] - stroke.x).square() + (at[:, None] - stroke.y).square()).sqrt() / stroke.radius
    t = (2 - 2 * distance).clamp(0, 1)
    return t * t * (3 - 2 * t)
