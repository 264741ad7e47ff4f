"""The fast engine: K two-hidden-layer GANs with any mix of losses and penalties, advanced by batched products.

It makes the very steps of `step.py` (tests hold the two together), without autograd. Penalties' second derivatives
are exact because the activations are piecewise linear.
"""

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from ganlab.losses import LOSSES
from ganlab.regularizers import NORM_EPS, REGULARIZERS, Points, two_sided
from ganlab.run import GanConfig, Penalty
from ganlab.training.draws import Draws
from ganlab.training.fused_net import LAYERS, Activations, FusedNet
from ganlab.training.gan import State
from ganlab.training.logit_grads import LOGIT_GRADS, LabelGrad, PairGrad
from ganlab.training.tricks import instance_noise_at

PLAIN = {
    "g_depth": 2,
    "d_depth": 2,
    "g_norm": "none",
    "minibatch": "none",
    "pack": 1,
    "optimizer": "adam",
    "historical_averaging": 0,
    "replay": 0,
    "unroll": 0,
    "feature_matching": 0,
    "latent_optimization": 0,
    "consensus": 0,
}


def fits(config: GanConfig) -> bool:
    """Whether this engine can train such a GAN; the others take the readable path."""
    return (
        all(getattr(config, name) == value for name, value in PLAIN.items())
        and config.activation in ("relu", "leaky_relu")
        and config.d_norm in ("none", "spectral")
        and config.loss in LOGIT_GRADS
        and all(p.name != "orthogonal" for p in config.penalties)
    )


def signature(config: GanConfig, state: State) -> tuple[object, ...]:
    """GANs with equal signatures can share one engine."""
    c = config
    return (c.g_width, c.d_width, c.z_dim, c.z_kind, c.batch, c.activation, c.d_steps, c.update, c.beta1, c.beta2) + (
        int(state["t.G"]),
        int(state["t.D"]),
    )


@dataclass(frozen=True)
class _Slot:
    """One gradient penalty of each GAN in a contiguous range of them."""

    which: slice
    points: list[Points]  # one for each GAN
    two_sided: Tensor  # [k, 1, 1] bool
    weight: Tensor  # [k, 1, 1]
    intervals: list[int]


class Fused:
    """An engine of the arena. `members[i]` is the arena's index of the i-th GAN in here."""

    def __init__(
        self, members: list[int], configs: list[GanConfig], draws: list[Draws], states: list[State], dim: int
    ) -> None:
        order = sorted(range(len(members)), key=lambda i: _rank(configs[i]))
        self.members = [members[i] for i in order]
        self.configs = [configs[i] for i in order]
        self.draws = [draws[i] for i in order]
        first, self.k, self.dim = self.configs[0], len(members), dim
        self.batch, self.shared = first.batch, len({id(d) for d in draws}) == 1
        dtype, leaky, b = draws[0].dtype, first.activation == "leaky_relu", first.batch
        self.G = FusedNet(self.k, first.z_dim, first.g_width, dim, leaky, dtype)
        self.D = FusedNet(self.k, dim, first.d_width, 1, leaky, dtype)
        normalised = [i for i, c in enumerate(self.configs) if c.d_norm == "spectral"]
        if normalised:
            self.D.normalise(slice(normalised[0], self.k))
        self.ema = self.G.p.clone()
        self._ema_views = [self.ema.as_strided(v.shape, v.stride(), v.storage_offset()) for v in self.G.weights]
        for i, original in enumerate(order):
            self._load(i, states[original])
        self._settings(dtype)
        self.at_g, self.at_d = Activations(self.G, b), Activations(self.D, 2 * b)
        self.at_fake = Activations(self.D, b)
        new = self.G.p.new_empty
        self.x, self.dy, self.dg = new(self.k, 2 * b, dim), new(self.k, 2 * b, 1), new(self.k, b, 1)
        self.z, self.seen, self.real = new(self.k, b, first.z_dim), new(self.k, b, dim), new(self.k, b, dim)
        self.have_fake = False
        self.measure = False
        self.measured: list[dict[str, float]] = [{} for _ in members]

    @torch.inference_mode()
    def d_phase(self, step: int) -> None:
        """The D-steps of a step."""
        for j in range(self.configs[0].d_steps if self.configs[0].update != "g" else 0):
            self._d_step(step, j)

    @torch.inference_mode()
    def g_phase(self, step: int) -> None:
        """The G-step of a step."""
        c = self.configs[0]
        if c.update != "d":
            self._g_step(step, c.d_steps - 1)
        self.have_fake = False

    @torch.inference_mode()
    def generate(self, z: Tensor) -> Tensor:
        """Points [K, N, dim] of all the generators (moving averages where they have one) for latents z [N, z_dim]."""
        z = z.to(self.G.p.dtype).expand(self.k, *z.shape)
        return self.G.forward(Activations(self.G, z.shape[1]), z, self._ema_views if self.averaging else self.G.weights)

    @torch.inference_mode()
    def scores(self, x: Tensor) -> Tensor:
        """Logits [K, N] of points x [N, dim], the same for all, or [K, N, dim]."""
        x = x.to(self.D.p.dtype).expand(self.k, *x.shape[-2:])
        w = list(self.D.weights)
        if self.D.spectral is not None:
            for layer, (u, v) in enumerate(self.D.uv):  # no power iteration: looking must not change the training
                k, full = self.D.spectral, self.D.weights[2 * layer]
                tall = full[k] if layer < 2 else full[k].mT
                w[2 * layer] = full.clone()
                w[2 * layer][k] /= (v[k].mT @ tall @ u[k])
        return self.D.forward(Activations(self.D, x.shape[1]), x, w)[..., 0]

    def state(self, i: int) -> State:
        """The i-th GAN's state, named as `Gan.state` names it."""
        out: State = {}
        for prefix, net in (("G", self.G), ("D", self.D)):
            out |= {f"{prefix}.{n}": v for n, v in net.export(i, net.weights).items()}
            if net.t:
                out |= {f"m.{prefix}.{n}": v for n, v in net.export(i, net.m_views).items()}
                out |= {f"v.{prefix}.{n}": v for n, v in net.export(i, net.v_views).items()}
            out[f"t.{prefix}"] = torch.tensor(net.t)
        if self.configs[i].d_norm == "spectral":
            for name, (u, v) in zip(LAYERS, self.D.uv, strict=True):
                out[f"D.{name}.u"], out[f"D.{name}.v"] = u[i, :, 0].clone(), v[i, :, 0].clone()
        if self.configs[i].ema:
            out |= {f"ema.{n}": v for n, v in self.G.export(i, self._ema_views).items()}
        return out

    def finite(self) -> list[bool]:
        """Whether each GAN's weights are all finite."""
        return (self.G.p.sum(1) + self.D.p.sum(1)).isfinite().tolist()

    def _load(self, i: int, state: State) -> None:
        for prefix, net in (("G", self.G), ("D", self.D)):
            net.load(i, net.weights, _under(state, prefix + "."))
            net.t = int(state[f"t.{prefix}"])
            if net.t:
                net.load(i, net.m_views, _under(state, f"m.{prefix}."))
                net.load(i, net.v_views, _under(state, f"v.{prefix}."))
        averages = _under(state, "ema.")
        self.G.load(i, self._ema_views, averages or _under(state, "G."))
        if self.configs[i].d_norm == "spectral":
            for name, (u, v) in zip(LAYERS, self.D.uv, strict=True):
                u[i, :, 0], v[i, :, 0] = state[f"D.{name}.u"], state[f"D.{name}.v"]

    def _settings(self, dtype: torch.dtype) -> None:
        """Everything that follows from the configs alone."""
        cs = self.configs

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=dtype).view(-1, 1)

        def rate(values: list[float]) -> float | Tensor:
            return values[0] if len(set(values)) == 1 else column(values)

        self.lr_g, self.lr_d = rate([c.lr_g for c in cs]), rate([c.lr_d for c in cs])
        self.averaging = any(c.ema for c in cs)
        self.keep = 1 - column([c.ema for c in cs])
        self.smooth = column([c.label_smoothing for c in cs])[..., None]
        self.flip = column([c.label_flip for c in cs])[..., None]
        self.soft = any(c.label_smoothing or c.label_flip for c in cs)
        self.noisy = any(c.instance_noise for c in cs)
        l2 = [2 * _weight(c, "l2") for c in cs]
        self.l2 = column(l2)[..., None] if any(l2) else None
        self.l2_interval = [next((p.interval for p in c.penalties if p.name == "l2"), 1) for c in cs]
        self.clips = [(i, _weight(c, "clip")) for i, c in enumerate(cs) if any(p.name == "clip" for p in c.penalties)]
        names = list(enumerate(c.loss for c in cs))
        self.groups: list[tuple[str, slice]] = []
        for name, run in groupby(names, key=lambda item: item[1]):
            at = [i for i, _ in run]
            self.groups.append((name, slice(at[0], at[-1] + 1)))
        self.slots = [s for depth in range(4) if (s := self._slot(depth, dtype))]
        self._penalty_buffers: dict[int, tuple[Activations, Tensor]] = {}

    def _slot(self, depth: int, dtype: torch.dtype) -> _Slot | None:
        at = [(i, g[depth]) for i, c in enumerate(self.configs) if len(g := _gradient_penalties(c)) > depth]
        if not at:
            return None
        rows = [REGULARIZERS[p.name] for _, p in at]

        def cube(values: list[float] | list[bool], kind: torch.dtype) -> Tensor:
            return torch.tensor(values, dtype=kind).view(-1, 1, 1)

        return _Slot(
            slice(at[0][0], at[-1][0] + 1),
            [row.points for row in rows if row.points],
            cube([row.of_norm is two_sided for row in rows], torch.bool),
            cube([p.weight * p.interval for _, p in at], dtype),
            [p.interval for _, p in at],
        )

    def _d_step(self, step: int, j: int) -> None:
        b, d, x = self.batch, self.D, self.x
        self._fill(self.z, [self._latents(s, step, j) for s in self._sources()])
        self._fill(self.real, [s.real(step, j, b) for s in self._sources()])
        x[:, :b] = self.real
        x[:, b:] = self.G.forward(self.at_g, self.z, self.G.weights)
        self.have_fake = True
        if self.noisy:
            self._add_noise(x[:, :b], step, j, 0)
            self._add_noise(x[:, b:], step, j, 1)
        w = d.effective()
        logits = d.forward(self.at_d, x, w)
        if self.measure:
            self._measure("d_loss", [LOSSES[n].d(logits[i, :b], logits[i, b:]) for n, i in self._each_loss()])
        self._d_logit_gradient(logits, step, j)
        d.backward(self.at_d, self.dy, w)
        d.weight_gradients(self.at_d, x, self.dy)
        for slot in self.slots:
            if any(step % n == 0 for n in slot.intervals):
                self._add_penalty(slot, w, step, j)
        d.through_sigma(w)
        if self.l2 is not None:
            self._add_l2(step)
        if self.measure:
            self._measure("d_grad", list(d.g.norm(dim=1)))
        d.adam(self.lr_d, self.configs[0].beta1, self.configs[0].beta2)
        for i, bound in self.clips:
            d.p[i].clamp_(-bound, bound)

    def _g_step(self, step: int, j: int) -> None:
        b, c = self.batch, self.configs[0]
        if not self.have_fake:
            self._fill(self.z, [self._latents(s, step, j) for s in self._sources()])
            self._fill(self.real, [s.real(step, j, b) for s in self._sources()])
            self.G.forward(self.at_g, self.z, self.G.weights)
        seen = self.at_g.y
        if self.noisy:
            seen = self.seen.copy_(self.at_g.y)
            self._add_noise(seen, step, j, 2)
        w = self.D.effective()
        logits = self.D.forward(self.at_fake, seen, w)
        self._g_logit_gradient(logits, w, step, j)
        dx = self.D.backward(self.at_fake, self.dg, w, to_input=True)
        self.G.backward(self.at_g, dx, self.G.weights)
        self.G.weight_gradients(self.at_g, self.z, dx)
        if self.measure:
            self._measure("g_grad", list(self.G.g.norm(dim=1)))
        self.G.adam(self.lr_g, c.beta1, c.beta2)
        if self.averaging:
            self.ema.lerp_(self.G.p, self.keep)

    def _d_logit_gradient(self, logits: Tensor, step: int, j: int) -> None:
        b, dy = self.batch, self.dy
        for name, k in self.groups:
            a, f, da, df = logits[k, :b], logits[k, b:], dy[k, :b], dy[k, b:]
            grad = LOGIT_GRADS[name]
            if isinstance(grad, PairGrad):
                grad.d(a, f, da, df)
                continue
            grad.real(a, da)
            grad.fake(f, df)
            if self.soft:
                self._soften(grad, k, (a, f, da, df), step, j)
        dy.div_(b)

    def _soften(self, grad: LabelGrad, k: slice, parts: tuple[Tensor, ...], step: int, j: int) -> None:
        """Label smoothing and flipping: each logit pays the other label too (`losses.labelled`)."""
        a, f, da, df = parts
        u = torch.stack([d.uniform("flip", step, j, self.batch, 2) for d in self.draws[k]])  # [k, B, 2]
        flips = u < self.flip[k]
        smooth = self.smooth[k].expand_as(a)
        other = torch.empty_like(a)
        grad.fake(a, other)
        da.lerp_(other, torch.where(flips[..., :1], 1 - smooth, smooth))
        grad.real(f, other)
        df.lerp_(other, flips[..., 1:].to(a.dtype))

    def _g_logit_gradient(self, logits: Tensor, w: list[Tensor], step: int, j: int) -> None:
        values = []
        for name, k in self.groups:
            grad, fake, out = LOGIT_GRADS[name], logits[k], self.dg[k]
            real = self._real_logits(k, w, step, j) if isinstance(grad, PairGrad) else fake
            if isinstance(grad, PairGrad):
                grad.g(real, fake, out)
            else:
                grad.g(fake, out)
            if self.measure:
                values += [LOSSES[name].g(r, f) for r, f in zip(real, fake, strict=True)]
        if self.measure:
            self._measure("g_loss", values)
        self.dg.div_(self.batch)

    def _real_logits(self, k: slice, w: list[Tensor], step: int, j: int) -> Tensor:
        real = self.real[k]
        if self.noisy:
            real = real.clone()
            self._add_noise(real, step, j, 0, k)
        w = [v[k] for v in w]
        h = torch.baddbmm(w[1], real, w[0])
        self.D._activate(h)
        h = torch.baddbmm(w[3], h, w[2])
        self.D._activate(h)
        return torch.baddbmm(w[5], h, w[4].mT)

    def _add_penalty(self, slot: _Slot, w: list[Tensor], step: int, j: int) -> None:
        """Adds the gradient of E[of_norm(|grad_x D(x)|)] to D's, for one penalty of each GAN in the slot."""
        k, d, b = slot.which, self.D, self.batch
        a, x = self._buffers(k)
        for i, points in enumerate(slot.points, start=k.start):
            u = self.draws[i].uniform("penalty", step, j, b, 1 + self.dim)
            x[i - k.start] = points(self.x[i, :b], self.x[i, b:], u[:, :1], u[:, 1:])
        w = [v[k] for v in w]
        d.hidden(a, x, w)
        d.mask(w[4].expand_as(a.h2), a.h2, a.d2)  # D(x).sum() has output gradient 1
        torch.bmm(a.d2, w[2].mT, out=a.e1)
        d.mask(a.e1, a.h1, a.d1)
        torch.bmm(a.d1, w[0].mT, out=a.dx)  # grad_x D(x), [k, B, dim]
        norm = (a.dx.square().sum(2, keepdim=True) + NORM_EPS).sqrt_()
        due = torch.tensor([float(step % n == 0) for n in slot.intervals], dtype=norm.dtype).view(-1, 1, 1)
        v = a.dx * torch.where(slot.two_sided, 2 - 2 / norm, 1.0) * (slot.weight * due / b)
        d.grads[0][k].baddbmm_(v.mT, a.d1)
        torch.bmm(v, w[0], out=a.e1)
        d.mask(a.e1, a.h1, a.e1)
        d.grads[2][k].baddbmm_(a.e1.mT, a.d2)
        torch.bmm(a.e1, w[2], out=a.e2)
        d.mask(a.e2, a.h2, a.e2)
        d.grads[4][k].add_(a.e2.sum(1, keepdim=True))

    def _add_l2(self, step: int) -> None:
        assert self.l2 is not None
        due = [n * float(step % n == 0) for n in self.l2_interval]
        scale = self.l2 * self.l2.new_tensor(due).view(-1, 1, 1)
        for layer in (0, 2, 4):
            self.D.grads[layer].add_(scale * self.D.weights[layer])

    def _add_noise(self, x: Tensor, step: int, j: int, side: int, k: slice = slice(None)) -> None:
        for i, (c, draws) in enumerate(zip(self.configs[k], self.draws[k], strict=True)):
            sigma = instance_noise_at(c.instance_noise, c.instance_noise_steps, step)
            if sigma:
                x[i].add_(draws.normal(f"instance{side}", step, j, self.batch, self.dim), alpha=sigma)

    def _buffers(self, k: slice) -> tuple[Activations, Tensor]:
        n = k.stop - k.start
        if n not in self._penalty_buffers:
            shape = FusedNet(n, self.dim, self.D.width, 1, self.D.leaky, self.x.dtype)
            self._penalty_buffers[n] = Activations(shape, self.batch), self.x.new_empty(n, self.batch, self.dim)
        return self._penalty_buffers[n]

    def _sources(self) -> list[Draws]:
        return self.draws[:1] if self.shared else self.draws

    def _latents(self, draws: Draws, step: int, j: int) -> Tensor:
        c = self.configs[0]
        return draws.latents(step, j, c.batch, c.z_dim, c.z_kind)

    def _fill(self, buffer: Tensor, rows: list[Tensor]) -> None:
        if len(rows) == 1:
            buffer.copy_(rows[0].expand_as(buffer))
        else:
            torch.stack(rows, out=buffer)

    def _each_loss(self) -> list[tuple[str, int]]:
        return [(name, i) for name, k in self.groups for i in range(k.start, k.stop)]

    def _measure(self, name: str, values: list[Tensor]) -> None:
        for row, value in zip(self.measured, values, strict=True):
            row[name] = float(value)


def _rank(config: GanConfig) -> tuple[object, ...]:
    """An order in which those with spectral norm, and those with a first, a second ... penalty, stand together."""
    penalties, spectral = len(_gradient_penalties(config)), config.d_norm == "spectral"
    return (spectral, -penalties if spectral else penalties, config.loss)


def _gradient_penalties(config: GanConfig) -> list[Penalty]:
    return [p for p in config.penalties if REGULARIZERS[p.name].points]


def _weight(config: GanConfig, name: str) -> float:
    return next((p.weight for p in config.penalties if p.name == name), 0.0)


def _under(state: State, prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
