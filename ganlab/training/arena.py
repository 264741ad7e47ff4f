"""K GANs that advance together on the same data: the state of a `Run` at one step."""

import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.toy2d import density
from ganlab.run import GanConfig, Run
from ganlab.training.draws import Draws, generator
from ganlab.training.fused import Fused, fits, signature
from ganlab.training.gan import State, resized
from ganlab.training.step import d_phase, g_phase
from ganlab.training.toy_player import ToyPlayer

GUARD = 50  # steps between looks for NaN; states are saved only at its multiples, so that every replay agrees


class Readable:
    """An engine of one GAN that takes the readable path of `step.py`."""

    def __init__(self, member: int, config: GanConfig, draws: Draws, state: State, dim: int) -> None:
        self.members = [member]
        self.gan = ToyPlayer(config, draws, dim)
        self.gan.load(state)
        self.measure = False

    @property
    def measured(self) -> list[dict[str, float]]:
        """The last losses and gradient norms."""
        return [{name: float(value) for name, value in self.gan.measured.items()}]

    def d_phase(self, step: int) -> None:
        """The D-steps of a step."""
        d_phase(self.gan, step)

    def g_phase(self, step: int) -> None:
        """The G-step of a step."""
        g_phase(self.gan, step)

    def generate(self, z: Tensor) -> Tensor:
        """Points [1, N, dim]."""
        return self.gan.points(z)[None]

    def scores(self, x: Tensor) -> Tensor:
        """Logits [1, N] of points [N, dim] or [1, N, dim]."""
        return self.gan.score(x.reshape(-1, x.shape[-1]))[None]

    def state(self, i: int) -> State:
        """The GAN's state."""
        return self.gan.state()

    def finite(self) -> list[bool]:
        """Whether all weights are finite."""
        return [all(bool(p.isfinite().all()) for net in self.gan.nets() for p in net.parameters())]


class Arena:
    """The GANs of a run after `step` steps. `advance` goes on; `change` adds an event to the run.

    A GAN whose weights become NaN or infinite is put back to where it was at most `GUARD` steps ago and frozen
    (`frozen[k]` is the step at which that was seen) until one of its settings is changed.
    """

    def __init__(self, run: Run, *, dtype: torch.dtype = torch.float32, fast: bool = True) -> None:
        self.run, self.dtype, self.fast = run, dtype, fast
        self.density = density(run.data)
        self.step = 0
        self.frozen: dict[int, int] = {}
        self.configs = run.gans_at(0)
        self._draws = {c.seed: Draws(self.density, run.seed + c.seed, dtype) for c in run.gans}
        self._half = False  # D has moved in this step, G not yet
        states = [ToyPlayer(c, self._draws[c.seed], self.density.dim).state() for c in self.configs]
        self._good = states
        self._assemble(states)

    @property
    def dim(self) -> int:
        """Dimensions of the data."""
        return self.density.dim

    def advance(self, steps: int = 1, measure: bool = False) -> None:
        """Makes some steps; with `measure` the last one leaves its losses and gradient norms in `measured`."""
        for left in range(steps, 0, -1):
            self.d_phase(measure and left == 1)
            self.g_phase()

    def d_phase(self, measure: bool = False) -> None:
        """The first half of a step: D learns. A second call without `g_phase` between does nothing."""
        if self._half:
            return
        self._half = True
        for engine in self.engines:
            engine.measure = measure
            engine.d_phase(self.step)

    def g_phase(self) -> None:
        """The second half: G learns, and the step is done."""
        self.d_phase()
        for engine in self.engines:
            engine.g_phase(self.step)
        self._half = False
        self.step += 1
        if self.step % GUARD == 0:
            self._guard()
        if self.step in self._event_steps:
            self._reconfigure()

    def change(self, path: str, value: object, gan: int | None = None) -> None:
        """One more event of the run, in force from the next step on; a wrong one raises `InvalidInput`."""
        self._finish()
        self.run = self.run.changed(self.step, path, value, gan)
        self._reconfigure()

    def measured(self) -> list[dict[str, float]]:
        """Per GAN: d_loss, g_loss, d_grad, g_grad of the last measured step."""
        out: list[dict[str, float]] = [{} for _ in self.configs]
        for engine in self.engines:
            for k, row in zip(engine.members, engine.measured, strict=True):
                out[k] = dict(row)
        return out

    def latents(self, n: int, kind: str = "view") -> list[Tensor]:
        """For each GAN n latents that stay the same over a training, so that its points move and do not flicker.

        GANs alike in seed and noise get one tensor between them.
        """
        made: dict[tuple[int, int, str], Tensor] = {}
        for c in self.configs:
            rng = generator(self.run.seed + c.seed, kind, c.z_dim)
            z = torch.rand(n, c.z_dim, generator=rng) * 2 - 1
            made[c.seed, c.z_dim, c.z_kind] = z if c.z_kind == "uniform" else torch.randn(n, c.z_dim, generator=rng)
        return [made[c.seed, c.z_dim, c.z_kind] for c in self.configs]

    def generate(self, z: list[Tensor]) -> Tensor:
        """Points [K, N, dim] for latents [N, z_dim] of each GAN; quickest where GANs share one tensor."""
        out = torch.empty(len(self.configs), len(z[0]), self.dim)
        for engine in self.engines:
            if len({id(z[k]) for k in engine.members}) == 1:
                out[engine.members] = engine.generate(z[engine.members[0]]).float()
            else:
                for i, k in enumerate(engine.members):
                    out[k] = engine.generate(z[k])[i].float()
        return out

    def scores(self, x: Tensor) -> Tensor:
        """D's logits [K, N] at points x [N, dim], or at x [K, N, dim] of each GAN's own."""
        out = torch.empty(len(self.configs), x.shape[-2])
        for engine in self.engines:
            own = x if x.ndim == 2 else x[engine.members]
            out[engine.members] = engine.scores(own).float()
        return out

    def states(self) -> list[State]:
        """The state of each GAN; only between whole steps."""
        self._finish()
        out: list[State] = [{} for _ in self.configs]
        for engine in self.engines:
            for i, k in enumerate(engine.members):
                out[k] = engine.state(i)
        return out

    def restore(self, step: int, states: list[State], frozen: dict[int, int]) -> None:
        """Goes to a moment that `states` and `frozen` were taken at: a multiple of `GUARD`."""
        if len(states) != len(self.configs):
            raise InvalidInput("checkpoint", f"holds {len(states)} GANs, the run has {len(self.configs)}")
        self.step, self._half = step, False
        self.configs = self.run.gans_at(step)
        changed = {e.gan for e in self.run.events if e.step == step}  # after the moment was saved
        thawed = set(range(len(states))) if None in changed else changed
        self.frozen = {k: at for k, at in frozen.items() if k not in thawed}
        self._good = [self._fitted(state, c) for state, c in zip(states, self.configs, strict=True)]
        self._assemble(self._good)

    def _assemble(self, states: list[State]) -> None:
        """Sorts the GANs into engines: those alike share a fast one."""
        self._event_steps = {event.step for event in self.run.events}
        groups: dict[tuple[object, ...], list[int]] = {}
        for k, config in enumerate(self.configs):
            fast = self.fast and fits(config)
            key = ("fast", k in self.frozen, *signature(config, states[k])) if fast else ("readable", k)
            groups.setdefault(key, []).append(k)
        self.engines: list[Fused | Readable] = []
        for key, members in groups.items():
            configs, draws = [self.configs[k] for k in members], [self._draws[self.configs[k].seed] for k in members]
            if key[0] == "fast":
                self.engines.append(Fused(members, configs, draws, [states[k] for k in members], self.dim))
            else:
                k = members[0]
                self.engines.append(Readable(k, configs[0], draws[0], states[k], self.dim))
        self._still = [engine for engine in self.engines if engine.members[0] in self.frozen]
        for engine in self._still:
            engine.d_phase = engine.g_phase = _do_nothing  # type: ignore[method-assign]

    def _reconfigure(self) -> None:
        """Takes over the settings that are now in force."""
        states, configs = self.states(), self.run.gans_at(self.step)
        for k, (old, new) in enumerate(zip(self.configs, configs, strict=True)):
            if old == new:
                continue
            self.frozen.pop(k, None)
            states[k], self._good[k] = self._fitted(states[k], new), self._fitted(self._good[k], new)
        self.configs = configs
        self._assemble(states)

    def _fitted(self, state: State, config: GanConfig) -> State:
        if state["G.layers.0.weight"].shape[1] == config.z_dim:
            return state
        return resized(state, config.z_dim, self.run.seed + config.seed)

    def _guard(self) -> None:
        finite = [True] * len(self.configs)
        for engine in self.engines:
            for k, fine in zip(engine.members, engine.finite(), strict=True):
                finite[k] = fine
        if all(finite):
            self._good = self.states()
            return
        states = [s if fine else good for s, fine, good in zip(self.states(), finite, self._good, strict=True)]
        self.frozen |= {k: self.step for k, fine in enumerate(finite) if not fine}
        self._good = states
        self._assemble(states)

    def _finish(self) -> None:
        if self._half:
            self.g_phase()


def _do_nothing(step: int) -> None:
    pass
