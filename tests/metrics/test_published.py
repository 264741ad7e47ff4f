"""Metrics against the packages that papers use, on the same features, and against closed forms."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.metrics.frechet import frechet_distance
from ganlab.metrics.inception import inception_score
from ganlab.metrics.kernel import kernel_distance, mmd2
from ganlab.metrics.manifold import density_coverage, f_score, precision_recall
from ganlab.metrics.path_length import path_lengths, slerp, trimmed_mean
from ganlab.metrics.ssim import ms_ssim, similarities


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_sets(n: int = 300, d: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    real = torch.randn(n, d, generator=rng(0), dtype=torch.float64).abs()
    return real, real.roll(1, 0) * 0.9 + 0.3 * torch.randn(n, d, generator=rng(1), dtype=torch.float64)


def waves(n: int, d: int, phase: float) -> torch.Tensor:
    """Features that are the same on every machine."""
    i, j = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(d, dtype=torch.float64)[None]
    return torch.sin(12.9898 * i + 78.233 * j * j + phase) + 0.1 * phase


def test_distances_and_scores_are_torch_fidelitys() -> None:
    """Its figures, of version 0.4.0, were written down: the package brings a top-level `tests` that hides ours."""
    a, b = waves(300, 16, 0.0).float(), waves(300, 16, 1.0).float()
    assert frechet_distance(a, b) == pytest.approx(0.1562585445906386, rel=1e-5)
    assert mmd2(a.double(), b.double()) == pytest.approx(0.02021225891458922, rel=1e-5)  # given float64, as its kernel
    assert kernel_distance(a, b, rng(), 3, 10**6).value == pytest.approx(mmd2(a, b), rel=1e-9)
    score = inception_score(3 * waves(200, 10, 0.5), 4)
    assert score == pytest.approx((2.254093636379744, 0.007874139266101622), rel=1e-9)
    pair = precision_recall(waves(300, 24, 0.0), waves(300, 24, 0.5), 5)
    assert pair == pytest.approx((0.19333332777023315, 0.20999999344348907), abs=1e-7)
    assert f_score(*pair) == pytest.approx(0.20132230802048393, abs=1e-5)


def test_precision_recall_density_coverage_are_prdcs() -> None:
    prdc = pytest.importorskip("prdc")
    real, fake = two_sets(400, 8)
    theirs = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=5)
    ours = {**precision_recall(real, fake, 5)._asdict(), **density_coverage(real, fake, 5)._asdict()}
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.parametrize("side", [161, 200])
def test_ms_ssim_is_pytorch_msssims(side: int) -> None:
    package = pytest.importorskip("pytorch_msssim")
    a = torch.rand(2, 3, side, side, generator=rng())
    a = torch.nn.functional.avg_pool2d(a, 5, 1, 2)
    b = (a + 0.1 * torch.randn(a.shape, generator=rng(1))).clamp(0, 1)
    theirs = package.ms_ssim(a.double(), b.double(), data_range=1.0, size_average=False)
    assert torch.allclose(ms_ssim(a, b, span=1.0), theirs.float(), atol=1e-5)


def test_scores_have_their_bounds() -> None:
    assert inception_score(torch.tensor([[1.0, 2, 3], [-1, 5, 3.1]])).mean == pytest.approx(1.24357, abs=1e-5)
    assert inception_score(50 * torch.eye(7)).mean == pytest.approx(7, rel=1e-6)
    assert inception_score(torch.zeros(5, 7)).mean == pytest.approx(1)
    many = inception_score(torch.randn(90, 5, generator=rng()), 3, rng())
    assert 1 < many.mean < 5 and many.deviation > 0
    same = torch.randn(400, 6, generator=rng())
    assert abs(mmd2(same[:200], same[200:])) < 0.2 < mmd2(same[:200], same[200:] + 1)
    image = torch.rand(1, 3, 64, 64, generator=rng()) * 2 - 1
    few = (0.5, 0.3, 0.2)
    assert float(ms_ssim(image, image, weights=few)) == pytest.approx(1, abs=1e-6)
    noise = torch.rand(8, 3, 64, 64, generator=rng(3)) * 2 - 1
    assert similarities(noise, 20, rng(), weights=few).mean() < 0.3
    same = similarities(image.expand(4, -1, -1, -1), 5, rng(), weights=few)
    assert torch.allclose(same, torch.ones(5), atol=1e-6)


def squares(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).square().sum(1)


def test_path_length_of_a_linear_generator_in_w() -> None:
    """G(w) = A w with squared distances: 2 tr(A A^T)."""
    n, d = 20_000, 6
    a = torch.randn(4, d, generator=rng(5), dtype=torch.float64)
    start, end = (torch.randn(n, d, generator=rng(seed), dtype=torch.float64) for seed in (0, 1))
    t = torch.rand(n, generator=rng(2), dtype=torch.float64)
    found = path_lengths(start, end, lambda w: w @ a.T, squares, t)
    assert trimmed_mean(found, 0) == pytest.approx(2 * float((a @ a.T).trace()), rel=0.05)
    assert trimmed_mean(found) < trimmed_mean(found, 0)  # the longest are left out


def test_path_length_on_the_sphere() -> None:
    """The identity along great circles: about pi^2 / 4 + 1 / d."""
    n, d = 20_000, 64
    start, end = (torch.randn(n, d, generator=rng(seed), dtype=torch.float64) for seed in (0, 1))
    t = torch.zeros(n, dtype=torch.float64)
    found = path_lengths(start, end, lambda z: z, squares, t, space="z")
    assert trimmed_mean(found, 0) == pytest.approx(math.pi**2 / 4 + 1 / d, rel=0.01)
    half = slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([[0.5]]))
    assert np.allclose(half, [[math.sqrt(0.5)] * 2])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: mmd2(torch.zeros(1, 3), torch.zeros(5, 3)),
        lambda: kernel_distance(torch.zeros(5, 3), torch.zeros(5, 3), rng(), subsets=1),
        lambda: inception_score(torch.zeros(3, 4), splits=4),
        lambda: ms_ssim(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)),
        lambda: similarities(torch.zeros(1, 3, 64, 64), 3, rng()),
        lambda: path_lengths(torch.zeros(2, 3), torch.zeros(2, 3), abs, squares, torch.zeros(2), epsilon=0),
        lambda: trimmed_mean(torch.zeros(2), 0.5),
    ],
)
def test_what_cannot_be_measured_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        wrong()
