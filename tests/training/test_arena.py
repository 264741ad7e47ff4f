"""`ganlab.training.arena`: many GANs at once are what each is alone; divergence; going back exactly."""

from typing import Any

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.run import Event, GanConfig, Penalty, Run
from ganlab.training.arena import GUARD, Arena
from ganlab.training.draws import CHUNK, MOST_KEPT
from ganlab.training.gan import State
from ganlab.training.loop import Training, train

SMALL = {"g_width": 8, "d_width": 8, "batch": 16}
GP, R1 = Penalty("wgan_gp", 10.0), Penalty("r1", 1.0)


def gan(**settings: Any) -> GanConfig:
    return GanConfig(**{**SMALL, **settings})


MIXED = (
    gan(loss="wgan", penalties=(GP,)),
    gan(seed=4, loss="hinge", d_norm="spectral"),
    gan(loss="began"),
    gan(),
    gan(loss="rpgan", penalties=(R1, Penalty("r2", 1.0)), lr_d=3e-3),
    gan(g_width=12, activation="leaky_relu", ema=0.9),
    gan(d_norm="batch", replay=0.5, optimizer="rmsprop"),
    gan(z_dim=5, label_flip=0.1),
)


def same(a: list[State], b: list[State]) -> bool:
    return all(x.keys() == y.keys() and all(torch.equal(x[n], y[n]) for n in x) for x, y in zip(a, b, strict=True))


def advanced(run: Run, steps: int, **options: Any) -> Arena:
    arena = Arena(run, **options)
    arena.advance(steps)
    return arena


def test_gans_come_back_in_the_order_of_the_run() -> None:
    arena = advanced(Run(gans=MIXED), 7)
    assert len(arena.engines) == 5
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    points, scores, states = arena.generate(arena.latents(9)), arena.scores(x), arena.states()
    assert points.shape == (8, 9, 2) and scores.shape == (8, 4)
    for k, config in enumerate(MIXED):
        # seeds are added to the run's: alone it has the same ones
        alone = advanced(Run(gans=(config,)), 7)
        torch.testing.assert_close(points[k], alone.generate(alone.latents(9))[0], rtol=1e-3, atol=1e-4)
        gaps = scores[k] - scores[k, :1]  # D's last bias is arbitrary for a loss of pairs
        its = alone.scores(x)[0]
        torch.testing.assert_close(gaps, its - its[:1], rtol=1e-3, atol=1e-4)
        assert states[k].keys() == alone.states()[0].keys()


def test_a_race_changes_nobody() -> None:
    """The same trajectory as alone, to rounding, in double precision over many steps."""
    race = advanced(Run(gans=MIXED), 60, dtype=torch.float64)
    for k, config in enumerate(MIXED):
        alone = advanced(Run(gans=(config,)), 60, dtype=torch.float64)
        for name, value in alone.states()[0].items():
            if config.loss == "rpgan" and name.endswith("D.output.bias"):
                continue  # its true gradient is 0; see test_engines
            torch.testing.assert_close(race.states()[k][name], value, rtol=1e-8, atol=1e-8)


def test_same_run_same_history() -> None:
    run = Run(gans=MIXED, seed=11)
    a, b = ([s.to_dict() for s in train(run, 30, every=10)] for _ in range(2))
    assert a == b and [s["step"] for s in a] == [10, 20, 30]
    assert same(advanced(run, 30).states(), advanced(run, 30).states())
    assert a != [s.to_dict() for s in train(Run(gans=MIXED, seed=12), 30, every=10)]


def test_measuring_changes_nothing() -> None:
    run = Run(gans=MIXED)
    training = Training(run, every=3)
    while training.arena.step < 20:
        training.step()
    assert same(training.arena.states(), advanced(run, 20).states())


def test_half_steps_make_whole_ones() -> None:
    run = Run(gans=MIXED)
    whole, halves = advanced(run, 10), Arena(run)
    for _ in range(10):
        halves.d_phase()
        moved = halves.generate(halves.latents(3))
        halves.d_phase()  # a second call does nothing
        assert torch.equal(halves.generate(halves.latents(3)), moved), "G has not moved yet"
        halves.g_phase()
    assert same(whole.states(), halves.states())
    lone = Arena(run)
    for _ in range(10):
        lone.g_phase()  # makes up for the D half
    assert same(whole.states(), lone.states())


def poisoned(arena: Arena, k: int) -> None:
    """Makes GAN k's weights NaN, wherever its engine holds them."""
    states = arena.states()
    states[k] = {n: v * torch.nan if v.is_floating_point() else v for n, v in states[k].items()}
    arena._assemble(states)


@pytest.mark.parametrize("fast", [True, False])
def test_divergence_freezes_one_and_spares_the_others(fast: bool) -> None:
    wild = gan(lr_d=1.0, lr_g=1.0, loss="wgan")
    run = Run(gans=(gan(), wild, gan(loss="lsgan")))
    arena = advanced(run, GUARD, fast=fast)
    kept = arena.states()[1]
    arena.advance(10)
    poisoned(arena, 1)
    arena.advance(GUARD - 10)
    assert arena.frozen == {1: 2 * GUARD}
    assert same([arena.states()[1]], [kept]), "rolled back"
    arena.advance(GUARD)
    assert same([arena.states()[1]], [kept]), "and still"
    others = advanced(Run(gans=(gan(), gan(loss="lsgan"))), 3 * GUARD, fast=fast)
    for k, other in zip((0, 2), others.states(), strict=True):
        for name, value in other.items():
            torch.testing.assert_close(arena.states()[k][name], value, rtol=1e-2, atol=1e-3)
    arena.change("lr_d", 1e-4, 0)
    assert arena.frozen == {1: 2 * GUARD}, "another's setting thaws nothing"
    arena.change("lr_d", 1e-4, 1)
    assert arena.frozen == {}
    arena.advance(1)
    assert not same([arena.states()[1]], [kept])


def test_a_wgan_at_learning_rate_one_diverges_and_thaws() -> None:
    run = Run(gans=(gan(loss="wgan", optimizer="sgd", lr_g=1.0, lr_d=1.0), gan()))
    arena = Arena(run)
    while not arena.frozen and arena.step < 3000:
        arena.advance(GUARD)  # with Adam the weights would only grow, a step at a time
    assert list(arena.frozen) == [0]
    assert all(v.isfinite().all() for state in arena.states() for v in state.values())
    arena.change("lr_d", 1e-4, 0)
    arena.change("lr_g", 1e-4, 0)
    arena.advance(1)
    assert not arena.frozen


EVENTS = (
    Event(GUARD + 10, 0, "lr_d", 1e-4),
    Event(2 * GUARD, None, "batch", 24),
    Event(2 * GUARD, 3, "z_dim", 4),
    Event(2 * GUARD + 5, 4, "penalties", []),
    Event(2 * GUARD + 30, 0, "loss", "lsgan"),
)


LAST = 2 * GUARD + 35  # past all events


@pytest.fixture(scope="module")
def straight() -> tuple[Run, dict[int, tuple[list[State], dict[int, int]]]]:
    """A run with events that is never interrupted: what it held on its way and in the end."""
    arena, held = Arena(Run(gans=MIXED, events=EVENTS)), {}
    for at in (GUARD, 2 * GUARD, LAST):
        arena.advance(at - arena.step)
        held[at] = arena.states(), dict(arena.frozen)
    return arena.run, held


@pytest.mark.parametrize("at", [GUARD, 2 * GUARD])
def test_restore_and_replay_is_exact(at: int, straight: tuple[Run, Any]) -> None:
    """Also through events, on an event's own step and from one object to another."""
    run, held = straight
    (states, frozen), (end, _) = held[at], held[LAST]
    other = advanced(run, 10)
    other.restore(at, states, frozen)
    assert other.step == at and same(other.states(), states)
    other.advance(LAST - at)
    assert same(other.states(), end)
    other.restore(at, states, frozen)
    other.advance(LAST - at)
    assert same(other.states(), end), "the states that were given are not touched"


def test_restore_keeps_the_frozen_still() -> None:
    run = Run(gans=(gan(), gan(lr_d=2e-3)))
    arena = advanced(run, GUARD)
    poisoned(arena, 1)
    arena.advance(GUARD)
    states, frozen = arena.states(), dict(arena.frozen)
    arena.advance(GUARD)
    other = Arena(run)
    other.restore(2 * GUARD, states, frozen)
    other.advance(GUARD)
    assert other.frozen == {1: 2 * GUARD} and same(other.states(), arena.states())
    with pytest.raises(InvalidInput, match="holds 1 GANs, the run has 2"):
        other.restore(GUARD, states[:1], {})


def test_changes_are_events() -> None:
    live = advanced(Run(gans=MIXED), 17)
    live.change("lr_d", 5e-3)
    live.d_phase()
    live.change("z_dim", 3, 3)  # the half step is finished first
    live.advance(12)
    assert [(e.step, e.gan, e.path) for e in live.run.events] == [(17, None, "lr_d"), (18, 3, "z_dim")]
    assert same(live.states(), advanced(live.run, 30).states())
    with pytest.raises(InvalidInput, match="g_width"):
        live.change("g_width", 3)


@pytest.mark.parametrize("fast", [True, False])
def test_z_dim_keeps_what_was_learnt(fast: bool) -> None:
    arena = advanced(Run(gans=(gan(z_dim=3, ema=0.5),)), 40, fast=fast)
    before = arena.states()[0]
    arena.change("z_dim", 5)
    grown = arena.states()[0]
    for prefix in ("G", "m.G", "v.G"):
        weight = grown[f"{prefix}.layers.0.weight"]
        assert weight.shape == (8, 5) and torch.equal(weight[:, :3], before[f"{prefix}.layers.0.weight"])
        assert bool(weight[:, 3:].any()) == (prefix == "G")
    assert grown["ema.layers.0.weight"].shape == (8, 5)
    assert arena.generate(arena.latents(4)).shape == (1, 4, 2)
    arena.advance(5)
    arena.change("z_dim", 1)
    assert arena.states()[0]["G.layers.0.weight"].shape == (8, 1)
    arena.advance(5)
    assert arena.generate(arena.latents(4)).isfinite().all()


def test_draws_outlive_many_kinds() -> None:
    """More kinds of draws than are kept at once cost no second drawing within a chunk."""
    arena = Arena(Run(gans=(gan(d_steps=20, instance_noise=0.1, label_flip=0.1),)))
    draws = next(iter(arena._draws.values()))
    arena.advance(1)
    kinds = {key: id(kept[1]) for key, kept in draws._kept.items()}
    assert len(kinds) > MOST_KEPT
    arena.advance(CHUNK - 1)
    assert {key: id(kept[1]) for key, kept in draws._kept.items()} == kinds
    arena.advance(CHUNK * 2)
    assert len(draws._kept) <= 2 * len(kinds)
