"""The Fréchet distance: closed forms, another way to compute it, and what sets of few pictures do."""

import math

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.metrics.bootstrap import Interval, bootstrap, interval, mean_of
from ganlab.metrics.frechet import FrechetStats, few, frechet_between, frechet_distance, frechet_stats


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=rng(seed), dtype=torch.float64)


def stats(mean: torch.Tensor, covariance: torch.Tensor) -> FrechetStats:
    return FrechetStats(mean.double(), covariance.double(), 1000)


def by_newton(a: torch.Tensor, b: torch.Tensor) -> float:
    """tr (A B)^1/2 by the iteration of Denman and Beavers (1976) for the root of A B, which is not symmetric."""
    y, z = a @ b, torch.eye(len(a), dtype=a.dtype)
    for _ in range(40):
        y, z = (y + z.inverse()) / 2, (z + y.inverse()) / 2
    assert torch.allclose(y @ y, a @ b, atol=1e-8)
    return float(y.trace())


def test_commuting_covariances_have_a_closed_form() -> None:
    """Diagonal ones: |mu|^2 + sum (sigma_a - sigma_b)^2."""
    mean = torch.tensor([3.0, 0.0, -4.0])
    a, b = torch.tensor([1.0, 4.0, 0.25]), torch.tensor([9.0, 4.0, 0.0])
    turn = torch.linalg.qr(normal(3, 3, 0)).Q
    turned = [turn @ torch.diag(v.double()) @ turn.T for v in (a, b)]
    expected = 25 + (1 - 3) ** 2 + 0 + 0.5**2
    for left, right in ((torch.diag(a), torch.diag(b)), turned):
        assert frechet_between(stats(mean, left), stats(torch.zeros(3), right)) == pytest.approx(expected, rel=1e-7)


def test_it_agrees_with_another_way_to_the_root() -> None:
    x, y = normal(400, 24, 1) @ normal(24, 24, 2), normal(300, 24, 3) @ normal(24, 24, 4) + 0.3
    a, b = torch.cov(x.T), torch.cov(y.T)
    expected = float((x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace()) - 2 * by_newton(a, b)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)


def test_a_set_is_at_no_distance_from_itself_and_a_shift_is_its_square() -> None:
    x = normal(500, 16, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 0.5) == pytest.approx(16 * 0.25, abs=1e-8)
    assert frechet_distance(x.float(), x.flip(0).float()) == pytest.approx(0, abs=1e-6)


def test_covariances_without_full_rank_do_no_harm() -> None:
    x = normal(10, 64, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    one = torch.zeros(5, 64)
    covariance = torch.cov(x.T)
    assert frechet_distance(x, one) == pytest.approx(float(x.mean(0).square().sum() + covariance.trace()), rel=1e-9)


def test_statistics_are_those_of_torch() -> None:
    x = normal(50, 5, 0)
    found = frechet_stats(x.float())
    assert found.count == 50 and found.mean.dtype == torch.float64
    assert torch.allclose(found.covariance, torch.cov(x.T), atol=1e-6)


@pytest.mark.parametrize("x", [torch.zeros(1, 4), torch.full((9, 4), torch.nan)], ids=["one", "nan"])
def test_what_cannot_be_measured_is_refused(x: torch.Tensor) -> None:
    with pytest.raises(InvalidInput):
        frechet_distance(x, torch.zeros(9, 4))


def test_few_pictures_are_warned_of() -> None:
    assert "no full rank" in str(few(100, 192)) and "too large" in str(few(1000, 192)) and few(1920, 192) is None


def test_small_sets_are_biased_upwards_as_the_warning_says() -> None:
    small, large = (frechet_distance(normal(n, 32, 0), normal(n, 32, 1)) for n in (100, 3000))
    assert small > 10 * large


def test_intervals_hold_the_spread_of_repetitions() -> None:
    """The mean of a set: its standard error is known, and an interval is 1.96 of them to each side."""

    def mean(real: torch.Tensor, fake: torch.Tensor) -> float:
        return float(fake.mean() - real.mean())

    real, fake = normal(400, 1, 0), normal(400, 1, 1) + 3
    found = interval(mean, real, fake, 200, rng())
    assert found.value == pytest.approx(mean(real, fake))
    assert (found.hi - found.lo) / 2 == pytest.approx(1.96 * (2 / 400) ** 0.5, rel=0.2)
    assert found.hi - found.value == pytest.approx(found.value - found.lo)
    assert found == interval(mean, real, fake, 200, rng())
    with pytest.raises(InvalidInput):
        interval(mean, real, fake, 1, rng())


def test_the_bootstrap_holds_it_too_for_one_set_and_for_several() -> None:
    one, other = normal(400, 1, 0)[:, 0], normal(100, 1, 1)[:, 0]
    found = mean_of(one, rng())
    assert found.value == pytest.approx(float(one.mean())) and found.far == pytest.approx(1.96 / 20, rel=0.2)
    both = bootstrap(lambda a, b: float(a.mean() - b.mean()), [one, other], rng())
    assert both.far == pytest.approx(1.96 * (1 / 400 + 1 / 100) ** 0.5, rel=0.2)
    assert both == bootstrap(lambda a, b: float(a.mean() - b.mean()), [one, other], rng())
    assert bootstrap(lambda a: math.inf, [one], rng()).far == 0, "a figure without bounds has no ends"
    assert mean_of(torch.ones(9), rng()).percent() == "100.0% ± 0.0%"
    assert str(Interval(12345.6, 11111, 13580)) == "12,346 ± 1,234" and str(Interval(0.5, 0.4, 0.6)) == "0.5 ± 0.1"
    with pytest.raises(InvalidInput):
        mean_of(torch.zeros(0), rng())
