"""What the engines of all families share: a network as a list of steps that can be entered at any of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from ganlab.synthesis.store import Store


@dataclass(frozen=True)
class Step:
    """Features of one layer or block, or one step to colours."""

    name: str  # "64x64 conv0", as StyleGAN2 names its layers
    kind: str  # "conv" or "rgb"
    resolution: int  # of what it makes
    row: int | None  # of ws, its style
    noise: int | None  # its noise input
    channels: int  # that it makes


@dataclass(frozen=True)
class NoiseInput:
    """A place where a network takes noise."""

    resolution: int
    const: Tensor | None  # [H, W], the noise that the model carries; None: nothing is taken here
    strength: Tensor | None = None  # what the network multiplies it with, one number or one a channel
    scale: Tensor | float = 1.0  # what of that the engine wants done before: all of it, or nothing
    uniform: bool = False  # whether the network was trained on U(0, 1) instead of N(0, 1)


@runtime_checkable
class Maker(Protocol):
    """What computes a step."""

    def sources(self) -> list[int]:
        """The steps whose results it reads."""

    def __call__(self, ws: Tensor, noise: Sequence[Tensor | None], store: Store, i: int) -> None:
        """Makes step `i` from what `store` holds of earlier ones, and leaves it there."""


M = TypeVar("M", bound=Maker)


class Steps(Generic[M]):
    """A network that is run step by step. Read-only but for packed weights."""

    def __init__(self, num_ws: int, device: torch.device | str) -> None:
        self.num_ws, self.device = num_ws, torch.device(device)
        self.steps: list[Step] = []
        self.noises: list[NoiseInput] = []
        self._makers: list[M] = []

    def entry(self, step: int, store: Store) -> int:
        """The last step up to `step` that can be begun with what `store` holds from before."""
        while step > 0:
            missing = [source for source in self._makers[step].sources() if not store.holds(source)]
            if not missing:
                break
            step = min(missing)
        return step

    def needs(self, start: int) -> set[int]:
        """The steps before `start` whose results it and later steps read."""
        read = {source for maker in self._makers[start:] for source in maker.sources()}
        return {source for source in read if source < start}

    @torch.inference_mode()
    def run(
        self, ws: Tensor, noise: Sequence[Tensor | None], store: Store, start: int = 0, stop: int | None = None
    ) -> Tensor:
        """The image [N, C, H, W] after step `stop` (None: the last), begun at step `start` with what `store` holds.

        ws: [N, num_ws, w_dim]. noise: one entry a noise input, [H, W] or [N, 1, H, W] with its `scale` multiplied in,
        or None. `store` gets what each step makes.
        """
        last = len(self.steps) - 1 if stop is None else stop
        ws = ws.to(self.device)
        store.begin(len(ws))
        for i in range(start, last + 1):
            self.run_one(ws, noise, store, i)
        return store.get(max(i for i in range(last + 1) if self.steps[i].kind == "rgb"))

    def run_one(self, ws: Tensor, noise: Sequence[Tensor | None], store: Store, i: int) -> None:
        """One step of `run`."""
        self._makers[i](ws, noise, store, i)

    def _add(self, step: Step, maker: M) -> None:
        self.steps.append(step)
        self._makers.append(maker)

    def _last(self, kind: str) -> int | None:
        """The last step of a kind so far."""
        return next((i for i in reversed(range(len(self.steps))) if self.steps[i].kind == kind), None)
