"""Every random number of a training, as a function of (seed, kind, step): nothing to store, nothing to restore."""

import hashlib
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.data.densities import Density

CHUNK = 16  # steps drawn at once: one call of the random generator instead of sixteen
MOST_KEPT = 64  # chunks held before those that have passed are dropped


def generator(seed: int, *key: object) -> torch.Generator:
    """A generator of its own for every (seed, key)."""
    return torch.Generator().manual_seed(seed_of(seed, *key))


def seed_of(seed: int, *key: object) -> int:
    """A seed of its own for every (seed, key), 63 bits."""
    text = "/".join(map(str, (seed, *key)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Draws:
    """The draws of one seed on one density. GANs with equal seeds share one object, so they see the same data."""

    def __init__(self, density: Density, seed: int, dtype: torch.dtype = torch.float32) -> None:
        self.density, self.seed, self.dtype = density, seed, dtype
        self._kept: dict[tuple[object, ...], tuple[int, Tensor]] = {}

    def real(self, step: int, j: int, batch: int) -> Float[Tensor, "batch dim"]:
        """The batch of data for the j-th D-step of a step."""
        return self._at(step, ("real", j, batch), self._sample)

    def latents(self, step: int, j: int, batch: int, z_dim: int, kind: str) -> Float[Tensor, "batch z_dim"]:
        """z of the j-th D-step: N(0, I) for kind "normal", U(-1, 1) for "uniform"."""
        return self._at(step, (kind, j, batch, z_dim), _uniform_pm if kind == "uniform" else _normal)

    def uniform(self, kind: str, step: int, j: int, batch: int, width: int) -> Float[Tensor, "batch width"]:
        """U[0, 1) for the purpose named by `kind`."""
        return self._at(step, ("u-" + kind, j, batch, width), _uniform)

    def normal(self, kind: str, step: int, j: int, batch: int, width: int) -> Float[Tensor, "batch width"]:
        """N(0, 1) for the purpose named by `kind`."""
        return self._at(step, ("n-" + kind, j, batch, width), _normal)

    def _at(self, step: int, key: tuple[object, ...], draw: "Draw") -> Tensor:
        chunk = step // CHUNK
        held = self._kept.get(key)
        if held is None or held[0] != chunk:
            if len(self._kept) > MOST_KEPT:
                self._kept = {k: kept for k, kept in self._kept.items() if kept[0] == chunk}
            shape = (CHUNK, int(key[2]), int(key[3]) if len(key) > 3 else self.density.dim)  # type: ignore[call-overload]
            with torch.inference_mode(False):  # the fast engine's tensors could not be used with autograd
                held = chunk, draw(shape, generator(self.seed, *key, chunk)).to(self.dtype)
            self._kept[key] = held
        return held[1][step % CHUNK]

    def _sample(self, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
        return self.density.sample(shape[0] * shape[1], rng).view(shape)


Draw = Callable[[tuple[int, ...], torch.Generator], Tensor]


def _normal(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng)


def _uniform(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng)


def _uniform_pm(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng).mul_(2).sub_(1)
