"""What is measured of every GAN of an arena at fixed steps: the numbers of the charts and of the alarms."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ganlab.metrics.divergence import histogram_density, js, sliced_wasserstein
from ganlab.metrics.modes import ModeReport, mode_reports
from ganlab.training.arena import Arena
from ganlab.training.draws import generator

SAMPLES = 2500  # as YARDSTICKS of mode coverage have it
REAL = 100_000  # real samples behind the data's histogram
GRID = 40  # cells per side for JS
SLICED = 500  # samples for the sliced Wasserstein distance


@dataclass(frozen=True)
class Measures:
    """One GAN at one step. None: the data has no modes to count, or the GAN has made no such step yet."""

    d_loss: float | None
    g_loss: float | None
    d_grad: float | None  # norm of D's gradient, penalties included
    g_grad: float | None
    covered: int | None  # modes that at least one high-quality sample lies in
    modes: int | None
    high_quality: float | None  # share of samples within 3 sigma of a mode
    balance: float | None
    reverse_kl: float | None
    top_mode: int | None  # the mode with most samples
    js: float  # Jensen-Shannon divergence of histograms, nats, 0 to ln 2
    sliced_w: float  # sliced Wasserstein-1 distance, in the data's units
    real_score: float  # D's mean logit on real points
    fake_score: float
    d_wins: float  # share of (real, fake) pairs that D puts in the right order
    spread: float  # standard deviation of the fakes over that of the data
    frozen: int | None  # the step at which this GAN was found diverged

    def to_dict(self) -> dict[str, Any]:
        """As JSON; NaN as None."""
        return {name: _or_none(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Measures":
        """The inverse of `to_dict`, exactly."""
        values: dict[str, Any] = {n: math.nan if v is None and n in ALWAYS else v for n, v in data.items()}
        return cls(**values)

    def rounded(self) -> "Measures":
        """With 7 digits, so that what was written and read again is the same; what is not finite as None or NaN."""
        return self.from_dict({name: _rounded(value) for name, value in asdict(self).items()})


ALWAYS = ("js", "sliced_w", "real_score", "fake_score", "d_wins", "spread")  # the measures that are never None


class Meter:
    """Measures an arena; what does not change (real samples, latents) is drawn once."""

    def __init__(self, arena: Arena) -> None:
        self.arena, data = arena, arena.density
        real = data.sample(REAL, generator(arena.run.seed, "meter"))
        self.p_data = histogram_density(real, data.extent, GRID)
        self.real = real[:SLICED]
        self.real_spread = max(float(real.std(0).norm()), 1e-9)  # all points of a file may be one
        self._latents: list[Tensor] = []
        self._kinds: list[tuple[int, str]] = []

    def measure(self) -> list[Measures]:
        """One row for each GAN; call after `advance(..., measure=True)`."""
        arena, data = self.arena, self.arena.density
        fakes = self.samples()  # [K, N, dim]
        reports: list[ModeReport] | list[None] = [None] * len(fakes)
        if data.modes is not None and data.sigma is not None:
            reports = mode_reports(fakes, data.modes, data.sigma, data.weights)
        divergence = js(self.p_data, histogram_density(fakes, data.extent, GRID))
        real_scores, fake_scores = arena.scores(self.real), arena.scores(fakes[:, :SLICED].contiguous())
        trained = arena.measured()
        return [
            self._row(k, fakes[k], reports[k], float(divergence[k]), real_scores[k], fake_scores[k], trained[k])
            for k in range(len(fakes))
        ]

    def samples(self) -> Tensor:
        """SAMPLES points of each GAN, [K, N, dim], always from the same latents."""
        kinds = [(c.z_dim, c.z_kind) for c in self.arena.configs]
        if kinds != self._kinds:
            self._kinds, self._latents = kinds, self.arena.latents(SAMPLES, "meter")
        return self.arena.generate(self._latents)

    def _row(
        self,
        k: int,
        fakes: Tensor,
        report: ModeReport | None,
        divergence: float,
        real_scores: Tensor,
        fake_scores: Tensor,
        trained: dict[str, float],
    ) -> Measures:
        rng = generator(self.arena.run.seed, "slices")
        order = real_scores[:, None] > fake_scores[None]
        tied = real_scores[:, None] == fake_scores[None]
        return Measures(
            d_loss=trained.get("d_loss"),
            g_loss=trained.get("g_loss"),
            d_grad=trained.get("d_grad"),
            g_grad=trained.get("g_grad"),
            covered=report.covered if report else None,
            modes=report.total if report else None,
            high_quality=report.high_quality if report else None,
            balance=report.balance if report else None,
            reverse_kl=report.reverse_kl if report else None,
            top_mode=int(report.counts.argmax()) if report else None,
            js=divergence,
            sliced_w=sliced_wasserstein(self.real, fakes[:SLICED], 32, rng=rng),
            real_score=float(real_scores.mean()),
            fake_score=float(fake_scores.mean()),
            d_wins=float(order.float().mean() + tied.float().mean() / 2),
            spread=float(fakes.std(0).norm()) / self.real_spread,
            frozen=self.arena.frozen.get(k),
        ).rounded()


def singular_values(arena: Arena, most: int = 8) -> list[list[list[float]]]:
    """For each GAN and each weight matrix of its D, the largest singular values."""
    out = []
    for state in arena.states():
        weights = [v for n, v in state.items() if n.startswith("D.") and n.endswith("weight") and v.ndim == 2]
        out.append([torch.linalg.svdvals(w.float())[:most].tolist() for w in weights if w.isfinite().all()])
    return out


def _rounded(value: float | int | None) -> float | int | None:
    return _or_none(float(f"{value:.7g}")) if isinstance(value, float) else value


def _or_none(value: float | int | None) -> float | int | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value
