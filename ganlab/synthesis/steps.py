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
    styles: int = 0  # numbers that it makes of its row: its part of S
    detail: int = 0  # pixels that would show all it can hold, where that is less than its resolution; 0: as many


@dataclass(frozen=True)
class NoiseInput:
    """A place where a network takes noise."""

    resolution: int
    const: Tensor | None  # [H, W], the noise that the model carries; None: nothing is taken here
    strength: Tensor | None = None  # what the network multiplies it with, one number or one a channel
    scale: Tensor | float = 1.0  # what of that the engine wants done before: all of it, or nothing
    uniform: bool = False  # whether the network was trained on U(0, 1) instead of N(0, 1)


@dataclass(frozen=True)
class Inputs:
    """What the steps make pictures from."""

    ws: Tensor  # [N, num_ws, w_dim]
    noise: Sequence[Tensor | None]  # one entry a noise input, [H, W] or [N, 1, H, W] with its `scale` multiplied in
    offsets: Sequence[Tensor | None] = ()  # one entry a step, [N, styles]: added to its styles; empty: nothing
    transform: Tensor | None = None  # [N, 3, 3] of the input, where the engine `moves`

    def __len__(self) -> int:
        return len(self.ws)

    def offset(self, i: int) -> Tensor | None:
        """What is added to the styles of step `i`."""
        return self.offsets[i] if self.offsets else None


@runtime_checkable
class Maker(Protocol):
    """What computes a step."""

    def sources(self) -> list[int]:
        """The steps whose results it reads."""

    def styles(self, ws: Tensor) -> Tensor:
        """What it makes of its row, [N, styles], without offsets; nothing where it takes no style."""

    def __call__(self, given: Inputs, store: Store, i: int) -> None:
        """Makes step `i` from what `store` holds of earlier ones, and leaves it there."""


M = TypeVar("M", bound=Maker)


class Steps(Generic[M]):
    """A network that is run step by step. Read-only but for packed weights."""

    no_styles = ""  # a sentence that says why the family has none
    moves = False  # whether the first step can be shifted and turned, and the picture with it

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
        self,
        ws: Tensor,
        noise: Sequence[Tensor | None],
        store: Store,
        start: int = 0,
        stop: int | None = None,
        offsets: Tensor | None = None,
        transform: Tensor | None = None,
    ) -> Tensor:
        """The image [N, C, H, W] after step `stop` (None: the last), begun at step `start` with what `store` holds.

        ws, noise, transform: as `Inputs` has them. offsets: [N, all styles], for the styles of all steps, one after the
        other. `store` gets what each step makes.
        """
        last = len(self.steps) - 1 if stop is None else stop
        parts = () if offsets is None else offsets.to(self.device).split([step.styles for step in self.steps], 1)
        moved = None if transform is None else transform.to(self.device)
        given = Inputs(ws.to(self.device), noise, parts, moved)
        store.begin(len(ws))
        for i in range(start, last + 1):
            self.run_one(given, store, i)
        return store.get(max(i for i in range(last + 1) if self.steps[i].kind == "rgb"))

    def run_one(self, given: Inputs, store: Store, i: int) -> None:
        """One step of `run`."""
        self._makers[i](given, store, i)

    @torch.inference_mode()
    def styles(self, ws: Tensor) -> Tensor:
        """S: the styles of all steps, one after the other, [N, all styles], of ws [N, num_ws, w_dim]."""
        ws = ws.to(self.device)
        return torch.cat([maker.styles(ws) for maker in self._makers], 1)

    def _add(self, step: Step, maker: M) -> None:
        self.steps.append(step)
        self._makers.append(maker)

    def _last(self, kind: str) -> int | None:
        """The last step of a kind so far."""
        return next((i for i in reversed(range(len(self.steps))) if self.steps[i].kind == kind), None)
