"""Mode coverage: real data reach their known ceilings, collapse shows, wrecked samples do no harm."""

import math
import time

import pytest
import torch

from ganlab.data.toy2d import DataConfig, density
from ganlab.metrics.modes import ModeReport, mode_report, mode_reports

N = 2500


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("name", "sigma", "k"), [("ring", 0.01, 8), ("grid", 0.05, 25)])
def test_real_data_reach_the_yardsticks(name: str, sigma: float, k: int) -> None:
    real = density(DataConfig(name, sigma=sigma))
    samples = torch.stack([real.sample(N, rng(seed)) for seed in range(40)])
    reports = mode_reports(samples, real.modes, sigma)
    assert all(r.covered == r.total == k for r in reports)
    assert all(r.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.01) for r in reports)
    mean = sum(r.reverse_kl for r in reports) / len(reports)
    assert mean == pytest.approx((k - 1) / (2 * N), rel=0.25)
    assert all(r.balance > 0.9 for r in reports)


@pytest.mark.parametrize("k", [1, 2, 8])
def test_collapse_to_one_mode(k: int) -> None:
    real = density(DataConfig("ring", modes=k))
    report = mode_report(real.modes[:1].expand(N, 2), real.modes, real.sigma)
    assert (report.covered, report.total, report.high_quality) == (1, k, 1.0)
    assert report.reverse_kl == pytest.approx(math.log(k)) and report.balance == pytest.approx(1 / k)
    assert report.counts.tolist() == [N] + [0] * (k - 1)


def test_reverse_kl_is_ln_k_minus_entropy() -> None:
    centers = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    samples = centers.repeat_interleave(torch.tensor([10, 20, 30, 0]), 0)
    h = torch.tensor([1, 2, 3]).double() / 6
    report = mode_report(samples, centers, 0.05)
    assert report.reverse_kl == pytest.approx(math.log(4) + float((h * h.log()).sum()))
    assert report.covered == 3 and report.balance == pytest.approx(1 - (1 / 12 + 1 / 12 + 1 / 4 + 1 / 4) / 2)


def test_three_sigma_is_the_limit() -> None:
    samples = torch.tensor([[0.299, 0.0], [0.301, 0.0], [0.22, 0.22], [0.2, 0.2]])
    report = mode_report(samples, torch.tensor([[0.0, 0.0], [5.0, 5.0]]), 0.1)
    assert report.high_quality == 0.5 and report.counts.tolist() == [2, 0]


def test_unequal_weights_are_the_reference() -> None:
    real = density(DataConfig("ring", weights=(1, 4)))
    samples = real.sample(N, rng())
    assert mode_report(samples, real.modes, real.sigma, real.weights).reverse_kl < 0.01
    assert mode_report(samples, real.modes, real.sigma).reverse_kl > 0.15
    weights = torch.tensor([1.0, 3.0, 0.0])
    centers = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    report = mode_report(centers[[0, 0, 1, 2]], centers, 0.01, weights)
    assert report.total == 2 and report.counts.tolist() == [2, 1, 0] and math.isfinite(report.reverse_kl)
    assert report.reverse_kl == pytest.approx(2 / 3 * math.log(8 / 3) + 1 / 3 * math.log(4 / 9))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, 5.0])
def test_wrecked_samples_count_as_low_quality(value: float) -> None:
    real = density(DataConfig("ring"))
    half = real.sample(N, rng())
    half[::2, 0] = value
    report = mode_report(half, real.modes, real.sigma)
    assert report.high_quality == pytest.approx(0.5, abs=0.02) and report.covered == 8
    none = mode_report(torch.full((10, 2), value), real.modes, real.sigma)
    assert (none.covered, none.high_quality, none.balance) == (0, 0.0, 0.0)
    assert none.reverse_kl == pytest.approx(math.log(8))


def test_no_samples_and_one_dimension() -> None:
    centers = torch.tensor([[0.0], [1.0]])
    assert mode_report(torch.zeros(0, 1), centers, 0.1).covered == 0
    real = density(DataConfig("mixture1d"))
    report = mode_report(real.sample(N, rng()), real.modes, real.sigma)
    assert report.covered == 3 and report.high_quality == pytest.approx(0.9973, abs=0.005)


def same(a: ModeReport, b: ModeReport) -> bool:
    return a.counts.equal(b.counts) and (a.covered, a.reverse_kl, a.balance) == (b.covered, b.reverse_kl, b.balance)


def test_many_at_once_are_the_same_and_fast() -> None:
    real = density(DataConfig("grid"))
    samples = torch.stack([real.sample(N, rng(seed)) * (1 + seed / 50) for seed in range(8)])
    times = []
    for _ in range(10):
        start = time.perf_counter()
        reports = mode_reports(samples, real.modes, real.sigma)
        times.append(time.perf_counter() - start)
    assert all(same(r, mode_report(s, real.modes, real.sigma)) for r, s in zip(reports, samples, strict=True))
    assert min(times) < 0.02
