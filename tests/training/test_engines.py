"""The fast engine makes the very steps of the readable path, for all that it accepts."""

import itertools
from typing import Any

import pytest
import torch

from ganlab.data.toy2d import DataConfig
from ganlab.losses import LOSSES
from ganlab.regularizers import REGULARIZERS
from ganlab.run import Event, GanConfig, Penalty, Run
from ganlab.training.arena import Arena
from ganlab.training.fused import Fused, fits
from ganlab.training.logit_grads import LOGIT_GRADS, LabelGrad, PairGrad

STEPS = 60  # past a guard, four chunks of draws and every interval
SMALL = {"g_width": 12, "d_width": 16, "batch": 16, "lr_g": 2e-3, "lr_d": 2e-3}
GP, R1, R2, DRAGAN = Penalty("wgan_gp", 10.0), Penalty("r1", 1.0), Penalty("r2", 0.5), Penalty("dragan", 5.0)


def gan(**settings: Any) -> GanConfig:
    return GanConfig(**{**SMALL, **settings})


CASES: dict[str, GanConfig] = {
    **{f"loss {name}": gan(loss=name) for name in LOGIT_GRADS},
    **{f"{p.name}": gan(penalties=(p,)) for p in (GP, R1, R2, DRAGAN, Penalty("clip", 0.1), Penalty("l2", 0.01))},
    "lazy r1": gan(penalties=(Penalty("r1", 1.0, 4),)),
    "two lazy at once": gan(penalties=(Penalty("r1", 1.0, 2), Penalty("r2", 1.0, 3))),
    "lazy l2": gan(penalties=(Penalty("l2", 0.01, 5),)),
    "four at once": gan(penalties=(GP, R1, R2, DRAGAN)),
    "gradient penalty, l2 and clip": gan(loss="wgan", penalties=(Penalty("l2", 0.01), GP, Penalty("clip", 0.3))),
    "spectral": gan(loss="hinge", d_norm="spectral"),
    "spectral with r1 and gp": gan(d_norm="spectral", penalties=(R1, GP)),
    "spectral with l2": gan(d_norm="spectral", penalties=(Penalty("l2", 0.01),)),
    "spectral ragan": gan(loss="ragan", d_norm="spectral"),
    "smoothing": gan(label_smoothing=0.2),
    "flips": gan(loss="lsgan", label_flip=0.1),
    "smoothing, flips and hinge": gan(loss="hinge", label_smoothing=0.1, label_flip=0.1),
    "instance noise": gan(instance_noise=0.3),
    "fading noise": gan(loss="rpgan", instance_noise=0.3, instance_noise_steps=40, penalties=(R1,)),
    "average": gan(ema=0.95),
    "d_steps 3": gan(d_steps=3, penalties=(GP,)),
    "d_steps 3 with pairs": gan(d_steps=3, loss="ragan", instance_noise=0.1),
    "seed": gan(seed=7),
    "leaky": gan(activation="leaky_relu", penalties=(R1, GP)),
    "leaky spectral": gan(activation="leaky_relu", d_norm="spectral"),
    "only D learns": gan(update="d", penalties=(R2,)),
    "only G learns": gan(update="g", loss="rpgan", d_norm="spectral"),
    "uniform z": gan(z_kind="uniform", z_dim=5),
    "other betas": gan(beta1=0.0, beta2=0.9),
    "two learning rates": gan(lr_g=1e-4, lr_d=4e-4),
}

EVENTS: dict[str, tuple[GanConfig, tuple[Event, ...]]] = {
    "lr": (gan(), (Event(60, None, "lr_d", 1e-4), Event(90, None, "lr_g", 5e-3))),
    "loss": (gan(), (Event(50, None, "loss", "lsgan"), Event(71, None, "loss", "ragan"))),
    "batch": (gan(penalties=(GP,)), (Event(50, None, "batch", 24), Event(77, None, "batch", 8))),
    "z_dim": (gan(ema=0.9), (Event(50, None, "z_dim", 6), Event(77, None, "z_dim", 1))),
    "penalties": (
        gan(),
        (
            Event(40, None, "penalties", [{"name": "r1", "weight": 2.0}, {"name": "clip", "weight": 0.5}]),
            Event(65, None, "penalties.0.weight", 0.5),
            Event(80, None, "penalties", []),
        ),
    ),
    "noise and labels": (gan(), (Event(30, None, "instance_noise", 0.2), Event(60, None, "label_smoothing", 0.1))),
    "average on and off": (gan(), (Event(30, None, "ema", 0.9), Event(70, None, "ema", 0.0))),
    "who learns": (
        gan(),
        (Event(30, None, "update", "d"), Event(50, None, "update", "g"), Event(70, None, "update", "both")),
    ),
    "through the readable path and back": (gan(), (Event(30, None, "unroll", 2), Event(45, None, "unroll", 0))),
}


OTHERS: tuple[dict[str, Any], ...] = (
    {"g_depth": 3},
    {"g_norm": "batch"},
    {"pack": 2},
    {"optimizer": "sgd"},
    {"activation": "tanh"},
    {"replay": 0.5},
    {"loss": "began"},
    {"d_norm": "layer"},
    {"minibatch": "std"},
    {"penalties": (Penalty("orthogonal"),)},
    {"consensus": 1.0},
)


def run_of(*gans: GanConfig, events: tuple[Event, ...] = ()) -> Run:
    return Run(DataConfig("ring"), gans, seed=3, events=events)


def raced(run: Run, dtype: torch.dtype = torch.float64, steps: int = STEPS) -> tuple[Arena, Arena]:
    fast, readable = Arena(run, dtype=dtype), Arena(run, dtype=dtype, fast=False)
    for arena in (fast, readable):
        arena.advance(steps)
    return fast, readable


def assert_equal(fast: Arena, readable: Arena, tolerance: float = 1e-8) -> None:
    """The same weights, moments, averages and counters, and the same points."""
    for config, ours, theirs in zip(fast.configs, fast.states(), readable.states(), strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            # D's output bias cancels in a difference of logits: its true gradient is exactly 0, and Adam divides
            # rounding by rounding there
            if LOSSES[config.loss].pairs and name.endswith("D.output.bias"):
                continue
            torch.testing.assert_close(ours[name], theirs[name], rtol=tolerance, atol=tolerance, msg=f"{name} differs")
    z = fast.latents(64)
    torch.testing.assert_close(fast.generate(z), readable.generate(z), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_same_as_the_readable_path(case: str) -> None:
    fast, readable = raced(run_of(CASES[case]))
    assert isinstance(fast.engines[0], Fused)
    moved = max(float(v.abs().max()) for n, v in fast.states()[0].items() if n.startswith("m."))
    assert moved > 0
    assert_equal(fast, readable)


@pytest.mark.parametrize("case", EVENTS)
def test_same_after_live_changes(case: str) -> None:
    config, events = EVENTS[case]
    assert_equal(*raced(run_of(config, events=events), steps=100))


@pytest.mark.parametrize("seed", range(3))
def test_any_mix_in_one_engine(seed: int) -> None:
    """GANs of every kind side by side, in any order, with different penalties, intervals, rates and seeds."""
    fitting = [
        c
        for c in CASES.values()
        if (c.d_steps, c.update, c.z_dim, c.beta1, c.activation) == (1, "both", 2, 0.5, "relu")
    ]
    order = torch.randperm(len(fitting), generator=torch.Generator().manual_seed(seed))[:8]
    fast, readable = raced(run_of(*(fitting[i] for i in order)))
    assert len(fast.engines) < 8
    assert_equal(fast, readable)


def test_single_precision() -> None:
    """Over 50 steps only: rounding grows, and some losses (clipping, spectral norm) are chaotic."""
    plain = ("non_saturating", "minimax", "logistic", "lsgan")
    assert_equal(*raced(run_of(*(gan(loss=name) for name in plain)), torch.float32, 50), tolerance=2e-3)


@pytest.mark.parametrize("case", ["loss ragan", "wgan_gp", "spectral", "smoothing", "instance noise", "d_steps 3"])
def test_same_measurements(case: str) -> None:
    fast, readable = raced(run_of(CASES[case]), steps=20)
    for arena in (fast, readable):
        arena.advance(1, measure=True)
    (ours,), (theirs,) = fast.measured(), readable.measured()
    assert ours.keys() == theirs.keys() == {"d_loss", "g_loss", "d_grad", "g_grad"}
    assert ours == pytest.approx(theirs, rel=1e-6)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fast.scores(x), readable.scores(x), rtol=1e-5, atol=1e-5)
    before = fast.states()
    fast.scores(x[None])
    assert all(torch.equal(before[0][n], v) for n, v in fast.states()[0].items()), "looking must not change it"


def test_what_does_not_fit_is_not_taken() -> None:
    for other in OTHERS:
        assert not fits(gan(**other)), other
    assert set(LOGIT_GRADS) == {name for name, loss in LOSSES.items() if not loss.energy}
    assert {p.name for c in CASES.values() for p in c.penalties} == set(REGULARIZERS) - {"orthogonal"}


def test_readable_and_fast_share_their_data() -> None:
    """A fast GAN and a readable one with the same seed draw from one object."""
    arena = Arena(run_of(gan(), gan(replay=0.5)))
    arena.advance(40)
    assert len(arena.engines) == 2


@pytest.mark.parametrize("name", LOGIT_GRADS)
def test_logit_gradients(name: str) -> None:
    loss, row, n = LOSSES[name], LOGIT_GRADS[name], 20
    rng = torch.Generator().manual_seed(1)
    real, fake = (2 * torch.randn(1, n, 1, generator=rng, dtype=torch.float64) for _ in range(2))
    real.requires_grad_(True)
    fake.requires_grad_(True)
    want_d = torch.autograd.grad(loss.d(real[0], fake[0]), (real, fake))
    (want_g,) = torch.autograd.grad(loss.g(real[0], fake[0]), fake)
    real, fake = real.detach(), fake.detach()
    out = [torch.empty_like(real) for _ in range(3)]
    if isinstance(row, PairGrad):
        row.d(real, fake, out[0], out[1])
        row.g(real, fake, out[2])
    else:
        assert isinstance(row, LabelGrad)
        row.real(real, out[0])
        row.fake(fake, out[1])
        row.g(fake, out[2])
    for got, want in itertools.zip_longest(out, (*want_d, want_g)):
        torch.testing.assert_close(got / n, want, rtol=1e-12, atol=1e-12)
