"""One kernel in place of a convolution and a filter, as GPUs take it."""

import pytest
import torch
from torch import Tensor

from ganlab.nn import resample

FILTERS = {"binomial": (1, 3, 3, 1), "lopsided": (1, 2, 3, 4), "six taps": (1, 4, 6, 4, 2, 1)}


@pytest.mark.parametrize("taps", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("k", [1, 3])
def test_joined_kernels_are_the_convolution_and_the_filter(
    taps: tuple[float, ...], k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    x, w = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(5, 3, k, k, dtype=torch.float64)
    f = resample.make_filter(taps).double()

    def made() -> list[Tensor]:
        return [resample.conv_up2d(x, w, f), resample.conv_down2d(x, w, f)]

    apart = made()
    monkeypatch.setattr(resample, "_joins", lambda x, f: True)
    for a, b in zip(apart, made()):
        torch.testing.assert_close(a, b)


@pytest.mark.gpu
def test_a_gpu_makes_the_same() -> None:
    torch.manual_seed(0)
    x, w, f = torch.randn(2, 8, 16, 16), torch.randn(8, 8, 3, 3), resample.make_filter((1, 3, 3, 1))
    for function in (resample.conv_up2d, resample.conv_down2d):
        there = function(x.cuda(), w.cuda(), f.cuda()).cpu()
        torch.testing.assert_close(there, function(x, w, f), rtol=1e-3, atol=1e-3)
