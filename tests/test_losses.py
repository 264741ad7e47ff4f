"""`ganlab.losses`: published numbers, and the direction in which every row pushes."""

import math

import pytest
import torch

from ganlab.losses import BEGAN_GAMMA, LOSSES, began_balance, labelled

REAL, FAKE = [-5.0, 1.4, 12.5, 2.7], [10.0, 4.4, -5.5, 3.6]
AVERAGE_REAL = [-2.0, 0.4, 12.5, 2.7]

GOLDEN = {  # YARDSTICKS 3: G's and D's loss
    "lsgan": (17.69625, 41.73375),
    "non_saturating": (1.38582, 5.83387),
    "logistic": (1.38582, 5.83387),
    "minimax": (-4.51082, 5.83387),
    "wgan": (-3.125, 0.225),
    "hinge": (-3.125, 6.75),
}


def column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name: str) -> None:
    g, d = GOLDEN[name]
    assert float(LOSSES[name].g(column(REAL), column(FAKE))) == pytest.approx(g, abs=1e-5)
    assert float(LOSSES[name].d(column(REAL), column(FAKE))) == pytest.approx(d, abs=1e-5)


def test_golden_relativistic_average() -> None:
    assert float(LOSSES["ragan"].g(column(AVERAGE_REAL), column(FAKE))) == pytest.approx(4.9401135, abs=1e-5)
    assert float(LOSSES["ragan"].d(column(AVERAGE_REAL), column(FAKE))) == pytest.approx(4.390114, abs=1e-5)


def test_relativistic_pairing_by_hand() -> None:
    gaps = [f - r for r, f in zip(REAL, FAKE)]
    assert float(LOSSES["rpgan"].d(column(REAL), column(FAKE))) == pytest.approx(
        sum(math.log1p(math.exp(gap)) for gap in gaps) / 4
    )
    assert float(LOSSES["rpgan"].g(column(REAL), column(FAKE))) == pytest.approx(
        sum(math.log1p(math.exp(-gap)) for gap in gaps) / 4
    )


def test_one_sided_smoothing() -> None:
    """A target of .875 for real, as in YARDSTICKS."""
    wrong, none = torch.full((4, 1), 0.125, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
    value = labelled(LOSSES["non_saturating"], column(REAL), column(FAKE), wrong, none)
    assert float(value) == pytest.approx(6.19637, abs=1e-5)


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if loss.real_term])
def test_labels(name: str) -> None:
    """No wrong labels: D's loss itself; all wrong: real and fake change places."""
    loss, real, fake = LOSSES[name], column(REAL), column(FAKE)
    none, all_ = torch.zeros(4, 1, dtype=torch.float64), torch.ones(4, 1, dtype=torch.float64)
    torch.testing.assert_close(labelled(loss, real, fake, none, none), loss.d(real, fake))
    torch.testing.assert_close(labelled(loss, real, fake, all_, all_), loss.d(fake, real))


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_pushes_its_way(name: str) -> None:
    """D's step raises the real scores and lowers the fakes', G's raises the fakes'; an energy is minus a score."""
    loss = LOSSES[name]
    low, high = (0.05, 0.9) if loss.energy else (-0.9, 0.9)  # where neither margin nor hinge is flat
    rng = torch.Generator().manual_seed(0)
    real, fake = (low + (high - low) * torch.rand(64, 1, generator=rng) for _ in range(2))
    real.requires_grad_(True)
    fake.requires_grad_(True)
    value = loss.d(real, fake, 0.5) if loss.balanced else loss.d(real, fake)
    of_real, of_fake = torch.autograd.grad(value, (real, fake))
    (of_g,) = torch.autograd.grad(loss.g(real, fake), fake)
    sign = -1 if loss.energy else 1
    assert value.shape == ()
    assert (sign * -of_real > 0).all()
    # lsgan pulls a fake logit to 0, from wherever it is
    assert (sign * -of_fake * (fake.sign() if name == "lsgan" else 1) < 0).all()
    assert (sign * -of_g > 0).all()


def test_margins_are_flat_beyond() -> None:
    for name, real, fake in (("hinge", 1.5, -1.5), ("ebgan", 0.0, 1.5)):
        x = torch.tensor([[fake]], requires_grad=True)
        (gradient,) = torch.autograd.grad(LOSSES[name].d(torch.tensor([[real]]), x), x)
        assert float(gradient) == 0


def test_began_balance() -> None:
    assert began_balance(0.2, 1.0, BEGAN_GAMMA) == 0.2  # at the equilibrium
    assert began_balance(0.2, 1.0, 0.1) == pytest.approx(0.2 + 0.001 * 0.4)  # fakes too good: D looks at them more
    assert began_balance(0.0, 0.0, 9.0) == 0.0 and began_balance(1.0, 9.0, 0.0) == 1.0
    k0, k1 = (float(LOSSES["began"].d(column([1.0]), column([0.4]), k)) for k in (0.0, 0.5))
    assert (k0, k1) == pytest.approx((1.0, 0.8))


@pytest.mark.parametrize("name", LOSSES)
def test_rows_are_complete(name: str) -> None:
    row = LOSSES[name]
    assert row.title and row.paper and row.formula_d and row.formula_g
    for formula in (row.formula_d, row.formula_g):
        assert formula.count("{") == formula.count("}") and "E" in formula
    unit = row.to_unit(torch.linspace(-9, 9, 50))
    assert ((unit >= 0) & (unit <= 1)).all() and (unit.diff() >= 0).all() and unit[-1] > unit[0]
