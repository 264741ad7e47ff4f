"""S, the styles of all layers one after the other (StyleSpace, Wu et al. 2021), and what edits add to them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.recipe import Edit, Recipe, Source
from ganlab.synthesis.steps import Step


class StyleSpace:
    """Where the styles of each step of one model stand in S, [channels].

    A recipe's finished styles are those that the layers make of its ws, and offsets to them. Both are blended and mixed
    in the same way, so that a picture inside a blend, as at a moment of a film, is there with its edits.
    """

    def __init__(self, steps: Sequence[Step], num_ws: int, missing: str = "") -> None:
        """missing: why the model has none, a sentence."""
        self.num_ws, self.missing = num_ws, missing
        self.sizes = [step.styles for step in steps]
        self.channels = sum(self.sizes)
        rows = [-1 if step.row is None else step.row for step in steps]
        self.rows = torch.tensor(rows).repeat_interleave(torch.tensor(self.sizes))  # [channels], of ws

    def offsets(self, recipe: Recipe) -> Tensor | None:
        """What is added to the styles, [channels]; None for nothing. What does not fit raises `InvalidInput`."""
        whole = sum(source.weight for source in recipe.sources)
        total: Tensor | None = None
        for source in recipe.sources:
            inner = self._inside(source)
            if inner is not None:
                total = _sum(total, inner * (source.weight / whole))
        for mix in recipe.mixes:
            inner = self._inside(mix.source)
            if total is not None or inner is not None:
                here, other = (torch.zeros(self.channels) if x is None else x for x in (total, inner))
                mixed = torch.isin(self.rows, torch.tensor(mix.layers, dtype=torch.long))
                total = torch.where(mixed, here.lerp(other, mix.strength), here)
        for i, edit in enumerate(recipe.edits):
            if edit.active and edit.space == "s":
                try:
                    total = _sum(total, self._of(edit))
                except InvalidInput as error:
                    raise error.under(f"edits.{i}") from None
        return total

    def parts(self, offsets: Tensor | None) -> list[bytes | None]:
        """Of each step, its part of the offsets; None where that is zero: equal parts mean equal styles."""
        if offsets is None:
            return [None] * len(self.sizes)
        return [part.numpy().tobytes() if part.any() else None for part in offsets.split(self.sizes)]

    def _inside(self, source: Source) -> Tensor | None:
        return None if source.recipe is None else self.offsets(source.recipe)

    def _of(self, edit: Edit) -> Tensor:
        """What one edit adds, [channels]."""
        if self.missing:
            raise InvalidInput("space", f"cannot be s: {self.missing}")
        indices, values = edit.channels()
        if len(indices) and indices[-1] >= self.channels:
            raise InvalidInput(
                "direction", f"names style channel {indices[-1]}, and this model has {self.channels}: it is another's"
            )
        out = torch.zeros(self.channels)
        out[torch.from_numpy(indices)] = torch.from_numpy(values) * edit.strength
        if edit.layers is None:
            return out
        check_rows(edit, self.num_ws)
        return out * torch.isin(self.rows, torch.tensor(edit.layers))


def check_rows(edit: Edit, num_ws: int) -> None:
    """`InvalidInput` where an edit names layers that a model does not have."""
    if any(row >= num_ws for row in edit.layers or ()):
        raise InvalidInput("layers", f"must be from 0 to {num_ws - 1}, the layers of this model")


def moved(ws: Tensor, edit: Edit) -> Tensor:
    """ws [num_ws, w_dim] after an edit in W; what does not fit raises `InvalidInput`."""
    num_ws, w_dim = ws.shape
    check_rows(edit, num_ws)
    step = torch.from_numpy(edit.rows())
    if step.shape[1] != w_dim or len(step) not in (1, num_ws):
        raise InvalidInput(
            "direction",
            f"has the shape {len(step)} x {step.shape[1]}; this model needs 1 or {num_ws} rows of {w_dim}",
        )
    rows = list(range(num_ws) if edit.layers is None else edit.layers)
    ws = ws.clone()
    ws[rows] += edit.strength * step.expand(num_ws, -1)[rows]
    return ws


def _sum(total: Tensor | None, more: Tensor) -> Tensor:
    return more if total is None else total + more
