"""Numbers drawn for one picture at a time: those of image `index` depend on its seed and index alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput

PERSON, DETAIL = 0, 1  # streams of their own: who it is, and the random detail
STRANDS, CELLS, SPOTS, PHASES = (24, 96), 20, 8, 6  # texture rows and columns; cells a side; cells a side; waves


@dataclass(frozen=True)
class Grain:
    """What is random in a picture without being an attribute: the same person can be drawn with another.

    Uniform in [0, 1): `strands` [N, 1, 24, 96] hair and cloth, `freckles` [N, 3, 20, 20] and `spots` [N, 3, 8, 8] a
    place and a size for each cell of the cheeks and of the background, `phases` [N, 6] of waves and curls.
    """

    strands: Float[Tensor, "n 1 h w"]
    freckles: Float[Tensor, "n 3 c c"]
    spots: Float[Tensor, "n 3 s s"]
    phases: Float[Tensor, "n p"]

    def __len__(self) -> int:
        return len(self.phases)

    def rows(self, rows: slice | Tensor) -> "Grain":
        """The detail of some of the pictures, in the order of `rows`."""
        return Grain(self.strands[rows], self.freckles[rows], self.spots[rows], self.phases[rows])


def grain(seed: int, indices: Iterable[int]) -> Grain:
    """The random detail of images `indices` of `seed`."""
    shapes = ((1, *STRANDS), (3, CELLS, CELLS), (3, SPOTS, SPOTS), (PHASES,))
    sizes = [int(np.prod(shape)) for shape in shapes]
    drawn = uniforms(seed, indices, sum(sizes), DETAIL)
    return Grain(*(part.reshape(-1, *shape) for part, shape in zip(drawn.split(sizes, 1), shapes)))


def uniforms(seed: int, indices: Iterable[int], count: int, stream: int) -> Float[Tensor, "n count"]:
    """`count` numbers in [0, 1) for each index, float32. Salmon et al. 2011: Philox, keyed by seed and index."""
    chosen = checked(seed, indices)
    out = np.empty((len(chosen), count), dtype=np.float32)
    for row, index in enumerate(chosen):
        rng = np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, stream]))
        rng.random(out=out[row], dtype=np.float32)
    return torch.from_numpy(out)


def checked(seed: int, indices: Iterable[int]) -> Sequence[int]:
    """The indices as numbers; `InvalidInput` where the seed or one of them is negative or no whole number."""
    chosen = indices.tolist() if isinstance(indices, Tensor) else list(indices)
    for name, numbers in (("seed", [seed]), ("indices", chosen)):
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < 2**63:
                raise InvalidInput(name, f"must be whole numbers from 0 up, not {str(number)[:40]}")
    return chosen
