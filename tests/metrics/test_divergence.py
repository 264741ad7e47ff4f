"""Divergences on a grid have their closed forms and bounds; so has the sliced Wasserstein distance."""

import math

import numpy as np
import pytest
import torch

from ganlab.data.toy2d import DataConfig, density
from ganlab.metrics.divergence import (
    grid_points,
    histogram_density,
    js,
    kl,
    optimal_discriminator,
    reverse_kl,
    sliced_wasserstein,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(mean: float, sigma: float) -> torch.Tensor:
    x = grid_points(8.0, 4000, 1)[:, 0]
    return (-((x - mean) ** 2) / (2 * sigma**2)).exp() / sigma


def test_grid_runs_along_x_first() -> None:
    points = grid_points(1.0, 4, 2)
    assert points.shape == (16, 2) and points[0].tolist() == [-0.75, -0.75] and points[1].tolist() == [-0.25, -0.75]
    assert points.view(4, 4, 2)[3, 0].tolist() == [-0.75, 0.75]
    assert grid_points(2.0, 2, 1).tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize("dim", [1, 2])
def test_histogram_is_a_density_in_the_grids_order(dim: int) -> None:
    points = grid_points(2.0, 16, dim)
    for cell in (0, 5, len(points) - 1):
        sharp = histogram_density(points[cell : cell + 1].repeat(3, 1), 2.0, 16, smooth=0)
        assert int(sharp.argmax()) == cell and int((sharp > 0).sum()) == 1
        smooth = histogram_density(points[cell : cell + 1], 2.0, 16)
        assert float(smooth.sum()) * 0.25**dim == pytest.approx(1, abs=1e-5)
        assert int((smooth > 0).sum()) > 1


@pytest.mark.parametrize("name", ["gaussian", "two_moons", "gaussian1d"])
def test_histogram_estimates_the_density(name: str) -> None:
    real = density(DataConfig(name, sigma=0.3))
    points = grid_points(real.extent, 24, real.dim)
    truth = real.log_prob(points).exp()
    guess = histogram_density(real.sample(40_000, rng()), real.extent, 24)
    assert float(js(truth, guess)) < 0.01 and float(kl(truth, guess)) < 0.05
    assert float((truth - guess).abs().max()) < 0.15 * float(truth.max())


def test_histogram_of_many_of_outsiders_and_of_wrecks() -> None:
    samples = torch.randn(3, 50, 2, generator=rng())
    samples[1] = 1e20
    samples[2] = math.nan
    together = histogram_density(samples, 3.0, 8)
    assert together.shape == (3, 64) and together[0].equal(histogram_density(samples[0], 3.0, 8))
    assert float(together[1].sum()) * 0.75**2 == pytest.approx(1) and int(together[1].argmax()) == 63
    assert not together[2].any()
    samples[0, :25] = -math.inf
    assert float(histogram_density(samples[0], 3.0, 8).sum()) * 0.75**2 == pytest.approx(1)


def test_optimal_discriminator() -> None:
    p, q = torch.tensor([1.0, 0.0, 0.0, 3.0]), torch.tensor([1.0, 2.0, 0.0, 1.0])
    assert optimal_discriminator(p, q).tolist() == [0.5, 0.0, 0.5, 0.75]


@pytest.mark.parametrize(("mean", "s"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.6), (-0.7, 1.2)])
def test_kl_of_gaussians(mean: float, s: float) -> None:
    p, q = normal(0, 1), normal(mean, s)
    forward = math.log(s) + (1 + mean**2) / (2 * s**2) - 0.5
    backward = -math.log(s) + (s**2 + mean**2) / 2 - 0.5
    assert float(kl(p, q, floor=0)) == pytest.approx(forward, abs=1e-4)
    assert float(reverse_kl(p, q, floor=0)) == pytest.approx(backward, abs=1e-4)
    assert float(js(p, q)) == pytest.approx(float(js(q, p)), abs=1e-7)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e6])
def test_js_is_normalised(scale: float) -> None:
    p, q = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 2.0, 3.0])
    assert float(js(p * scale, q)) == pytest.approx(math.log(2))
    assert float(js(p * scale, p)) == 0.0
    assert 20 < float(kl(p * scale, q)) < 30 and float(kl(p, q, floor=0)) == math.inf
    both = js(torch.stack((p, q)), p * scale)
    assert both.shape == (2,) and both.tolist() == pytest.approx([0, math.log(2)])


def test_js_is_the_loss_of_the_optimal_discriminator() -> None:
    # Goodfellow et al. 2014, theorem 1: max_D V(D, G) = -2 ln 2 + 2 JS
    p, q = normal(0, 1), normal(1, 0.8)
    p, q = p / p.sum(), q / q.sum()
    d = optimal_discriminator(p, q).double()
    value = float((p * d.clamp(min=1e-300).log()).sum() + (q * (1 - d).clamp(min=1e-300).log()).sum())
    assert value == pytest.approx(2 * float(js(p, q)) - 2 * math.log(2), abs=1e-5)


def test_js_of_real_data_is_small_and_of_collapse_is_large() -> None:
    real = density(DataConfig("ring"))
    truth = histogram_density(real.sample(100_000, rng(1)), real.extent, 50)
    assert float(js(truth, histogram_density(real.sample(5000, rng(2)), real.extent, 50))) < 0.01
    one = real.modes[:1] + 0.02 * torch.randn(5000, 2, generator=rng())
    # one of eight: JS of (1/8, ...) and (1, 0, ...)
    exact = (math.log(2 / (1 + 1 / 8)) + math.log(2 / 9) / 8 + 7 / 8 * math.log(2)) / 2
    assert float(js(truth, histogram_density(one, real.extent, 50))) == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("m", [500, 300, 1000])
@pytest.mark.parametrize(
    ("dim", "p", "factor"), [(1, 1, 1.0), (1, 2, 1.0), (2, 1, 2 / math.pi), (2, 2, math.sqrt(1 / 2)), (3, 1, 0.5)]
)
def test_sliced_wasserstein_of_a_shift(dim: int, p: int, factor: float, m: int) -> None:
    x = torch.randn(500, dim, generator=rng())
    shift = torch.zeros(dim)
    shift[0] = 3.0
    y = x + shift if m == 500 else torch.randn(m, dim, generator=rng(1)) + shift
    got = sliced_wasserstein(x, y, 256, rng=rng(), p=p)
    # E|<u, e>|^p over directions u; sampling error where y is not x itself, or directions are random
    assert got == pytest.approx(3 * factor, abs=0.002 if m == 500 and dim < 3 else 0.3)


def quantile_reference(x: np.ndarray, y: np.ndarray, p: int) -> float:
    """W_p^p in 1D by repeating both sets to a common length."""
    length = math.lcm(len(x), len(y))
    a, b = np.repeat(np.sort(x), length // len(x)), np.repeat(np.sort(y), length // len(y))
    return float((np.abs(a - b) ** p).mean() ** (1 / p))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 7), (6, 4), (35, 21), (10, 20)])
@pytest.mark.parametrize("p", [1, 2])
def test_unequal_sets_are_matched_exactly(n: int, m: int, p: int) -> None:
    x, y = torch.randn(n, 1, generator=rng()), 2 * torch.randn(m, 1, generator=rng(1))
    expected = quantile_reference(x[:, 0].numpy(), y[:, 0].numpy(), p)
    assert sliced_wasserstein(x, y, rng=rng(), p=p) == pytest.approx(expected, rel=1e-5)
    assert sliced_wasserstein(y, x, rng=rng(), p=p) == pytest.approx(expected, rel=1e-5)


def test_sliced_wasserstein_of_itself_its_seed_and_wrecks() -> None:
    x, y = torch.randn(100, 5, generator=rng()), torch.randn(100, 5, generator=rng(1))
    assert sliced_wasserstein(x, x.flip(0), rng=rng()) == pytest.approx(0, abs=1e-9)
    assert sliced_wasserstein(x, y, rng=rng(2)) == sliced_wasserstein(x, y, rng=rng(2))
    y[3, 2] = math.inf
    assert math.isnan(sliced_wasserstein(x, y, rng=rng()))
