"""The fast engine: K two-hidden-layer GANs with any mix of losses and penalties, advanced by batched products.

It makes the very steps of `step.py` (tests hold the two together), without autograd. Penalties' second derivatives
are exact because the activations are piecewise linear.
"""

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from ganlab.losses import LOSSES
from ganlab.regularizers import REGULARIZERS
from ganlab.run import GanConfig, Penalty
from ganlab.training.draws import Draws
from ganlab.training.fused_net import LAYERS, Activations, FusedNet
from ganlab.training.fused_penalties import GradientPenalties, Lazy
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
class _Group:
    """Neighbours with one loss: views of their logits and of where the derivatives go, each [k, B]."""

    which: slice
    grad: LabelGrad | PairGrad
    of_d: tuple[Tensor, Tensor, Tensor, Tensor]  # real and fake logits, and their derivatives
    of_g: tuple[Tensor, Tensor]  # the fakes' logits in G's step, and their derivatives
    at_real: Activations | None  # for a loss of pairs: D at the real points in G's step


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
        for i, original in enumerate(order):
            self._load(i, states[original])
        self.at_g, self.at_d = Activations(self.k, b, self.G), Activations(self.k, 2 * b, self.D)
        self.at_fake = Activations(self.k, b, self.D)
        new = self.G.p.new_empty
        self.x, self.dy, self.dg = new(self.k, 2 * b, dim), new(self.k, 1, 2 * b), new(self.k, 1, b)
        self.z = self.real = new(0)
        self._settings(dtype)
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
        weights = self.G.averages if self.averaging else self.G.weights
        return self.G.forward(Activations(self.k, z.shape[1], self.G), z, weights).mT

    @torch.inference_mode()
    def scores(self, x: Tensor) -> Tensor:
        """Logits [K, N] of points x [N, dim], the same for all, or [K, N, dim]."""
        x = x.to(self.D.p.dtype).expand(self.k, *x.shape[-2:])
        return self.D.forward(Activations(self.k, x.shape[1], self.D), x, self.D.looked_at())[:, 0]

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
            for name, u, v in self._singular_vectors(i):
                out[f"D.{name}.u"], out[f"D.{name}.v"] = u.clone(), v.clone()
        if self.configs[i].ema:
            out |= {f"ema.{n}": v for n, v in self.G.export(i, self.G.averages).items()}
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
        self.G.load(i, self.G.averages, averages or _under(state, "G."))
        if self.configs[i].d_norm == "spectral":
            for name, u, v in self._singular_vectors(i):
                u.copy_(state[f"D.{name}.u"])
                v.copy_(state[f"D.{name}.v"])

    def _singular_vectors(self, i: int) -> list[tuple[str, Tensor, Tensor]]:
        assert self.D.spectral is not None
        at = i - self.D.spectral.start
        return [(name, u[at, :, 0], v[at, :, 0]) for name, (u, v) in zip(LAYERS, self.D.uv, strict=True)]

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
        self.smooth, self.flip = column([c.label_smoothing for c in cs]), column([c.label_flip for c in cs])
        self.soft = any(c.label_smoothing or c.label_flip for c in cs)
        self.noisy = any(c.instance_noise for c in cs)
        self.clips = [(i, p.weight) for i, c in enumerate(cs) for p in c.penalties if p.name == "clip"]
        decays = [next((p for p in c.penalties if p.name == "l2"), Penalty("l2", 0.0)) for c in cs]
        self.l2 = Lazy(decays, dtype, 2.0) if any(p.weight for p in decays) else None
        items = [(i, p) for i, c in enumerate(cs) for p in c.penalties if REGULARIZERS[p.name].points]
        self.penalties = GradientPenalties(items, self.D, self.batch) if items else None
        names = [(i, c.loss) for i, c in enumerate(cs)]
        runs = [[i for i, _ in run] for _, run in groupby(names, key=lambda item: LOGIT_GRADS[item[1]])]
        self.groups = [self._group(slice(at[0], at[-1] + 1)) for at in runs]

    def _group(self, k: slice) -> _Group:
        b, grad = self.batch, LOGIT_GRADS[self.configs[k.start].loss]
        logits, dy = self.at_d.y[k, 0], self.dy[k, 0]
        at_real = Activations(k.stop - k.start, b, self.D) if isinstance(grad, PairGrad) else None
        of_d = logits[:, :b], logits[:, b:], dy[:, :b], dy[:, b:]
        return _Group(k, grad, of_d, (self.at_fake.y[k, 0], self.dg[k, 0]), at_real)

    def _d_step(self, step: int, j: int) -> None:
        b, d, x = self.batch, self.D, self.x
        self._draw(step, j)
        x[:, :b] = self.real
        x[:, b:] = self.G.forward(self.at_g, self.z, self.G.weights).mT
        self.have_fake = True
        if self.noisy:
            self._add_noise(x[:, :b], step, j, 0)
            self._add_noise(x[:, b:], step, j, 1)
        w = d.effective()
        logits = d.forward(self.at_d, x, w)
        if self.measure:
            columns = zip(self.configs, logits.mT, strict=True)
            self._measure("d_loss", [LOSSES[c.loss].d(y[:b], y[b:]) for c, y in columns])
        self._d_logit_gradient(step, j)
        d.backward(self.at_d, self.dy, w)
        d.weight_gradients(self.at_d, x, self.dy)
        if self.penalties:
            self.penalties.add(d, w, x, self.at_d, self.draws, (step, j))
        d.through_sigma()
        if self.l2:
            self._add_l2(self.l2.at(step))
        if self.measure:
            self._measure("d_grad", list(d.g.norm(dim=1)))
        d.adam(self.lr_d, self.configs[0].beta1, self.configs[0].beta2)
        for i, bound in self.clips:
            d.p[i].clamp_(-bound, bound)

    def _g_step(self, step: int, j: int) -> None:
        c = self.configs[0]
        if not self.have_fake:
            self._draw(step, j)
            self.G.forward(self.at_g, self.z, self.G.weights)
        seen = self.at_g.y.mT
        if self.noisy:
            seen = seen.clone()
            self._add_noise(seen, step, j, 2)
        w = self.D.effective()
        self.D.forward(self.at_fake, seen, w)
        self._g_logit_gradient(w, step, j)
        dx = self.D.backward(self.at_fake, self.dg, w, to_input=True)
        self.G.backward(self.at_g, dx, self.G.weights)
        self.G.weight_gradients(self.at_g, self.z, dx)
        if self.measure:
            self._measure("g_grad", list(self.G.g.norm(dim=1)))
        self.G.adam(self.lr_g, c.beta1, c.beta2)
        if self.averaging:
            self.G.average.lerp_(self.G.p, self.keep)

    def _d_logit_gradient(self, step: int, j: int) -> None:
        for group in self.groups:
            grad, (real, fake, d_real, d_fake) = group.grad, group.of_d
            if isinstance(grad, PairGrad):
                grad.d(real, fake, d_real, d_fake)
                continue
            grad.real(real, d_real)
            grad.fake(fake, d_fake)
            if self.soft:
                self._soften(grad, group, step, j)
        self.dy.div_(self.batch)

    def _soften(self, grad: LabelGrad, group: _Group, step: int, j: int) -> None:
        """Label smoothing and flipping: each logit pays the other label too (`losses.labelled`)."""
        k, (real, fake, d_real, d_fake) = group.which, group.of_d
        u = torch.stack([d.uniform("flip", step, j, self.batch, 2) for d in self.draws[k]])  # [k, B, 2]
        flips = u < self.flip[k, :, None]
        other = torch.empty_like(real)
        grad.fake(real, other)
        d_real.lerp_(other, torch.where(flips[..., 0], 1 - self.smooth[k], self.smooth[k]))
        grad.real(fake, other)
        d_fake.lerp_(other, flips[..., 1].to(real.dtype))

    def _g_logit_gradient(self, w: list[Tensor], step: int, j: int) -> None:
        values = []
        for group in self.groups:
            grad, (fake, out) = group.grad, group.of_g
            real = fake
            if isinstance(grad, PairGrad):
                real = self._real_logits(group, w, step, j)
                grad.g(real, fake, out)
            else:
                grad.g(fake, out)
            if self.measure:
                columns = zip(self.configs[group.which], real[..., None], fake[..., None], strict=True)
                values += [LOSSES[c.loss].g(r, f) for c, r, f in columns]
        if self.measure:
            self._measure("g_loss", values)
        self.dg.div_(self.batch)

    def _real_logits(self, group: _Group, w: list[Tensor], step: int, j: int) -> Tensor:
        assert group.at_real
        real = self.real[group.which]
        if self.noisy:
            real = real.clone()
            self._add_noise(real, step, j, 0, group.which)
        return self.D.forward(group.at_real, real, [v[group.which] for v in w])[:, 0]

    def _add_l2(self, weights: Tensor | None) -> None:
        if weights is not None:
            for layer in (0, 2, 4):
                self.D.grads[layer].addcmul_(weights, self.D.weights[layer])

    def _add_noise(self, x: Tensor, step: int, j: int, side: int, k: slice = slice(None)) -> None:
        for i, (c, draws) in enumerate(zip(self.configs[k], self.draws[k], strict=True)):
            sigma = instance_noise_at(c.instance_noise, c.instance_noise_steps, step)
            if sigma:
                x[i].add_(draws.normal(f"instance{side}", step, j, self.batch, self.dim), alpha=sigma)

    def _draw(self, step: int, j: int) -> None:
        """The latents [K, B, z_dim] and the data [K, B, dim] of the j-th D-step."""
        c, of = self.configs[0], self.draws[:1] if self.shared else self.draws
        z = torch.stack([d.latents(step, j, c.batch, c.z_dim, c.z_kind) for d in of])
        real = torch.stack([d.real(step, j, c.batch) for d in of])
        self.z, self.real = z.expand(self.k, -1, -1), real.expand(self.k, -1, -1)

    def _measure(self, name: str, values: list[Tensor]) -> None:
        for row, value in zip(self.measured, values, strict=True):
            row[name] = float(value)


def _rank(config: GanConfig) -> tuple[bool, int]:
    """An order in which those with spectral norm, and those with one loss, stand together."""
    return config.d_norm == "spectral", list(LOGIT_GRADS).index(config.loss)


def _under(state: State, prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
