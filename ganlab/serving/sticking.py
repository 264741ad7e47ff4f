"""The equivariance lab's server side: pictures with a moved input, a line of pixels over time, EQ-T and EQ-R."""

import math
import threading
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.metrics.equivariance import decibels, eq_r, eq_t
from ganlab.networks import stylegan2, stylegan3
from ganlab.render.sheet import Pixels, to_pixels
from ganlab.serving.following import Tick
from ganlab.serving.models import Catalogue
from ganlab.synthesis.moving import can_move, drawn, untrained

UNTRAINED = {
    "StyleGAN3-T, untrained": "stylegan3-t",
    "StyleGAN3-R, untrained": "stylegan3-r",
    "StyleGAN2, untrained": "stylegan2",
}
SIDES: dict[str, type] = {"stylegan3": stylegan3.Generator, "stylegan2": stylegan2.Generator}
FRAMES = 32  # of a line over time
FAR = 0.25  # parts of the width that a picture moves by in that time
WALK = 0.35  # how far towards the other latent a walk goes: far enough to see, and still the same picture
PICTURES, MOVES = 2, 5  # of EQ-T and EQ-R
SHOWN = 320  # pixels of a picture on the page, about
WAYS = {"move": "Move right", "turn": "Turn", "walk": "Walk between latents"}


class Place(NamedTuple):
    """Where the input is, as a page has it: parts of the width, and degrees clockwise; nothing is checked yet."""

    right: Any = 0.0
    down: Any = 0.0
    turn: Any = 0.0


class Sticking:
    """All that the lab shows; slow, may be called from any thread."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    def models(self, side: str) -> list[str]:
        """Names of the StyleGAN3s, or of the StyleGAN2s, that are here; those without training last."""
        found = []
        for row in self.catalogue.menu():
            if row["ready"] and row["kind"] != "zoo" and isinstance(self._network(row["name"]), SIDES[side]):
                found.append(row["name"])
        found += [row["name"] for row in self.catalogue.menu() if row["ready"] and _in_zoo(row, side)]
        return [*found, *(name for name, family in UNTRAINED.items() if family.startswith(side))]

    def picture(self, model: Any, seed: Any, place: Place) -> Pixels:
        """The picture of a seed with its input at a place."""
        G = self._generator(model)
        right, down = (_number(name, getattr(place, name), -1, 1) for name in ("right", "down"))
        turn = math.radians(_number("turn", place.turn, -360, 360))
        return _large(drawn(G, _latents(G, seed, 1), right, down, turn))

    def line(self, model: Any, seed: Any, way: Any, tick: Tick) -> Pixels:
        """The middle row of pixels while the picture moves, turns or changes, one row a moment, the first on top."""
        if way not in WAYS:
            raise InvalidInput("way", f"must be one of {', '.join(WAYS)}")
        G = self._generator(model)
        ends = _latents(G, seed, 2)
        rows = []
        for i in range(FRAMES):
            tick(f"{model}: moments", i, FRAMES)
            at = i / (FRAMES - 1)
            ws = ends[:1] + (ends[1:] - ends[:1]) * (at * WALK if way == "walk" else 0.0)
            right, turn = (FAR * at if way == "move" else 0.0), (math.pi / 2 * at if way == "turn" else 0.0)
            image = drawn(G, ws, right, 0.0, turn)
            rows.append(image[..., image.shape[-2] // 2, :])
        return _large(torch.stack(rows, 2))

    def equivariance(self, model: Any, seed: Any, tick: Tick) -> tuple[float, float]:
        """EQ-T and EQ-R in decibels, of a few pictures and moves."""
        G = self._generator(model)
        ws, done = _latents(G, seed, PICTURES), 0

        def draw(right: float, down: float, turn: float) -> Tensor:
            nonlocal done
            tick(f"{model}: moved pictures", done, 2 * MOVES + 2)
            done += 1
            return drawn(G, ws, right, down, turn).cpu()

        rng = torch.Generator().manual_seed(0)
        return decibels(eq_t(draw, MOVES, rng)), decibels(eq_r(draw, MOVES, rng))

    def _generator(self, model: Any) -> Any:
        if not isinstance(model, str) or not model:
            raise InvalidInput("model", "is missing: choose one of the menu")
        with self._lock:
            if model in UNTRAINED and model not in self._made:
                self._made[model] = untrained(UNTRAINED[model])
        G = self._made[model] if model in UNTRAINED else self._network(model)
        if not can_move(G):
            raise InvalidInput("model", f"“{model[:60]}” is neither a StyleGAN3 nor a StyleGAN2; choose one that is")
        return G

    def _network(self, name: str) -> Any:
        return getattr(self.catalogue.load(name), "G", None)


def _in_zoo(row: dict[str, Any], side: str) -> bool:
    """Whether a downloaded model is one of these, by its name: loading all would take minutes."""
    return row["kind"] == "zoo" and row["name"].startswith("stylegan3") == (side == "stylegan3")


def _latents(G: Any, seed: Any, count: int) -> Tensor:
    """ws of some latents of a seed; of a class each where the model has classes."""
    rng = torch.Generator().manual_seed(int(_number("seed", seed, 0, 2**31 - 1)))
    device = next(G.parameters()).device
    z, c_dim = torch.randn(count, int(G.z_dim), generator=rng), int(G.c_dim)
    c = torch.nn.functional.one_hot(torch.randint(c_dim, (1,), generator=rng).expand(count), c_dim) if c_dim else None
    with torch.inference_mode():
        ws: Tensor = G.mapping(z.to(device), None if c is None else c.float().to(device), truncation_psi=0.8)
    return ws


def _large(images: Tensor) -> Pixels:
    """The first picture with each pixel as a square."""
    pixels = to_pixels(images[:1])[0]
    times = max(1, SHOWN // pixels.shape[1])
    return pixels.repeat(times, 0).repeat(times, 1)


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(name, f"must be a number from {low:g} to {high:,g}")
    return float(value)
