"""`ganlab.training.tricks`: off by default, and each does what it says in a small exact case."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganlab.data.toy2d import DataConfig, density
from ganlab.losses import LOSSES, labelled
from ganlab.run import GanConfig, Run
from ganlab.training import step as steps
from ganlab.training import tricks
from ganlab.training.arena import Arena
from ganlab.training.draws import Draws
from ganlab.training.gan import REPLAY_SIZE, Gan
from ganlab.training.toy_player import ToyPlayer

SMALL = {"g_width": 6, "d_width": 7, "batch": 16, "lr_g": 2e-3, "lr_d": 2e-3}
TRICKS: dict[str, Any] = {
    "label_smoothing": 0.1,
    "label_flip": 0.1,
    "instance_noise": 0.2,
    "historical_averaging": 1.0,
    "replay": 0.5,
    "unroll": 2,
    "feature_matching": 1.0,
    "latent_optimization": 0.5,
    "consensus": 1.0,
}


def trained(made: int = 0, **settings: Any) -> Gan:
    """A GAN in double precision after some steps."""
    draws = Draws(density(DataConfig("ring")), 3, torch.float64)
    gan = ToyPlayer(GanConfig(**{**SMALL, **settings}), draws, 2)
    for step in range(made):
        steps.train_step(gan, step)
    return gan


def data(gan: Gan, step: int = 50) -> tuple[Tensor, Tensor]:
    """A batch of data and one of fakes with their graph."""
    z = gan.draws.latents(step, 0, gan.config.batch, gan.config.z_dim, "normal")
    return gan.draws.real(step, 0, gan.config.batch), gan.G(z)


def points(**settings: Any) -> Tensor:
    arena = Arena(Run(gans=(GanConfig(**{**SMALL, **settings}),)), dtype=torch.float64, fast=False)
    arena.advance(12)
    return arena.generate(arena.latents(32))


def test_off_by_default() -> None:
    assert all(getattr(GanConfig(), name) == 0 for name in TRICKS)
    gan = trained(3)
    real, fake = data(gan)
    assert tricks.instance_noise(gan, real, 0, 0, 0) is real
    assert tricks.replay(gan, fake, 0, 0) is fake
    for off in (
        tricks.historical_averaging(gan, gan.D, "D"),
        tricks.feature_matching(gan, real, fake),
        tricks.consensus(gan, real),
    ):
        assert float(off) == 0
    assert not gan.averages and len(gan.past) == 0


@pytest.mark.parametrize("trick", TRICKS)
def test_switched_on_it_changes_the_training(trick: str) -> None:
    plain, tricked = points(), points(**{trick: TRICKS[trick]})
    assert tricked.isfinite().all()
    assert float((plain - tricked).abs().max()) > 1e-6
    assert torch.equal(tricked, points(**{trick: TRICKS[trick]})), "and the same way each time"


def test_average_does_not_change_the_training() -> None:
    gan, plain = trained(20, ema=0.9), trained(20)
    for a, b in zip(gan.G.parameters(), plain.G.parameters(), strict=True):
        assert torch.equal(a, b)
    before = [p.detach().clone() for p in gan.ema.parameters()]
    steps.train_step(gan, 20)
    for old, new, p in zip(before, gan.ema.parameters(), gan.G.parameters(), strict=True):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * p.detach())


def differences(value: Callable[[Tensor], Tensor], x: Tensor, eps: float = 1e-5) -> Tensor:
    """The gradient of `value` at x by central differences."""
    out = torch.zeros_like(x)
    for i in range(x.numel()):
        bump = torch.zeros(x.numel(), dtype=x.dtype)
        bump[i] = eps
        bump = bump.view(x.shape)
        out.view(-1)[i] = (value(x + bump).detach() - value(x - bump).detach()) / (2 * eps)
    return out


@pytest.mark.parametrize("made", [0, 5])
def test_unrolled_d_is_d_after_its_own_steps(made: int) -> None:
    gan = trained(made, unroll=2)
    real, fake = data(gan)
    before = copy.deepcopy(gan.D.state_dict())
    d = tricks.unrolled_d(gan, real, fake)
    other = trained(made, unroll=2)
    for _ in range(2):
        other.opt_d.zero_grad()
        LOSSES["non_saturating"].d(other.D(real), other.D(fake.detach())).backward()
        other.opt_d.step()
    torch.testing.assert_close(d(real), other.D(real), rtol=1e-7, atol=1e-7)
    assert all(torch.equal(v, before[n]) for n, v in gan.D.state_dict().items()), "D itself stays"


def test_unrolled_gradient() -> None:
    """By finite differences of the surrogate, D's answering steps included."""
    gan = trained(5, unroll=2, activation="tanh", batch=8)
    real, fake = data(gan)
    fake = fake.detach()

    def value(x: Tensor) -> Tensor:
        x = x if x.requires_grad else x.clone().requires_grad_(True)
        return LOSSES["non_saturating"].g(real, tricks.unrolled_d(gan, real, x)(x))

    x = fake.clone().requires_grad_(True)
    (got,) = torch.autograd.grad(value(x), x)
    torch.testing.assert_close(got, differences(value, fake), rtol=1e-4, atol=1e-9)
    (straight,) = torch.autograd.grad(LOSSES["non_saturating"].g(real, gan.D(x)), x)
    assert float((got - straight).abs().max()) > 1e-6, "not the gradient through D as it is"


def test_logan_moves_z_uphill() -> None:
    for settings in ({}, {"loss": "began"}):
        gan = trained(20, latent_optimization=0.05, **settings)
        z = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        moved = tricks.latent_optimization(gan, z)
        gain = gan.D.score(gan.G(moved)) - gan.D.score(gan.G(z))
        assert (gain > -1e-9).all() and gain.mean() > 0
        assert moved.requires_grad, "G is trained through the move"
    start = z.clone().requires_grad_(True)
    (g,) = torch.autograd.grad(gan.D.score(gan.G(start)).sum(), start)
    torch.testing.assert_close(moved.detach(), z + 0.05 * g / (5 + g.square().sum(1, keepdim=True)))
    bounded = trained(3, latent_optimization=10.0, z_kind="uniform", lr_d=0.1)
    at_edge = tricks.latent_optimization(bounded, torch.ones(4, 2, dtype=torch.float64))
    assert float(at_edge.detach().abs().max()) <= 1


def test_consensus() -> None:
    gan = trained(5, consensus=0.7, activation="tanh", batch=8)
    real, gan.fake = data(gan)
    of_d = torch.autograd.grad(
        LOSSES["non_saturating"].d(gan.D(real), gan.D(gan.fake)), [*gan.D.parameters()], retain_graph=True
    )
    of_g = torch.autograd.grad(
        LOSSES["non_saturating"].g(real, gan.D(gan.fake)), [*gan.G.parameters()], retain_graph=True
    )
    total = sum(float(g.square().sum()) for g in (*of_d, *of_g))
    assert float(tricks.consensus(gan, real).detach()) == pytest.approx(0.7 * total / 2)
    for weight in (gan.D.layers[1].weight, gan.G.layers[0].weight):

        def value(w: Tensor, weight: Tensor = weight) -> Tensor:
            kept = weight.detach().clone()
            with torch.no_grad():
                weight.copy_(w)
            _, gan.fake = data(gan)
            out = tricks.consensus(gan, real).detach()
            with torch.no_grad():
                weight.copy_(kept)
            return out

        _, gan.fake = data(gan)
        (got,) = torch.autograd.grad(tricks.consensus(gan, real), weight)
        torch.testing.assert_close(got, differences(value, weight.detach().clone()), rtol=1e-4, atol=1e-8)


def test_replay() -> None:
    gan = trained(4, replay=0.25)
    assert len(gan.past) == 4 * 2, "an eighth of each batch is kept"
    _, fake = data(gan)
    shown = tricks.replay(gan, fake.detach(), 9, 0)
    assert torch.equal(shown[4:], fake[4:].detach())
    old = {tuple(row) for row in gan.past.tolist()}
    assert all(tuple(row) in old for row in shown[:4].tolist())
    gan.past = torch.zeros(REPLAY_SIZE, 2, dtype=torch.float64)
    tricks.remember(gan, fake.detach(), 9)
    assert len(gan.past) == REPLAY_SIZE and torch.equal(gan.past[-2:], fake[:2].detach())


def test_historical_averaging() -> None:
    gan = trained(0, historical_averaging=3.0)
    seen = []
    for step in range(4):
        steps.train_step(gan, step)
        seen.append(gan.D.layers[0].weight.detach().clone())
    torch.testing.assert_close(gan.averages["D.layers.0.weight"], torch.stack(seen).mean(0))
    want = sum(float((p.detach() - gan.averages[f"G.{n}"]).square().sum()) for n, p in gan.G.named_parameters())
    assert float(tricks.historical_averaging(gan, gan.G, "G").detach()) == pytest.approx(3 * want)


def test_feature_matching() -> None:
    gan = trained(3, feature_matching=2.0)
    real, fake = data(gan)
    assert float(tricks.feature_matching(gan, real, real).detach()) == 0
    gap = gan.D.features(real).mean(0) - gan.D.features(fake).mean(0)
    torch.testing.assert_close(tricks.feature_matching(gan, real, fake), 2 * gap.square().sum())
    tricks.feature_matching(gan, real, fake).backward()
    assert float(gan.G.layers[0].weight.grad.abs().sum()) > 0


def test_instance_noise() -> None:
    assert [tricks.instance_noise_at(0.4, 100, step) for step in (0, 50, 100, 500)] == [0.4, 0.2, 0.0, 0.0]
    assert tricks.instance_noise_at(0.4, 0, 10**6) == 0.4
    gan = trained(0, instance_noise=0.5, batch=2048)
    x = torch.zeros(2048, 2, dtype=torch.float64)
    noise = [tricks.instance_noise(gan, x, 0, 0, side) for side in range(3)]
    assert all(float(n.std()) == pytest.approx(0.5, rel=0.05) for n in noise)
    assert not torch.equal(noise[0], noise[1]) and not torch.equal(noise[1], noise[2])


def test_label_flips() -> None:
    gan = trained(0, label_flip=0.25, label_smoothing=0.1, batch=2048)
    flips = gan.draws.uniform("flip", 5, 0, 2048, 2) < 0.25
    assert [float(share) for share in flips.double().mean(0)] == pytest.approx([0.25, 0.25], abs=0.03)
    real, fake = data(gan)
    r, f = gan.D(real), gan.D(fake.detach())
    smooth = torch.where(flips[:, :1], 0.9, 0.1).double()
    want = labelled(LOSSES["non_saturating"], r, f, smooth, flips[:, 1:].double())
    torch.testing.assert_close(steps._d_loss(gan, r, f, 5, 0, 0), want)


def test_looking_changes_nothing() -> None:
    """Batch norm in D: scores come from running statistics, training goes on with those of the batch."""
    looked, plain = trained(5, d_norm="batch", g_norm="batch"), trained(5, d_norm="batch", g_norm="batch")
    looked.score(torch.randn(30, 2))
    looked.points(torch.randn(30, 2))
    for gan in (looked, plain):
        steps.train_step(gan, 5)
    for name, value in looked.state().items():
        assert torch.equal(value, plain.state()[name]), name
