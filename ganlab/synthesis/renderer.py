"""Recipes in, pictures out: `Renderer` holds one model, restarts at the first layer that differs, batches visitors."""

import math
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ganlab.config import InvalidInput
from ganlab.networks import (
    began,
    bigan,
    bigbigan,
    biggan,
    biggan_deep,
    dcgan,
    dcgan_norm,
    lapgan,
    lucidrains,
    mlp_images,
    progan,
    r3gan,
    stacked,
    stackgan,
    stylegan1,
    stylegan2,
    stylegan3,
    stylegan_xl,
    transgan,
    vitgan,
)
from ganlab.nn.mapping import StyleGenerator
from ganlab.recipe import Noise, Place, Recipe, Source
from ganlab.render.sheet import to_pixels
from ganlab.synthesis.engine import Engine
from ganlab.synthesis.latents import Latents
from ganlab.synthesis.noise import NoiseMaps
from ganlab.synthesis.plain import (
    BigGanEngine,
    LaterEngine,
    LevelsEngine,
    LucidrainsEngine,
    ProGanEngine,
    StagedEngine,
    StyleGan1Engine,
    StyleGan3Engine,
    VitGanEngine,
)
from ganlab.synthesis.steps import Steps
from ganlab.synthesis.store import LIMIT, Memory, Store
from ganlab.synthesis.styles import StyleSpace
from ganlab.weights.families import FAMILIES, family_of

MOST_TOGETHER = 512 << 20  # bytes of features of pictures that are computed in one batch
BANDS = ((8, "coarse"), (32, "middle"), (1 << 20, "fine"))  # up to this resolution
ENGINES: dict[type[nn.Module], Callable[[Any, str, torch.device | str], Steps[Any]]] = {
    stylegan2.Generator: Engine,
    stylegan1.Generator: StyleGan1Engine,
    stylegan3.Generator: StyleGan3Engine,
    stylegan_xl.Generator: StyleGan3Engine,
    biggan.Generator: BigGanEngine,
    biggan_deep.Generator: BigGanEngine,
    dcgan_norm.Generator: BigGanEngine,
    began.Generator: LaterEngine,
    transgan.Generator: LaterEngine,
    vitgan.Generator: VitGanEngine,
    lucidrains.Generator: LucidrainsEngine,
    bigbigan.Generator: BigGanEngine,
    bigan.Generator: StagedEngine,
    dcgan.Generator: StagedEngine,
    lapgan.Generator: LevelsEngine,
    stacked.Generator: LevelsEngine,
    stackgan.Generator: LevelsEngine,
    r3gan.Generator: StagedEngine,
    mlp_images.Generator: StagedEngine,
    progan.Generator: ProGanEngine,
}
Pixels = npt.NDArray[np.uint8]
Tick = Callable[[int, int], bool]  # (done, of) -> whether to go on


class Cancelled(Exception):
    """The one who asked for it wants it no more."""


@dataclass(frozen=True)
class Picture:
    """A finished picture and how it came about."""

    image: Pixels  # [H, W, 3]
    start: int  # step of the network that the computation began with; the number of steps if all was there already
    start_name: str  # its name, "64x64 conv1"; "nothing" if all was there
    ms: float  # time of computation; a batch's is divided among its pictures
    preview: bool  # whether it is the small early one


@dataclass(frozen=True)
class Lowered:
    """A recipe as the network sees it."""

    ws: Tensor  # [num_ws, w_dim]
    offsets: Tensor | None  # [channels of S], added to the styles
    noise: Noise
    place: Place
    keys: list[Hashable]  # per step; equal keys, and equal ones before it, mean an equal result


class Renderer:
    """One read-only model. To be used by one thread at a time; what belongs to a viewer stands in its `Memory`."""

    def __init__(
        self,
        G: nn.Module,
        name: str = "",
        sha256: str = "",
        title: str = "",
        classes: Sequence[str] = (),
        precision: str = "fp32",
        device: torch.device | str = "cpu",
    ) -> None:
        if not isinstance(G, StyleGenerator) or type(G) not in ENGINES:
            raise InvalidInput("model", f"is a {type(G).__name__}, which the labs cannot render")
        self.G: StyleGenerator = G.to(device).eval().requires_grad_(False)
        self.name, self.sha256, self.title, self.classes = name, sha256, title or name, tuple(classes)
        self.path: Path | None = None  # of the model's file, where it has one
        self.first: Source | None = None  # what a lab shows first, where the model's file names it
        self.engine = ENGINES[type(G)](G.synthesis, precision, device)
        self.steps = self.engine.steps
        self.latents = Latents(G.mapping, G.z_dim, G.c_dim, G.w_dim, G.num_ws)
        self.noise = NoiseMaps(self.engine.noises)
        self.space = StyleSpace(self.steps, self.engine.num_ws, self.engine.no_styles)
        self._rooms: dict[int, Store] = {}  # for pictures without a memory, by how many are made at once

    def facts(self) -> dict[str, Any]:
        """What a lab needs to know of the model, in JSON types."""
        G, engine = self.G, self.engine
        return {
            "name": self.name,
            "title": self.title,
            "sha256": self.sha256,
            "family": FAMILIES[family_of(G)].title,
            "resolution": G.img_resolution,
            "channels": G.img_channels,
            "num_ws": engine.num_ws,
            "w_dim": G.w_dim,
            "z_dim": G.z_dim,
            "c_dim": G.c_dim,
            "classes": list(self.classes),
            "first": {} if self.first is None else self.first.to_dict(),
            "rows": [self._row(row) for row in range(engine.num_ws)],
            "noises": [
                {"index": s.noise, "name": s.name, "resolution": s.resolution, "strength": self.noise.strength(s.noise)}
                for s in self.steps
                if s.noise is not None
            ],
            "layers": [
                {"index": i, "name": s.name, "resolution": s.resolution, "channels": s.channels}
                for i, s in enumerate(self.steps)
            ],
            "style_space": None if self.space.missing else self._style_space(),
            "no_style_space": self.space.missing,
            "moves": engine.moves,
        }

    def _row(self, row: int) -> dict[str, Any]:
        """A row of ws, named after the first layer that takes it."""
        first = min((step for step in self.steps if step.row == row), key=lambda step: step.kind != "conv")
        return {
            "row": row,
            "name": first.name,
            "resolution": first.resolution,
            "band": band(first.detail or first.resolution),
        }

    def _style_space(self) -> list[dict[str, Any]]:
        """Where the styles of each layer that takes one stand in S."""
        first = np.cumsum([0, *self.space.sizes]).tolist()
        return [
            {"layer": i, "name": s.name, "row": s.row, "first": first[i], "channels": s.styles}
            for i, s in enumerate(self.steps)
            if s.styles
        ]

    def lower(self, recipe: Recipe) -> Lowered:
        """The recipe for this model; what does not fit it raises `InvalidInput`."""
        if recipe.sha256 and self.sha256 and recipe.sha256 != self.sha256:
            raise InvalidInput(
                "model", f"this recipe was made with another {recipe.model or 'model'} than the one at hand"
            )
        self.noise.check(recipe.noise)
        ws, offsets = self.latents.ws(recipe), self.space.offsets(recipe)
        styles = [row.tobytes() for row in ws.numpy()]
        noises = self.noise.keys(recipe.noise)
        keys: list[Hashable] = [
            (None if s.row is None else styles[s.row], offset, None if s.noise is None else noises[s.noise])
            for s, offset in zip(self.steps, self.space.parts(offsets))
        ]
        if self.engine.moves:
            keys[0] = keys[0], recipe.place
        return Lowered(ws, offsets, recipe.noise, recipe.place, keys)

    @torch.inference_mode()
    def styles(self, recipe: Recipe) -> Tensor:
        """The styles of a recipe, all layers' one after the other (`facts()["style_space"]` tells where), [channels].

        To optimise with gradients, use `G.synthesis(ws, offsets=..., **surroundings(recipe))`, which counts channels in
        the same way.
        """
        if self.space.missing:
            raise InvalidInput("model", f"has no styles to be read: {self.space.missing}")
        low = self.lower(recipe)
        styles = self.engine.styles(low.ws[None])[0].cpu()
        return styles if low.offsets is None else styles + low.offsets

    def surroundings(self, recipe: Recipe) -> dict[str, Any]:
        """What else than ws and offsets makes its picture, as keyword arguments of `G.synthesis`: noise and place."""
        self.noise.check(recipe.noise)
        maps = [self.noise.plain(recipe.noise, i) for i in range(len(self.noise.inputs))]
        out: dict[str, Any] = {"noise": maps} if maps else {}
        if self.engine.moves:
            out["transform"] = _transform(recipe.place)[None].to(self.engine.device)
        return out

    @torch.inference_mode()
    def pictures(
        self,
        recipes: Sequence[Recipe],
        memory: Sequence[Memory | None] | None = None,
        preview: int | None = None,
        exact: bool = True,
    ) -> list[Picture]:
        """The picture of each recipe.

        memory: for each recipe what its viewer's last picture left; it is begun at the first layer that differs.
        preview: longest side of an early low-resolution picture, which the skip architecture has; larger: the full one.
        exact: each picture by itself, so that its pixels do not depend on the others. Computed together, which is
        faster, sums come in another order and a few pixels may differ by one level.
        """
        lowered = [self.lower(recipe) for recipe in recipes]
        memories = [m or Memory(0) for m in (memory if memory is not None else [None] * len(recipes))]
        if len({id(m) for m in memories}) < len(memories):
            raise ValueError("a memory serves one picture at a time")
        stop = self._stop(preview)
        starts = [self._start(m, low, stop, exact) for m, low in zip(memories, lowered)]
        most = 1 if exact else self._together(stop)
        out: dict[int, Picture] = {}
        for start in sorted(set(starts)):
            group = [k for k, s in enumerate(starts) if s == start]
            for first in range(0, len(group), most):
                part = group[first : first + most]
                keep = memory is not None and any(memory[k] is not None for k in part)
                made = self._make([lowered[k] for k in part], [memories[k] for k in part], start, stop, keep)
                out.update(zip(part, made))
        return [out[k] for k in range(len(recipes))]

    @torch.inference_mode()
    def image(self, recipe: Recipe, stop: int | None = None) -> Tensor:
        """The image [C, H, W], about in [-1, 1], not rounded to pixels."""
        low = self.lower(recipe)
        return self._run([low], self._room(1), 0, stop)[0].clone()

    @torch.inference_mode()
    def images(self, ws: Tensor, offsets: Tensor | None = None) -> Tensor:
        """The images [N, C, H, W], about in [-1, 1], of ws [N, num_ws, w_dim] with the noise that the model carries.

        offsets: [N, channels of S], added to the styles. All are made in one batch, without gradients.
        """
        maps = [self.noise.map(Noise(), i) for i in range(len(self.noise.inputs))]
        return self.engine.run(ws, maps, self._room(len(ws)), offsets=offsets).clone()

    @torch.inference_mode()
    def activations(self, recipe: Recipe, layer: int) -> Tensor:
        """What a layer (an index of `facts()["layers"]`) makes, [C, H, W]."""
        if not 0 <= layer < len(self.steps):
            raise InvalidInput("layer", f"must be from 0 to {len(self.steps) - 1}")
        low, store = self.lower(recipe), Store(1 << 40, self.engine.device)
        image = min(i for i, s in enumerate(self.steps) if s.kind == "rgb" and i >= layer)
        self._run([low], store, 0, image)
        made = store.get(layer)[0]
        return made[:, 1:-1, 1:-1] if self.steps[layer].kind == "conv" else made

    def noise_map(self, recipe: Recipe, draws: int = 32, tick: Tick | None = None) -> npt.NDArray[np.float32]:
        """Standard deviation of each pixel over draws of the noise, [H, W], mean over channels, images in [-1, 1].

        Pinned layers stay as they are (Karras et al. 2019, fig. 4).
        """
        shape = (self.G.img_channels, self.G.img_resolution, self.G.img_resolution)
        total, squares = np.zeros(shape), np.zeros(shape)
        for k in range(draws):
            if tick is not None and not tick(k, draws):
                raise Cancelled
            noise = replace(recipe.noise, mode="random", seed=k)
            image = self.image(replace(recipe, noise=noise)).cpu().double().numpy()  # MPS has no float64
            total, squares = total + image, squares + image**2
        variance = squares / draws - (total / draws) ** 2
        result: npt.NDArray[np.float32] = np.sqrt(np.maximum(variance, 0)).mean(0).astype(np.float32)
        return result

    def _stop(self, preview: int | None) -> int:
        """The step to end with."""
        ends = [i for i, s in enumerate(self.steps) if s.kind == "rgb"]
        small = [i for i in ends if preview is not None and self.steps[i].resolution <= preview]
        return small[-1] if small else ends[-1]

    def _start(self, memory: Memory, low: Lowered, stop: int, exact: bool) -> int:
        """The first step that must be made again."""
        if memory.owner is not self.engine:
            memory.forget(self.engine.device)
        if exact and not memory.exact:
            return 0
        same = 0
        for old, new in zip(memory.keys, low.keys):
            if old != new:
                break
            same += 1
        if same > stop:
            return stop + 1
        return self.engine.entry(same, memory.store)

    def _together(self, stop: int) -> int:
        per_picture = 4 * sum(s.channels * s.resolution**2 for s in self.steps[: stop + 1])
        return max(1, MOST_TOGETHER // per_picture)

    def _make(self, lowered: list[Lowered], memories: list[Memory], start: int, stop: int, keep: bool) -> list[Picture]:
        began = time.perf_counter()
        n, stores = len(lowered), [memory.store for memory in memories]
        store = (
            self._room(n)
            if not keep
            else stores[0]
            if n == 1
            else Store(sum(m.limit for m in memories), self.engine.device)
        )
        if keep and n > 1:
            store.gather(stores, {*self.engine.needs(start), stop} if start > stop else self.engine.needs(start))
        if start <= stop:
            for memory in memories:
                memory.keys = memory.keys[:start]  # should this fail, what follows is no longer what it was
            pixels = to_pixels(self._run(lowered, store, start, stop))
        else:
            pixels = to_pixels(store.get(stop))
        if keep and n > 1:
            store.scatter(stores, range(start, stop + 1))
        if keep and start <= stop:
            for memory, low in zip(memories, lowered):
                memory.owner, memory.keys = self.engine, low.keys[: stop + 1]
                memory.exact = n == 1 and (start == 0 or memory.exact)
        ms = (time.perf_counter() - began) * 1000 / n
        name = self.steps[start].name if start <= stop else "nothing"
        preview = stop < len(self.steps) - 1
        return [Picture(p, start if start <= stop else len(self.steps), name, ms, preview) for p in pixels]

    def _run(self, lowered: list[Lowered], store: Store, start: int, stop: int | None) -> Tensor:
        ws, offsets = torch.stack([low.ws for low in lowered]), None
        if any(low.offsets is not None for low in lowered):
            zero = torch.zeros(self.space.channels)
            offsets = torch.stack([zero if low.offsets is None else low.offsets for low in lowered])
        moved = torch.stack([_transform(low.place) for low in lowered]) if self.engine.moves else None
        return self.engine.run(ws, self._maps(lowered, start, stop), store, start, stop, offsets, moved)

    def _maps(self, lowered: list[Lowered], start: int, stop: int | None) -> list[Tensor | None]:
        """The noise inputs of a batch that the steps `start` .. `stop` take, None for the others."""
        last = len(self.steps) - 1 if stop is None else stop
        taken = {step.noise for step in self.steps[start : last + 1]}
        return [self._map(lowered, i) if i in taken else None for i in range(len(self.noise.inputs))]

    def _map(self, lowered: list[Lowered], index: int) -> Tensor | None:
        maps = [self.noise.map(low.noise, index) for low in lowered]
        given = [m for m in maps if m is not None]
        if not given:
            return None
        if len(maps) == 1 or all(m is maps[0] for m in maps):
            return maps[0]
        return torch.stack([torch.zeros_like(given[0]) if m is None else m for m in maps])[:, None]

    def _room(self, n: int) -> Store:
        """Memory for pictures that nobody keeps."""
        if n not in self._rooms:
            self._rooms.clear()
            self._rooms[n] = Store(LIMIT, self.engine.device)
        return self._rooms[n]


def _transform(place: Place) -> Tensor:
    return stylegan3.placed(place.right, place.down, math.radians(place.turn))


def band(resolution: int) -> str:
    """Coarse up to 8 px, middle up to 32, fine above (Karras et al. 2019, sec. 3.1)."""
    return next(name for most, name in BANDS if resolution <= most)
