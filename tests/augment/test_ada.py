"""ADA: every transform does what its name says, in the paper's ranges, at the rate p, and lets gradients through."""

import math
from typing import Any

import pytest
import torch

from ganlab.augment.ada import AdaConfig, AdaController, AdaPipe, _filter_bank

NAMES = list(AdaConfig.__dataclass_fields__)


def only(**factors: float) -> AdaPipe:
    return AdaPipe(AdaConfig(**{**dict.fromkeys(NAMES, 0.0), **factors}))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blob(n: int, size: int = 32, x: float = 0.3, y: float = 0.6, width: float = 0.1) -> torch.Tensor:
    """A soft spot off the middle, in three colours, on black."""
    at = (torch.arange(size) + 0.5) / size
    spot = torch.exp(-((at[None, :] - x).square() + (at[:, None] - y).square()) / (2 * width**2))
    return torch.stack([spot, 0.5 * spot, 0.2 * spot]).repeat(n, 1, 1, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_transform_changes_about_its_share_and_is_differentiable(name: str, channels: int) -> None:
    if channels == 1 and name in ("hue", "saturation"):
        pytest.skip("a grey image has no colour to turn")
    n, p = 200, 0.5
    x = (blob(n) + 0.1 * torch.randn(n, 3, 32, 32, generator=rng(9)))[:, :channels].requires_grad_(True)
    made = only(**{name: 1.0})(x, p, rng())
    assert made.shape == x.shape
    assert torch.equal(made, only(**{name: 1.0})(x, p, rng()))
    changed = ((made - x).abs().amax((1, 2, 3)) > 1e-4).float().mean()
    share = {"xflip": 0.5, "lumaflip": 0.5, "rotate90": 0.75, "imgfilter": (1 - (1 - p) ** 4) / p}.get(name, 1.0)
    assert abs(float(changed) - p * share) < 0.12, float(changed)
    made.square().sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all() and (x.grad.abs().sum((1, 2, 3)) > 0).all()


def test_nothing_happens_at_zero() -> None:
    x = torch.randn(4, 3, 16, 16, generator=rng())
    assert torch.equal(AdaPipe(AdaConfig())(x, 0.0, rng()), x)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("xflip", [lambda x: x, lambda x: x.flip(3)]),
        ("rotate90", [lambda x, k=k: x.rot90(k, (2, 3)) for k in range(4)]),
    ],
)
def test_blitting_loses_nothing(name: str, options: list[Any]) -> None:
    x = blob(64)
    made = only(**{name: 1.0})(x, 1.0, rng())
    candidates = torch.stack([option(x) for option in options])  # [k, n, c, h, w]
    nearest = (candidates - made).abs().amax((2, 3, 4)).min(0)
    assert nearest.values.max() < 0.02 and set(nearest.indices.tolist()) == set(range(len(options)))


def test_whole_moves_are_whole_and_within_an_eighth() -> None:
    x = blob(300, x=15.5 / 32, y=15.5 / 32)  # the middle of pixel 15
    made = only(xint=1.0)(x, 1.0, rng())
    at = made[:, 0].flatten(1).argmax(1)
    moves = torch.stack([at // 32 - 15, at % 32 - 15])
    assert set(moves.flatten().tolist()) == set(range(-4, 5))
    back = torch.stack([made[k, 0].roll((-int(d), -int(r)), (0, 1)) for k, (d, r) in enumerate(moves.T)])
    assert (back[:, 8:24, 8:24] - x[:, 0, 8:24, 8:24]).abs().max() < 0.02


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mass, mean squared distance from the middle) of the first channel."""
    at = (torch.arange(x.shape[-1]) + 0.5) / x.shape[-1] - 0.5
    mass = x[:, 0].sum((1, 2))
    return mass, (x[:, 0] * (at[None, :] ** 2 + at[:, None] ** 2)).sum((1, 2)) / mass


def test_scale_and_stretch_have_the_papers_spread() -> None:
    """Mass grows with the area: log2 of it is N(0, 0.4) for a scale of 2^N(0, 0.2); stretching keeps it."""
    x = blob(400, x=0.5, y=0.5, width=0.05)
    before = moments(x)[0]
    grown = (moments(only(scale=1.0)(x, 1.0, rng()))[0] / before).log2()
    assert abs(float(grown.mean())) < 0.05 and abs(float(grown.std()) - 0.4) < 0.04
    stretched = (moments(only(aniso=1.0)(x, 1.0, rng()))[0] / before).log2()
    assert stretched.abs().max() < 0.1


def test_turning_keeps_mass_and_distance() -> None:
    x = blob(300, x=0.35, y=0.5, width=0.05)
    before, after = moments(x), moments(only(rotate=1.0)(x, 1.0, rng()))
    assert (after[0] / before[0] - 1).abs().max() < 0.05 and (after[1] / before[1] - 1).abs().max() < 0.1


def test_fractional_moves_have_the_papers_spread() -> None:
    x = blob(600, x=0.5, y=0.5)
    made = only(xfrac=1.0)(x, 1.0, rng())
    at = (torch.arange(32) + 0.5) / 32 - 0.5
    centre = (made[:, 0].sum(1) * at).sum(1) / made[:, 0].sum((1, 2))
    inside = centre[centre.abs() < 0.2]
    assert 0.07 < float(inside.std()) < 0.125  # N(0, 1/8), what is far out is reflected


def test_colours_have_the_papers_spread() -> None:
    x = torch.full((4000, 3, 2, 2), 0.5)
    bright = only(brightness=1.0)(x, 1.0, rng())[:, 0, 0, 0] - 0.5
    assert abs(float(bright.std()) - 0.2) < 0.01
    contrast = (only(contrast=1.0)(x, 1.0, rng())[:, 0, 0, 0] / 0.5).log2()
    assert abs(float(contrast.std()) - 0.5) < 0.02
    red = torch.tensor([0.6, -0.1, -0.5]).view(1, 3, 1, 1).expand(4000, 3, 2, 2)  # luma 0
    saturated = only(saturation=1.0)(red, 1.0, rng())
    gain = (saturated[:, 0, 0, 0] / 0.6).log2()
    assert abs(float(gain.std()) - 1) < 0.04 and saturated.mean(1).abs().max() < 1e-5
    hue = only(hue=1.0)(red, 1.0, rng())
    assert (hue.square().sum(1) - red.square().sum(1)).abs().max() < 1e-4 and hue.mean(1).abs().max() < 1e-5
    flipped = only(lumaflip=1.0)(x + red, 1.0, rng())
    assert set((flipped.mean(1)[:, 0, 0] * 1000).round().tolist()) == {500.0, -500.0}


def test_bands_sum_to_the_image_and_power_is_kept() -> None:
    bank = _filter_bank()
    identity = torch.zeros(bank.shape[1])
    identity[bank.shape[1] // 2] = 1
    assert torch.allclose(bank.sum(0), identity, atol=1e-6)
    x = torch.randn(200, 1, 64, 64, generator=rng())
    made = only(imgfilter=1.0)(x, 1.0, rng())
    assert 0.01 < float(made.square().mean() / x.square().mean()) < 100


def test_corruptions() -> None:
    x = torch.zeros(2000, 3, 8, 8)
    sigma = only(noise=1.0)(x, 1.0, rng()).flatten(1).std(1)
    assert abs(float(sigma.mean()) - 0.1 * math.sqrt(2 / math.pi)) < 0.01
    kept = only(cutout=1.0)(torch.ones(2000, 1, 16, 16), 1.0, rng())
    assert abs(float((1 - kept.mean((1, 2, 3))).max()) - 0.25) < 1e-6


def test_p_follows_the_sign_of_d() -> None:
    control = AdaController(target=0.6, kimg=500)
    for _ in range(1000):
        control.update(0.9, 64 * 4)
    assert abs(control.p - 1000 * 256 / 500_000) < 1e-9
    for _ in range(3000):
        control.update(0.1, 64 * 4)
    assert control.p == 0.0 and control.update(0.6, 256) == 0.0


def test_it_does_not_leak_below_one() -> None:
    """Turned by 90 degrees at p < 1 the upright image is the most frequent; at p = 1 all are alike (sec. 3.1)."""
    x = blob(800)
    for p, upright in ((0.6, 0.4 + 0.15), (1.0, 0.25)):
        made = only(rotate90=1.0)(x, p, rng())
        share = ((made - x).abs().amax((1, 2, 3)) < 0.02).float().mean()
        assert abs(float(share) - upright) < 0.05
