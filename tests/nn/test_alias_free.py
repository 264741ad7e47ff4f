"""The filtered leaky ReLU: the numbers and gradients of its steps one by one; filters as a library designs them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.nn.alias_free import FilteredLrelu, lowpass
from ganlab.nn.resample import upfirdn2d


@pytest.mark.parametrize(
    ("taps", "cutoff", "width", "rate"), [(12, 4.0, 6.0, 64), (24, 7.5, 3.0, 128), (13, 2.0, 9.0, 32)]
)
def test_filters_are_those_of_scipy(taps: int, cutoff: float, width: float, rate: float) -> None:
    signal = pytest.importorskip("scipy.signal")
    expected = torch.from_numpy(signal.firwin(taps, cutoff, width=width, fs=rate)).float()
    made = lowpass(taps, cutoff, width, rate)
    assert made is not None and torch.allclose(made, expected, atol=1e-6)
    assert lowpass(1, cutoff, width, rate) is None


def test_radial_filters_are_the_same_in_all_directions() -> None:
    f = lowpass(12, 4.0, 6.0, 64, radial=True)
    assert f is not None and torch.allclose(f, f.T) and torch.allclose(f, f.flip(0))
    assert float(f.sum()) == pytest.approx(1, abs=1e-6)
    assert lowpass(13, 4.0, 6.0, 64, radial=True).isfinite().all()  # type: ignore[union-attr]


@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize(
    ("side", "out", "up", "down", "clamp"),
    [(18, 16, 2, 2, None), (38, 52, 4, 2, 0.5), (21, 40, 4, 2, None), (40, 36, 2, 4, 0.3), (18, 16, 2, 2, 50.0)],
)
def test_it_is_the_chain_of_its_steps(
    side: int, out: int, up: int, down: int, clamp: float | None, radial: bool
) -> None:
    rng = torch.Generator().manual_seed(0)
    fu, fd = lowpass(6 * up, 4.0, 6.0, 64), lowpass(6 * down, 4.0, 6.0, 64, radial)
    assert fu is not None and fd is not None
    total = (out - 1) * down + 1 - side * up + 6 * up + 6 * down - 2
    before = (total + up) // 2
    x = torch.randn(2, 3, side, side, generator=rng).requires_grad_()
    bias = torch.randn(3, generator=rng).requires_grad_()

    def chain() -> Tensor:
        pads = (before, total - before, before, total - before)
        y = upfirdn2d(x + bias.view(-1, 1, 1), fu, up=up, pads=pads, gain=up**2)
        y = F.leaky_relu(y, 0.2) * 1.4
        return upfirdn2d(y if clamp is None else y.clamp(-clamp, clamp), fd, down=down)

    made, expected = FilteredLrelu(side, out, fu, fd, up, down, before)(x, bias, 0.2, 1.4, clamp), chain()
    assert made.shape == expected.shape == (2, 3, out, out)
    assert torch.allclose(made, expected, atol=2e-5)
    weights = torch.randn(made.shape, generator=rng)
    ours = torch.autograd.grad((made * weights).sum(), [x, bias])
    theirs = torch.autograd.grad((expected * weights).sum(), [x, bias])
    for a, b in zip(ours, theirs):
        assert torch.allclose(a, b, atol=1e-4 * float(b.abs().max()))
    with torch.no_grad():
        quick = FilteredLrelu(side, out, fu, fd, up, down, before)(x, bias, 0.2, 1.4, clamp)
    assert torch.allclose(quick, made, atol=2e-6)


@pytest.mark.parametrize("learnt", [False, True])
def test_it_scales_and_fills_what_it_is_given(learnt: bool) -> None:
    rng = torch.Generator().manual_seed(2)
    fu, fd = lowpass(12, 4.0, 6.0, 64), lowpass(12, 4.0, 6.0, 64)
    x, scale = torch.randn(2, 3, 38, 38, generator=rng).requires_grad_(learnt), torch.rand(2, 3, generator=rng)
    layer, bias, room = FilteredLrelu(38, 36, fu, fd, 2, 2, 9), torch.linspace(-1, 1, 3), torch.zeros(2, 3, 38, 38)
    expected = layer(x * scale[:, :, None, None], bias, 0.2, 1.4, 0.7)
    made = layer(x, bias, 0.2, 1.4, 0.7, scale, room[:, :, 1:-1, 1:-1])
    assert torch.allclose(made, expected, atol=2e-6)
    assert bool(room.any()) != learnt and (learnt or torch.equal(room[:, :, 1:-1, 1:-1], made))


def test_without_a_gradient_all_channels_and_columns_are_made_in_pieces() -> None:
    fu, fd = lowpass(12, 4.0, 6.0, 64), lowpass(12, 4.0, 6.0, 64, radial=True)
    x = torch.randn(2, 131, 38, 38, generator=torch.Generator().manual_seed(1))
    layer, bias = FilteredLrelu(38, 36, fu, fd, 2, 2, 9), torch.linspace(-1, 1, 131)
    whole = layer(x.clone().requires_grad_(), bias, 0.2, 1.4, 0.7)
    assert torch.allclose(layer(x, bias, 0.2, 1.4, 0.7), whole, atol=2e-6)
