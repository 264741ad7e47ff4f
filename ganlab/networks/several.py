"""Generators whose D judges more than one picture in training: pictures with latents, levels of a pyramid, stages.

What D judges is an *example*: one row of numbers a sample, so that a training step, penalties included, need not know
what is in it. A generator makes examples of data and of fakes, its D takes them apart again.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.mapping import StyleGenerator


class SeveralGenerator(StyleGenerator):
    """G(z, c) as any other, and the examples that it is trained with."""

    encodes = False  # whether an `encoder`, pictures to latents, is trained with it
    encoder: nn.Module

    def of_data(
        self,
        real: Float[Tensor, "n c h w"],
        c: Float[Tensor, "n c_dim"] | None,
        rng: torch.Generator | None = None,
    ) -> Float[Tensor, "n p"]:
        """The examples that pictures of the data are; `rng` where something of them is drawn, None: as is likeliest."""
        raise NotImplementedError

    def of_fakes(
        self,
        z: Float[Tensor, "n z_dim"],
        c: Float[Tensor, "n c_dim"] | None,
        real: Float[Tensor, "n c h w"],
    ) -> Float[Tensor, "n p"]:
        """The examples that latents are made into; `real`: data, where G continues something of them."""
        raise NotImplementedError

    def owes(self, D: nn.Module, z: Tensor, c: Tensor | None, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Terms that G pays beside what D says of the examples `fake`, by their names; `real`: pictures."""
        return {}

    def owed_by_d(
        self, D: nn.Module, z: Tensor, c: tuple[Tensor | None, Tensor | None], real: Tensor, fake: Tensor
    ) -> dict[str, Tensor]:
        """Terms that D pays beside the adversarial loss of examples `real` and `fake`; `c`: labels of both."""
        return {}


def joined(parts: Sequence[Tensor]) -> Float[Tensor, "n p"]:
    """Examples of their parts, [n, ...] each."""
    return torch.cat([part.flatten(1).float() for part in parts], 1)


def taken_apart(examples: Float[Tensor, "n p"], shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """The inverse of `joined`, for parts of these shapes."""
    parts = examples.split([math.prod(shape) for shape in shapes], 1)
    return [part.unflatten(1, tuple(shape)) for part, shape in zip(parts, shapes)]
