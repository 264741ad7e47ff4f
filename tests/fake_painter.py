"""A stand-in for a renderer: coloured waves that depend on every part of a recipe, in a millisecond."""

import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.recipe import Recipe, Source, map_seed, unpack_latent
from ganlab.serving.models import Tick
from ganlab.synthesis.steps import Step
from ganlab.synthesis.styles import StyleSpace, moved

ROWS = 8
W = 32


class FakePicture(NamedTuple):
    image: npt.NDArray[np.uint8]
    start: int
    start_name: str
    ms: float
    preview: bool


class FakePainter:
    """The same methods as `ganlab.synthesis.Renderer`."""

    def __init__(self, name: str = "fake", resolution: int = 64, classes: int = 0, slow: float = 0.0) -> None:
        self.name, self.resolution, self.classes, self.slow = name, resolution, classes, slow
        self.batches: list[int] = []
        self.space = StyleSpace([Step(f"layer {i}", "conv", 4, i, i, 100, 18) for i in range(ROWS)], ROWS)
        self.mixing = np.random.default_rng(7).normal(size=(ROWS, W, 18)) / 4

    def facts(self) -> dict[str, Any]:
        res = [max(4, self.resolution >> (3 - i // 2)) for i in range(ROWS)]
        bands = ["coarse", "coarse", "coarse", "middle", "middle", "middle", "fine", "fine"]
        names = [f"{r}x{r} conv{i % 2}" for i, r in enumerate(res)]
        return {
            "name": self.name, "title": f"A stand-in ({self.name})", "sha256": self.name * 8, "family": "fake",
            "resolution": self.resolution, "channels": 3, "num_ws": ROWS, "w_dim": W, "z_dim": W, "c_dim": self.classes,
            "classes": [f"kind {i}" for i in range(self.classes)],
            "rows": [{"row": i, "name": names[i], "resolution": res[i], "band": bands[i]} for i in range(ROWS)],
            "noises": [{"index": i, "name": names[i], "resolution": res[i], "strength": 0.1} for i in range(ROWS)],
            "layers": [{"index": i, "name": names[i], "resolution": res[i], "channels": 100} for i in range(ROWS)],
            "style_space": [
                {"layer": i, "name": names[i], "row": i, "first": 18 * i, "channels": 18} for i in range(ROWS)
            ],
            "no_style_space": "",
        }  # fmt: skip

    def pictures(
        self, recipes: list[Recipe], memory: Any = None, preview: int | None = None, exact: bool = True
    ) -> list[FakePicture]:
        began = time.perf_counter()
        time.sleep(self.slow)
        self.batches.append(len(recipes))
        images = [self._image(recipe, preview or self.resolution) for recipe in recipes]
        ms = 1000 * (time.perf_counter() - began)
        return [FakePicture(image, 0, "mapping", ms, preview is not None) for image in images]

    def activations(self, recipe: Recipe, layer: int) -> Tensor:
        side = self.facts()["layers"][layer]["resolution"]
        return torch.randn(100, side, side, generator=torch.Generator().manual_seed(layer + recipe.sources[0].seed))

    def noise_map(self, recipe: Recipe, draws: int, tick: Tick) -> npt.NDArray[np.float32]:
        for i in range(draws):
            if not tick(i + 1, draws):
                break
            time.sleep(self.slow)
        return np.random.default_rng(draws).random((self.resolution, self.resolution), dtype=np.float32)

    def _ws(self, source: Source) -> npt.NDArray[np.float64]:
        if source.recipe is not None:
            return self._styles(source.recipe)
        if source.latent:
            rows = unpack_latent(source.latent)
            if rows.shape[1] != W or len(rows) not in (1, ROWS):
                raise InvalidInput("latent", f"has rows of {rows.shape[1]}, this model needs {W}")
            return np.broadcast_to(rows, (ROWS, W)).astype(np.float64)
        i, j = int(np.floor(source.x)), int(np.floor(source.y))
        u, v = source.x - i, source.y - j
        w = np.zeros(W)
        for di, dj, part in ((0, 0, (1 - u) * (1 - v)), (1, 0, u * (1 - v)), (0, 1, (1 - u) * v), (1, 1, u * v)):
            if part:
                w += part * np.random.default_rng(map_seed(source.seed, i + di, j + dj)).normal(size=W)
        w += sum(0.8 * c.share * np.random.default_rng(10_000 + c.index).normal(size=W) for c in source.classes)
        return np.broadcast_to(w, (ROWS, W)).copy()

    def _styles(self, recipe: Recipe) -> npt.NDArray[np.float64]:
        total = sum(source.weight for source in recipe.sources)
        ws = sum((s.weight / total * self._ws(s) for s in recipe.sources), np.zeros((ROWS, W)))
        for mix in recipe.mixes:
            rows = list(mix.layers)
            if rows and max(rows) >= ROWS:
                raise InvalidInput("layers", f"{max(rows)} is out of range; this model has {ROWS}")
            ws[rows] += mix.strength * (self._ws(mix.source)[rows] - ws[rows])
        ws[: recipe.cutoff] *= recipe.psi
        for edit in recipe.edits:
            if edit.active and edit.space == "w":
                ws = moved(torch.from_numpy(np.asarray(ws)), edit).numpy()
        return np.asarray(ws)

    def _image(self, recipe: Recipe, side: int) -> npt.NDArray[np.uint8]:
        y, x = np.mgrid[0:side, 0:side] / side
        image = np.zeros((side, side, 3))
        offsets = self.space.offsets(recipe)
        for row, style in enumerate(self._styles(recipe)):
            k = (style @ self.mixing[row]).reshape(3, 6)
            k = k if offsets is None else k + offsets[18 * row : 18 * row + 18].numpy().reshape(3, 6)
            scale = 1.5 + row * 1.2
            for c in range(3):
                wave = scale * (k[c, 0] * x + k[c, 1] * y) * 2 + k[c, 2] * 2
                image[..., c] += (k[c, 3] + 0.3) / (1 + 0.4 * row) * np.sin(wave) * np.cos(scale * k[c, 4] * (x - y))
        if recipe.noise.mode != "none":
            seed = recipe.noise.seed if recipe.noise.mode == "random" else 12345
            strength = recipe.noise.strength[0] if recipe.noise.strength else 1.0
            noise = np.random.default_rng(seed).normal(size=(side, side, 1))
            for stroke in recipe.noise.strokes:
                other = np.random.default_rng(stroke.seed).normal(size=(side, side, 1)) * stroke.strength * 4
                near = np.exp(-(((x - stroke.x) ** 2 + (y - stroke.y) ** 2) / stroke.radius**2))[..., None]
                noise = noise * (1 - near) + other * near
            image += 0.08 * strength * noise
        return (127.5 + 110 * np.tanh(image)).clip(0, 255).astype(np.uint8)
