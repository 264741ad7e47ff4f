"""One moment of a race as bytes for a browser: a JSON header, then small integers in the order that it names.

Layout: u32 length of the header (little-endian), the header in UTF-8, padding to a multiple of 4, the sections. A
section holds the same number of values for each GAN, GAN after GAN; coordinates are int16 in units of extent / 16384.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganlab.config import Config, knob
from ganlab.losses import LOSSES
from ganlab.metrics.divergence import grid_points, histogram_density, optimal_discriminator
from ganlab.training.arena import Arena
from ganlab.training.draws import generator

POINTS = 400  # fakes a frame shows
HEAT = 48  # cells per side of the heatmap
LINE = 160  # points of the curves over x for 1D data
ARROWS = 60
LATTICE = 15  # lines per side of the manifold's grid
MANY = 4096  # samples behind the estimate of p_g
UNIT = 16384


@dataclass(frozen=True)
class View(Config):
    """What frames show besides the fakes."""

    heat: str = knob("d", "D(x), the optimal D, or nothing", choices=("d", "optimal", "off"))
    arrows: bool = knob(False, "How G's loss pushes the fakes")
    lattice: bool = knob(False, "Where G takes a grid of latents")


class Painter:
    """Makes frames of one arena; what stays the same (latents, grids, the data's histogram) is made once."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        data = arena.density
        self.side = LINE if data.dim == 1 else HEAT
        self.grid = grid_points(data.extent, self.side, data.dim)
        real = data.sample(100_000, generator(arena.run.seed, "painter"))
        self.p_data = histogram_density(real, data.extent, self.side)
        if data.dim == 1 and data.exact:
            self.p_data = data.log_prob(self.grid).exp()
        self.real = real[:1000]
        self._kinds: list[tuple[int, str]] = []
        self._latents: dict[str, list[Tensor]] = {}

    def sections(self, view: View) -> list[tuple[str, np.ndarray]]:
        """(name, values [K, ...]) of everything that the view asks for."""
        self._refresh()
        arena, dim = self.arena, self.arena.dim
        fakes = arena.generate(self._latents["points"])  # [K, N, dim]
        out = [("fakes", self._coordinates(fakes))]
        if dim == 1:
            many = arena.generate(self._latents["many"])
            p_g = histogram_density(many, arena.density.extent, self.side, smooth=2)
            out.append(("p_g", p_g.numpy().astype(np.float32)))
            out.append(("lines", self._coordinates(arena.generate(self._latents["lines"]))))
        if view.heat != "off":
            out.append(("heat", self._heat(view.heat)))
        if view.arrows and dim == 2:
            out.append(("arrows", self._arrows(fakes[:, :ARROWS].contiguous())))
        if view.lattice and dim == 2:
            out.append(("lattice", self._coordinates(arena.generate(self._latents["lattice"]))))
        return out

    def scene(self) -> dict[str, Any]:
        """What a browser must know of the data, once."""
        data = self.arena.density
        return {
            "dim": data.dim,
            "extent": data.extent,
            "side": self.side,
            "lattice": LATTICE,
            "real": self._coordinates(self.real[None])[0].ravel().tolist(),
            "modes": None if data.modes is None else data.modes.tolist(),
            "sigma": data.sigma,
            "p_data": self.p_data.tolist() if data.dim == 1 else None,
            "z_lines": [z[:, 0].tolist() for z in self._refresh()["lines"]] if data.dim == 1 else None,
        }

    def _refresh(self) -> dict[str, list[Tensor]]:
        """The latents, drawn anew only when the noise's dimension or kind was changed."""
        configs = self.arena.configs
        kinds = [(c.z_dim, c.z_kind) for c in configs]
        if kinds != self._kinds:
            self._kinds = kinds
            lattices, lines = {kind: _lattice(*kind) for kind in kinds}, {kind: _line(*kind) for kind in kinds}
            self._latents = {
                "points": self.arena.latents(POINTS),
                "many": self.arena.latents(MANY, "many"),
                "lattice": [lattices[kind] for kind in kinds],
                "lines": [lines[kind] for kind in kinds],
            }
        return self._latents

    def _heat(self, kind: str) -> np.ndarray:
        arena = self.arena
        if kind == "optimal":
            many = arena.generate(self._latents["many"])
            p_g = histogram_density(many, arena.density.extent, self.side, smooth=2)
            unit = optimal_discriminator(self.p_data.expand_as(p_g), p_g)
        else:
            scores = arena.scores(self.grid)
            unit = torch.stack(
                [LOSSES[c.loss].to_unit(s.nan_to_num()) for c, s in zip(arena.configs, scores, strict=True)]
            )
        return (unit.nan_to_num(0.5) * 255).round().numpy().astype(np.uint8)

    def _arrows(self, fakes: Tensor) -> np.ndarray:
        """(x, y, dx, dy) of each fake: minus the gradient of G's loss by the point, its length bounded for the eye."""
        arena, extent = self.arena, self.arena.density.extent
        h = 1e-3 * extent
        shifts = torch.tensor([[h, 0], [-h, 0], [0, h], [0, -h], [0, 0]])
        k, n, _ = fakes.shape
        scores = arena.scores((fakes[:, :, None] + shifts).reshape(k, n * 5, 2)).reshape(k, n, 5)
        slope = torch.stack([scores[..., 0] - scores[..., 1], scores[..., 2] - scores[..., 3]], -1) / (2 * h)
        real = arena.scores(self.real)
        pull = torch.stack(
            [_pull(LOSSES[c.loss].g, r, s[:, 4]) for c, r, s in zip(arena.configs, real, scores, strict=True)]
        )
        push = slope * pull[..., None] * extent  # force per half box width
        length = push.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        arrow = push / length * torch.tanh(length / 2) * 0.18 * extent
        return self._coordinates(torch.cat([fakes, arrow], -1))

    def _coordinates(self, x: Tensor) -> np.ndarray:
        unit = (x / self.arena.density.extent).nan_to_num(9.0).clamp(-1.99, 1.99)
        return (unit * UNIT).round().numpy().astype(np.int16)


def pack(header: dict[str, Any], sections: list[tuple[str, np.ndarray]]) -> bytes:
    """A frame's bytes."""
    layout, blobs, at = [], [], 0
    for name, values in sections:
        blob = np.ascontiguousarray(values).tobytes()
        blob += b"\0" * (-len(blob) % 4)
        layout.append([name, values.dtype.name, at, int(values[0].size)])
        blobs.append(blob)
        at += len(blob)
    text = json.dumps({**header, "sections": layout}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + b"".join(blobs)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, values [K, n] by name) of a frame: what the browser does, for films and tests."""
    size = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + size])
    body, out = data[4 + size :], {}
    for name, kind, at, per in header["sections"]:
        k = len(header["gans"])
        out[name] = np.frombuffer(body, kind, k * per, at).reshape(k, per)
    return header, out


def _pull(g_loss: Callable[..., Tensor], real: Tensor, scores: Tensor) -> Tensor:
    """How much G's loss falls as each score rises (1 for a critic, near 0 where a loss saturates)."""
    n = min(len(real), len(scores))
    s = scores[:n, None].detach().clone().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(g_loss(real[:n, None], s), s)
    return (-gradient[:, 0] * n).abs()


def _lattice(z_dim: int, kind: str) -> Tensor:
    span = 1.0 if kind == "uniform" else 2.0
    axis = torch.linspace(-span, span, LATTICE)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)  # [L * L, 2]
    z = torch.zeros(LATTICE * LATTICE, z_dim)
    z[:, : min(2, z_dim)] = grid[:, : min(2, z_dim)]
    return z


def _line(z_dim: int, kind: str) -> Tensor:
    span = 1.0 if kind == "uniform" else 2.5
    z = torch.zeros(41, z_dim)
    z[:, 0] = torch.linspace(-span, span, 41)
    return z
