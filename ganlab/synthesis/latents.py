"""Recipes lowered to what the network eats: a style per layer."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.recipe import ClassShare, Recipe, Source, map_seed, unpack_latent
from ganlab.synthesis.styles import moved

REMEMBERED = 4096  # w vectors that are kept
CENTER_SAMPLES = 4096  # draws whose mean is the centre of a class
CENTER_SEED = 0


def z_of(seed: int, z_dim: int) -> Tensor:
    """The latent [z_dim] of a seed: numpy's old generator, as in the official scripts, so that their seeds agree."""
    return torch.from_numpy(np.random.RandomState(seed).randn(z_dim)).float()


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """From a to b along the sphere, the length interpolated linearly (Shoemake 1985; White 2016)."""
    length = torch.lerp(a.norm(), b.norm(), t)
    a, b = a / a.norm().clamp_min(1e-12), b / b.norm().clamp_min(1e-12)
    angle = torch.acos((a @ b).clamp(-1, 1))
    if angle < 1e-4 or angle > math.pi - 1e-4:
        return torch.lerp(a, b, t) * length
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle) * length


class Latents:
    """The mapping network of one model, and what it remembers of it."""

    def __init__(self, mapping: nn.Module, z_dim: int, c_dim: int, w_dim: int, num_ws: int) -> None:
        self.mapping, self.z_dim, self.c_dim, self.w_dim, self.num_ws = mapping, z_dim, c_dim, w_dim, num_ws
        self._truncate: Any = getattr(mapping, "truncated", None)  # of a family that has a way of its own
        self._w: OrderedDict[tuple[int, tuple[ClassShare, ...]], Tensor] = OrderedDict()
        self._centers: dict[int, Tensor] = {}

    @torch.inference_mode()
    def ws(self, recipe: Recipe) -> Tensor:
        """The styles of a recipe, [num_ws, w_dim]; what does not fit this model raises `InvalidInput`."""
        if recipe.cutoff is not None and recipe.cutoff > self.num_ws:
            raise InvalidInput("cutoff", f"must be from 0 to {self.num_ws}, the layers of this model")
        ws = self._blend(recipe)
        for i, mix in enumerate(recipe.mixes):
            rows = list(mix.layers)
            if any(row >= self.num_ws for row in rows):
                raise InvalidInput(
                    f"mixes.{i}.layers", f"must be from 0 to {self.num_ws - 1}, the layers of this model"
                )
            if rows:
                other = self._truncated(mix.source, recipe)
                ws = ws.clone()
                ws[rows] = ws[rows].lerp(other[rows], mix.strength)
        for i, edit in enumerate(recipe.edits):
            if edit.active and edit.space == "w":
                try:
                    ws = moved(ws, edit)
                except InvalidInput as error:
                    raise error.under(f"edits.{i}") from None
        return ws

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, label: int | None = None) -> Tensor:
        """w [n, w_dim] of z ~ N(0, I), of one class of a conditional model, or of classes drawn evenly."""
        z = torch.randn(n, self.z_dim, generator=generator)
        c = torch.zeros(n, self.c_dim)
        if self.c_dim:
            if label is not None and not 0 <= label < self.c_dim:
                raise InvalidInput("label", f"must be from 0 to {self.c_dim - 1}, the classes of this model")
            drawn = torch.randint(self.c_dim, (n,), generator=generator)
            c[torch.arange(n), drawn if label is None else label] = 1
        return torch.cat([self._map(*pair) for pair in zip(z.split(512), c.split(512))])

    def _blend(self, recipe: Recipe) -> Tensor:
        weights = [source.weight for source in recipe.sources]
        parts = [weight / sum(weights) for weight in weights]
        if recipe.space == "w" or len(parts) == 1:
            rows = [self._truncated(source, recipe) * part for source, part in zip(recipe.sources, parts)]
            return rows[0] if len(rows) == 1 else torch.stack(rows).sum(0)
        zs = [z_of(self._seed(source), self.z_dim) for source in recipe.sources]
        z = _slerp_all(zs, parts) if recipe.space == "z_slerp" else _lerp_all(zs, parts)
        c = torch.stack([self._label(s.classes) * part for s, part in zip(recipe.sources, parts)]).sum(0)
        w = self._map(z[None], c[None])[0]
        center = torch.stack([self._center(recipe, s.classes) * part for s, part in zip(recipe.sources, parts)]).sum(0)
        return self._toward(center, w.expand(self.num_ws, -1), recipe)

    def _truncated(self, source: Source, recipe: Recipe) -> Tensor:
        """One source's styles [num_ws, w_dim]; those of another recipe were truncated there."""
        if source.recipe is not None:
            return self.ws(source.recipe)
        return self._toward(self._center(recipe, source.classes), self._rows(source), recipe)

    def _toward(self, center: Tensor, rows: Tensor, recipe: Recipe) -> Tensor:
        cutoff = self.num_ws if recipe.cutoff is None else recipe.cutoff
        if recipe.psi == 1 or cutoff == 0:
            return rows
        near, far = rows[:cutoff], rows[cutoff:]
        if self._truncate is not None:
            return torch.cat([self._truncate(near, center, recipe.psi), far])
        return torch.cat([center.lerp(near, recipe.psi), far])

    def _rows(self, source: Source) -> Tensor:
        if source.latent:
            rows = torch.from_numpy(unpack_latent(source.latent))
            if rows.shape[1] != self.w_dim or rows.shape[0] not in (1, self.num_ws):
                raise InvalidInput(
                    "latent",
                    f"has the shape {rows.shape[0]} x {rows.shape[1]}; this model needs 1 or {self.num_ws} rows "
                    f"of {self.w_dim}",
                )
            return rows.expand(self.num_ws, -1)
        i, j = math.floor(source.x), math.floor(source.y)
        fx, fy = source.x - i, source.y - j
        w = torch.zeros(self.w_dim)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            part = (fx if dx else 1 - fx) * (fy if dy else 1 - fy)
            if part:
                w = w + self._w_of(map_seed(source.seed, i + dx, j + dy), source.classes) * part
        return w.expand(self.num_ws, -1)

    def _seed(self, source: Source) -> int:
        return map_seed(source.seed, round(source.x), round(source.y))

    def _w_of(self, seed: int, classes: tuple[ClassShare, ...]) -> Tensor:
        key = (seed, classes)
        if key not in self._w:
            self._w[key] = self._map(z_of(seed, self.z_dim)[None], self._label(classes)[None])[0]
            if len(self._w) > REMEMBERED:
                self._w.popitem(last=False)
        self._w.move_to_end(key)
        return self._w[key]

    def _label(self, classes: tuple[ClassShare, ...]) -> Tensor:
        """A mixture of classes as a label [c_dim] that sums to 1; the first class where none is named."""
        if self.c_dim == 0 and classes:
            raise InvalidInput("classes", "cannot be chosen: this model was trained without classes")
        label = torch.zeros(self.c_dim)
        for share in classes:
            if share.index >= self.c_dim:
                raise InvalidInput("classes", f"has number {share.index}; this model's go from 0 to {self.c_dim - 1}")
            label[share.index] += share.share
        if self.c_dim and float(label.sum()) <= 0:
            label[0] = 1.0
        return label / label.sum() if self.c_dim else label

    def _map(self, z: Tensor, c: Tensor) -> Tensor:
        """w [n, w_dim] without truncation."""
        device = self._average().device
        ws = self.mapping(z.to(device), c.to(device) if self.c_dim else None)
        return (ws[:, 0] if ws.ndim == 3 else ws).cpu()

    def _center(self, recipe: Recipe, classes: tuple[ClassShare, ...]) -> Tensor:
        if recipe.center == "mean" or self.c_dim == 0:
            return self._mean()
        label = self._label(classes)
        used = label.nonzero()[:, 0].tolist()
        return torch.stack([self._class_center(k) * label[k] for k in used]).sum(0)

    def _mean(self) -> Tensor:
        return self._average().cpu()

    def _average(self) -> Tensor:
        average = self.mapping.w_avg
        assert isinstance(average, Tensor)
        return average

    def _class_center(self, index: int) -> Tensor:
        """The mean w of a class."""
        if index not in self._centers:
            z = torch.from_numpy(np.random.RandomState(CENTER_SEED).randn(CENTER_SAMPLES, self.z_dim)).float()
            c = torch.zeros(CENTER_SAMPLES, self.c_dim)
            c[:, index] = 1
            self._centers[index] = torch.cat([self._map(*pair) for pair in zip(z.split(512), c.split(512))]).mean(0)
        return self._centers[index]


def _slerp_all(zs: Sequence[Tensor], parts: Sequence[float]) -> Tensor:
    """Slerp of several points, one after the other, each by its part of what has been blended so far."""

    def step(so_far: tuple[Tensor, float], point: tuple[Tensor, float]) -> tuple[Tensor, float]:
        total = so_far[1] + point[1]
        return slerp(so_far[0], point[0], point[1] / total if total else 0.0), total

    return reduce(step, zip(zs, parts))[0]


def _lerp_all(zs: Sequence[Tensor], parts: Sequence[float]) -> Tensor:
    return torch.stack([z * part for z, part in zip(zs, parts)]).sum(0)
