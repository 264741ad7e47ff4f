"""Gradient penalties and weight decay of many GANs at once, with their second derivatives written by hand."""

import torch
from torch import Tensor

from ganlab.regularizers import NORM_EPS, REGULARIZERS, at_fake, at_real, two_sided
from ganlab.run import Penalty
from ganlab.training.draws import Draws
from ganlab.training.fused_net import Activations, FusedNet


class Lazy:
    """Weights that count only every n-th step, n times as much (lazy regularization, Karras et al. 2020, app. B)."""

    def __init__(self, items: list[Penalty], dtype: torch.dtype, scale: float = 1.0) -> None:
        self.intervals = [item.interval for item in items]
        self.weights = torch.tensor([scale * p.weight * p.interval for p in items], dtype=dtype).view(-1, 1, 1)
        self._at: dict[tuple[bool, ...], Tensor | None] = {}

    def at(self, step: int) -> Tensor | None:
        """The weights at a step, [len(items), 1, 1]; None if all are 0."""
        due = tuple(step % n == 0 for n in self.intervals)
        if due not in self._at:
            column = torch.tensor(due).view(-1, 1, 1)
            self._at[due] = self.weights * column if any(due) else None
        return self._at[due]


class GradientPenalties:
    """All the gradient penalties of K discriminators, P of them: penalty p belongs to network `of[p]`.

    Exact because the activations are piecewise linear: D's input gradient is a product of weights and masks.
    """

    def __init__(self, items: list[tuple[int, Penalty]], d: FusedNet, batch: int) -> None:
        seen = (at_real, at_fake)  # D has been there in its own forward pass
        items = sorted(items, key=lambda item: REGULARIZERS[item[1].name].points in seen)
        rows = [(i, REGULARIZERS[p.name]) for i, p in items]
        self.fresh = [(i, row.points) for i, row in rows if row.points and row.points not in seen]
        fakes = [row.points is at_fake for _, row in rows]
        self.rows = [(i, slice(batch, 2 * batch) if fake else slice(batch)) for (i, _), fake in zip(rows, fakes)]
        self.of = torch.tensor([i for i, _ in items])
        dtype = d.p.dtype
        self.weights = Lazy([p for _, p in items], dtype, 1 / batch)
        self.two_sided = torch.tensor([row.of_norm is two_sided for _, row in rows]).view(-1, 1, 1)
        self.batch, self.any_two_sided = batch, bool(self.two_sided.any())
        self.at = Activations(len(items), batch, d)
        self.at_fresh = self.at.first(len(self.fresh))
        self.x = torch.empty(len(self.fresh), batch, d.d_in, dtype=dtype)

    def add(
        self, d: FusedNet, w: list[Tensor], x: Tensor, seen: Activations, draws: list[Draws], now: tuple[int, int]
    ) -> None:
        """Adds the gradient of sum weight * E[of_norm(|grad_x D(x)|)] to `d.grads`.

        x [K, 2B, dim]: what D has seen, real rows first; seen: its activations there; now: (step, j).
        """
        weight = self.weights.at(now[0])
        if weight is None:
            return
        a = self.at
        w0, b1, w2, b2, w4 = (v.index_select(0, self.of) for v in w[:5])
        self._forward(d, [w0, b1, w2, b2], x, seen, draws, now)
        d.mask(w4.expand_as(a.h2), a.h2, a.d2)  # D(x).sum() has output gradient 1
        torch.bmm(a.d2, w2.mT, out=a.d1)
        d.mask(a.d1, a.h1, a.d1)
        torch.bmm(w0, a.d1.mT, out=a.dx)  # grad_x D(x), [P, dim, B]
        if self.any_two_sided:
            norm = (a.dx.square().sum(1, keepdim=True) + NORM_EPS).sqrt_()
            weight = torch.where(self.two_sided, 2 - 2 / norm, 1.0) * weight
        v = a.dx.mul_(weight)  # derivative of the penalty by the gradient
        d.grads[0].index_add_(0, self.of, torch.bmm(v, a.d1))
        torch.bmm(v.mT, w0, out=a.d1)
        d.mask(a.d1, a.h1, a.d1)
        d.grads[2].index_add_(0, self.of, torch.bmm(a.d1.mT, a.d2))
        torch.bmm(a.d1, w2, out=a.d2)
        d.mask(a.d2, a.h2, a.d2)
        d.grads[4].index_add_(0, self.of, a.d2.sum(1, keepdim=True))

    def _forward(
        self, d: FusedNet, w: list[Tensor], x: Tensor, seen: Activations, draws: list[Draws], now: tuple[int, int]
    ) -> None:
        """The hidden layers at the points of each penalty: computed where they are new, copied where D has been."""
        b, fresh = self.batch, len(self.fresh)
        for p, (i, points) in enumerate(self.fresh):
            u = draws[i].uniform("penalty", *now, b, 1 + d.d_in)
            self.x[p] = points(x[i, :b], x[i, b:], u[:, :1], u[:, 1:])
        if fresh:
            d.hidden(self.at_fresh, self.x, [v[:fresh] for v in w])
        for p, (i, rows) in enumerate(self.rows[fresh:], start=fresh):
            self.at.h1[p], self.at.h2[p] = seen.h1[i, rows], seen.h2[i, rows]
