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

    continues = False  # whether fakes go on from something of data, whose class they have
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


class Levels(nn.Module):
    """ws to an image in levels: each makes something larger of what the one before has made, and reads a row of ws."""

    sides: list[int]  # pixels of what each level makes
    channels: list[int]
    num_ws: int

    def __init__(
        self, w_dim: int, img_resolution: int, img_channels: int, sides: list[int], channels: list[int]
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.sides, self.channels, self.num_ws = sides, channels, len(sides)

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        """What level k makes of what the one before it has made; level 0 of nothing."""
        raise NotImplementedError

    def torgb(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The last level has made an image."""
        return x

    def forward(
        self,
        ws: Float[Tensor, "n num_ws w_dim"],
        noise_mode: str = "random",
        noise: object = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image, about in [-1, 1]. There is no noise: the last three arguments change nothing."""
        x = None
        for k in range(self.num_ws):
            x = self.stage(k, x, ws[:, k])
        assert x is not None
        return x


def shared_out(z_dim: int, levels: int) -> list[slice]:
    """A part of z for each level, the first with what is left over."""
    each = z_dim // levels
    first = z_dim - each * (levels - 1)
    return [slice(0, first), *(slice(first + k * each, first + (k + 1) * each) for k in range(levels - 1))]


def class_planes(c: Float[Tensor, "n k"], side: int) -> Float[Tensor, "n k side side"]:
    """A label as constant channels."""
    return c[:, :, None, None].expand(-1, -1, side, side)
