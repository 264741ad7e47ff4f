"""Precision and recall, density and coverage, neighbours: their meaning, and a plain loop beside them."""

import math

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.metrics import METRICS, manifold, nearest
from ganlab.metrics.manifold import density_coverage, precision_recall
from ganlab.metrics.nearest import copying, nearest_neighbours, nearest_within


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifold, "ROWS", 7)
    monkeypatch.setattr(nearest, "CELLS", 300)


def by_hand(real: torch.Tensor, fake: torch.Tensor, k: int) -> tuple[float, float, float, float]:
    """All four, picture by picture, as the papers write them."""

    def ball(i: int, x: torch.Tensor) -> float:
        return sorted(math.dist(x[i].tolist(), x[j].tolist()) for j in range(len(x)) if j != i)[k - 1]

    reals, fakes = [ball(i, real) for i in range(len(real))], [ball(i, fake) for i in range(len(fake))]
    far = [[math.dist(r.tolist(), f.tolist()) for f in fake] for r in real]
    n, m = len(real), len(fake)
    inside = [[far[i][j] <= reals[i] for j in range(m)] for i in range(n)]
    precision = sum(any(inside[i][j] for i in range(n)) for j in range(m)) / m
    recall = sum(any(far[i][j] <= fakes[j] for j in range(m)) for i in range(n)) / n
    return precision, recall, sum(map(sum, inside)) / (k * m), sum(map(any, inside)) / n


@pytest.mark.usefixtures("few_rows_at_once")
@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_agree_with_a_plain_loop(k: int) -> None:
    real, fake = normal(40, 3, 0).double(), normal(33, 3, 1).double() * 0.7 + 0.2
    expected = by_hand(real, fake, k)
    assert (*precision_recall(real, fake, k), *density_coverage(real, fake, k)) == pytest.approx(expected)


def test_collapse_is_high_precision_and_low_recall() -> None:
    real = torch.cat([normal(300, 8, i) * 0.2 + 4 * torch.eye(8)[i] for i in range(5)])
    one = normal(1500, 8, 9) * 0.2 + 4 * torch.eye(8)[0]
    p, r = precision_recall(real, one)
    assert p > 0.85 and r < 0.25
    assert density_coverage(real, one).coverage < 0.25
    p, r = precision_recall(real, real[:1].expand(1500, -1))
    assert p == 1 and r < 0.01


def test_noise_around_the_data_is_low_precision_and_high_recall() -> None:
    p, r = precision_recall(normal(1000, 4, 0), normal(1000, 4, 1) * 4)
    assert p < 0.3 and r > 0.85


def test_sets_far_apart_share_nothing() -> None:
    real, fake = normal(200, 4, 0), normal(200, 4, 1) + 100
    assert (*precision_recall(real, fake), *density_coverage(real, fake)) == (0, 0, 0, 0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_coverage_of_a_distribution_by_itself(k: int) -> None:
    """Naeem et al. 2020, lemma 2: 1 - prod_{i<k} (N-1-i)/(2N-1-i), whatever the distribution; and density 1."""
    n = 1000
    expected = 1 - math.prod((n - 1 - i) / (2 * n - 1 - i) for i in range(k))
    found = [density_coverage(normal(n, 6, 2 * s), normal(n, 6, 2 * s + 1), k) for s in range(5)]
    assert sum(f.coverage for f in found) / 5 == pytest.approx(expected, abs=0.015)
    assert sum(f.density for f in found) / 5 == pytest.approx(1, abs=0.05)


@pytest.mark.usefixtures("few_rows_at_once")
def test_neighbours_are_those_of_cdist() -> None:
    a, b = normal(50, 5, 0).double(), normal(60, 5, 1).double() + 10
    found = nearest_neighbours(a, b, 4)
    expected = torch.cdist(a, b).topk(4, largest=False)
    assert torch.equal(found.rows, expected.indices)
    assert torch.allclose(found.distance, expected.values, atol=1e-9)
    among = torch.cdist(b, b).fill_diagonal_(math.inf)
    assert torch.equal(nearest_within(b).rows[:, 0], among.argmin(1))
    assert nearest_neighbours(b[:3], b).distance.max() < 1e-6
    twice = torch.cat([b[:5], b[:5]])
    assert nearest_within(twice).distance.max() < 1e-6


def test_copies_are_told_from_fresh_pictures() -> None:
    train, fresh = normal(800, 4, 0), normal(400, 4, 1)
    honest = copying(normal(400, 4, 2), train, fresh)
    assert abs(honest.z) < 3 and honest.share == pytest.approx(0.5, abs=0.06)
    copied = copying(train[:400] + 0.01 * normal(400, 4, 3), train, fresh)
    assert copied.share > 0.95 and copied.z < -10
    far = copying(normal(400, 4, 2) * 3, train, fresh)
    assert far.share < 0.2 and far.z > 10
    assert copying(fresh, train, fresh).share == pytest.approx(0.5)


def test_too_few_pictures_are_refused() -> None:
    x = normal(3, 2, 0)
    for wrong in (
        lambda: precision_recall(x, normal(9, 2, 1), 3),
        lambda: density_coverage(normal(9, 2, 1), x, 3),
        lambda: nearest_neighbours(x, x, 4),
        lambda: nearest_within(x, 3),
    ):
        with pytest.raises(InvalidInput):
            wrong()


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_prefers_the_data_itself(name: str) -> None:
    row = METRICS[name]
    real, near, far = normal(300, 6, 0), normal(300, 6, 1), normal(300, 6, 2) * 0.3 + 1.5
    good, bad = row.function(real, near), row.function(real, far)
    assert good < bad if row.better == "lower" else good > bad
    assert row.title and row.paper
