"""The noise inputs of a recipe: one map each, and a key that says whether two are the same."""

import math
from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.recipe import Noise, Stroke, unpack_maps
from ganlab.synthesis.steps import NoiseInput

REMEMBERED = 64 << 20  # bytes of draws that are kept
TILE = 64  # side of what is drawn at once: a dab needs only those that it touches
Key = tuple[int | str, float, tuple[Stroke, ...]]  # (seed, "const" or maps of a recipe; factor; strokes)
CONST = "const"


class NoiseMaps:
    """The noise inputs of one model."""

    def __init__(self, inputs: Sequence[NoiseInput]) -> None:
        self.inputs = inputs
        self._tiles: OrderedDict[tuple[int, int, int, int], npt.NDArray[np.float32]] = OrderedDict()
        self._painted: dict[
            int, tuple[Key, tuple[Tensor, Tensor]]
        ] = {}  # the last of each input: a film asks for it each time
        self._bytes = 0

    def check(self, noise: Noise) -> None:
        """`InvalidInput` where a recipe names noise inputs that this model does not have."""
        named = [pin.layer for pin in noise.pins] + [s.layer for s in noise.strokes if s.layer is not None]
        if any(layer >= len(self.inputs) for layer in named):
            raise InvalidInput("noise", f"names layers that this model does not have; it has {len(self.inputs)}")
        if not noise.maps:
            return
        maps = unpack_maps(noise.maps)
        fits = [m is None or (at.const is not None and len(m) == at.resolution) for m, at in zip(maps, self.inputs)]
        if len(maps) != len(self.inputs) or not all(fits):
            raise InvalidInput("noise", "holds maps that were found in another model")

    def keys(self, noise: Noise) -> list[Hashable]:
        """Per noise input; equal keys mean equal maps."""
        return [self._key(noise, i) for i in range(len(self.inputs))]

    def strength(self, index: int) -> float:
        """How much noise the network adds there: the root mean square over its channels."""
        strength = self.inputs[index].strength
        return 0.0 if strength is None else float(strength.detach().square().mean().sqrt())

    def map(self, noise: Noise, index: int) -> Tensor | None:
        """What an engine takes at a noise input, [H, W] on its device with `scale` in it; None for nothing."""
        made = self._made(noise, index)
        return None if made is None else made[1]

    def plain(self, noise: Noise, index: int) -> Tensor | None:
        """What the network itself takes there, before its own strength: as `map`, without `scale`."""
        made = self._made(noise, index)
        return None if made is None else made[0]

    def _made(self, noise: Noise, index: int) -> tuple[Tensor, Tensor] | None:
        """(plain, with scale)."""
        at = self.inputs[index]
        key = self._key(noise, index)
        seed, factor, strokes = key
        if at.const is None or (factor == 0.0 and not strokes):
            return None
        if not strokes:
            plain = self._base(seed, index, at.const).to(at.const.device) * factor
            return plain, plain * at.scale
        known = self._painted.get(index)
        if known is None or known[0] != key:
            painted = self._paint(self._base(seed, index, at.const).cpu() * factor, strokes, index)
            plain = painted.to(at.const.device)
            known = self._painted[index] = key, (plain, plain * at.scale)
        return known[1]

    def _base(self, seed: int | str, index: int, const: Tensor) -> Tensor:
        """The noise of a key, without factor and strokes."""
        if not isinstance(seed, str):
            return self._draw(seed, index)
        given = None if seed == CONST else unpack_maps(seed)[index]
        return const if given is None else torch.from_numpy(given)

    def _key(self, noise: Noise, index: int) -> Key:
        factor = noise.strength[index] if index < len(noise.strength) else 1.0
        own = noise.maps if noise.maps and unpack_maps(noise.maps)[index] is not None else CONST
        seed: int | str = noise.seed if noise.mode == "random" else own
        pin = next((pin for pin in reversed(noise.pins) if pin.layer == index), None)
        if pin is not None:
            seed = own if pin.seed is None else pin.seed
        elif noise.mode == "none":
            factor = 0.0
        strokes = tuple(s for s in noise.strokes if s.layer in (None, index))
        return seed, float(factor), strokes

    def _paint(self, total: Tensor, strokes: Sequence[Stroke], index: int) -> Tensor:
        """`total` [H, W] with the strokes over it, in place."""
        for stroke in strokes:
            rows, columns = (_reach(at, stroke.radius, len(total)) for at in (stroke.y, stroke.x))
            if rows.start < rows.stop and columns.start < columns.stop:
                mask = _dab(stroke, len(total), rows, columns)
                total[rows, columns].lerp_(stroke.strength * self._draw(stroke.seed, index, rows, columns), mask)
        return total

    def _draw(self, seed: int, index: int, rows: slice | None = None, columns: slice | None = None) -> Tensor:
        """Noise of a seed for an input, [H, W] or a part of it: each pair of the two is a stream of its own."""
        side = self.inputs[index].resolution
        rows, columns = rows or slice(0, side), columns or slice(0, side)
        tops, lefts = (range(part.start // TILE * TILE, part.stop, TILE) for part in (rows, columns))
        drawn = np.block([[self._tile(seed, index, top, left) for left in lefts] for top in tops])
        inside = drawn[rows.start - tops[0] : rows.stop - tops[0], columns.start - lefts[0] : columns.stop - lefts[0]]
        return torch.from_numpy(inside)

    def _tile(self, seed: int, index: int, top: int, left: int) -> npt.NDArray[np.float32]:
        key = (seed, index, top, left)
        if key not in self._tiles:
            at = self.inputs[index]
            side = min(TILE, at.resolution)
            # the last word of the counter is the tile's: no stream is long enough to run into the next
            rng = np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, left, top]))
            draw = rng.random if at.uniform else rng.standard_normal
            self._tiles[key] = draw((side, side), dtype=np.float32)
            self._bytes += 4 * side * side
            while self._bytes > REMEMBERED:
                self._bytes -= self._tiles.popitem(last=False)[1].nbytes
        self._tiles.move_to_end(key)
        return self._tiles[key]


def _reach(at: float, radius: float, side: int) -> slice:
    """The pixels that a dab touches along one axis; none where it lies beside the picture."""
    return slice(max(0, math.floor((at - radius) * side)), min(side, math.ceil((at + radius) * side)))


def _dab(stroke: Stroke, side: int, rows: slice, columns: slice) -> Tensor:
    """A part of the stroke's mask: 1 inside, falling to 0 over the outer half of the radius."""
    y, x = ((torch.arange(part.start, part.stop) + 0.5) / side for part in (rows, columns))
    distance = ((x[None, :] - stroke.x).square() + (y[:, None] - stroke.y).square()).sqrt() / stroke.radius
    t = (2 - 2 * distance).clamp(0, 1)
    return t * t * (3 - 2 * t)
