"""`ganlab.regularizers`: closed forms on linear discriminators, and that each penalty teaches all of D."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlab.networks.mlp import MlpDiscriminator
from ganlab.regularizers import REGULARIZERS, clip_weights, path_lengths, penalty

W = torch.tensor([3.0, 4.0])  # |W| = 5


def linear(x: Tensor) -> Tensor:
    return (x @ W)[:, None]


def batch(n: int = 16, dim: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(n, dim, generator=rng), torch.randn(n, dim, generator=rng)
    return real, fake, torch.rand(n, 1, generator=rng), torch.rand(n, dim, generator=rng)


def test_golden_wgan_gp() -> None:
    """YARDSTICKS 3: D(x) = 2 sum(x) in four dimensions has slope 4."""
    value = penalty(REGULARIZERS["wgan_gp"], lambda x: 2 * x.sum(1, keepdim=True), *batch(dim=4))
    assert float(value) == pytest.approx(9.0, abs=1e-5)


@pytest.mark.parametrize(("name", "want"), [("wgan_gp", 16.0), ("r1", 12.5), ("r2", 12.5), ("dragan", 16.0)])
def test_closed_form_on_a_linear_d(name: str, want: float) -> None:
    assert float(penalty(REGULARIZERS[name], linear, *batch())) == pytest.approx(want, rel=1e-5)


PLACES: dict[str, Callable[..., Tensor]] = {
    "wgan_gp": lambda real, fake, mix, noise: fake + mix * (real - fake),
    "r1": lambda real, fake, mix, noise: real,
    "r2": lambda real, fake, mix, noise: fake,
    "dragan": lambda real, fake, mix, noise: real + 0.5 * real.std() * noise,
}


@pytest.mark.parametrize("name", PLACES)
def test_where_the_gradient_is_taken(name: str) -> None:
    """D(x) = |x|^2 / 2 has the gradient x: the penalty shows the points."""
    norm = PLACES[name](*batch()).norm(dim=1)
    want = (norm - 1).square().mean() if name in ("wgan_gp", "dragan") else norm.square().mean() / 2
    got = penalty(REGULARIZERS[name], lambda x: x.square().sum(1, keepdim=True) / 2, *batch())
    torch.testing.assert_close(got, want)


def test_slope_one_costs_nothing_and_slope_zero_has_no_nan() -> None:
    assert float(penalty(REGULARIZERS["wgan_gp"], lambda x: x[:, :1], *batch())) == pytest.approx(0, abs=1e-10)
    weight = torch.zeros(2, 1, requires_grad=True)
    penalty(REGULARIZERS["wgan_gp"], lambda x: x @ weight, *batch()).backward()
    assert weight.grad is not None and weight.grad.isfinite().all()


def test_clip() -> None:
    net = nn.Linear(8, 8)
    clip_weights(net.parameters(), 0.05)
    assert max(float(p.detach().abs().max()) for p in net.parameters()) == pytest.approx(0.05)
    small = nn.Linear(2, 2)
    before = small.weight.detach().clone()
    clip_weights(small.parameters(), 10.0)
    assert torch.equal(small.weight, before)


def test_l2_counts_weights_not_biases() -> None:
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, 4.0]]))
        net.bias.fill_(100.0)
    weights = REGULARIZERS["l2"].weights
    assert weights and weights(net).item() == 25


def test_orthogonality() -> None:
    weights = REGULARIZERS["orthogonal"].weights
    assert weights
    net = nn.Linear(5, 5)
    with torch.no_grad():
        net.weight.copy_(7 * torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)))[0])
    assert weights(net).item() == pytest.approx(0, abs=1e-6)  # of any scale: the diagonal is left out
    with torch.no_grad():
        net.weight.fill_(1.0)
    assert weights(net).item() == pytest.approx(25 * 20)  # 20 products of different rows, each 5


@pytest.mark.parametrize("name", [name for name, row in REGULARIZERS.items() if not row.clips])
def test_every_weight_of_d_gets_a_gradient(name: str) -> None:
    d, row = MlpDiscriminator(2, 8, 2), REGULARIZERS[name]
    d.reset(torch.Generator().manual_seed(1))
    value: Any = row.weights(d) if row.weights else penalty(row, d, *batch())
    value.backward()
    for key, p in d.named_parameters():
        if key.endswith("weight") and not (name == "orthogonal" and len(p) == 1):  # one row is always orthogonal
            assert p.grad is not None and float(p.grad.abs().sum()) > 0, key


@pytest.mark.parametrize("name", REGULARIZERS)
def test_rows_are_complete(name: str) -> None:
    row = REGULARIZERS[name]
    assert row.title and row.formula and row.paper and row.weight > 0 and math.isfinite(row.weight)
    assert (row.points is not None) + (row.weights is not None) + row.clips == 1
    assert (row.points is None) == (row.of_norm is None)


def test_path_lengths_of_a_linear_generator() -> None:
    """G(w) = A w for each of two layers: |A^T y| by layer, in the root mean square."""
    torch.manual_seed(0)
    a = torch.randn(2, 3 * 4 * 4, 5)
    ws = torch.randn(6, 2, 5, requires_grad=True)
    images = torch.einsum("lio,nlo->ni", a, ws).view(6, 3, 4, 4)
    noise = torch.randn(6, 3, 4, 4)
    want = torch.einsum("lio,ni->nlo", a, noise.flatten(1) / 4).square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(path_lengths(images, ws, noise), want)
