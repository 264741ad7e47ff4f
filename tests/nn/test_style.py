"""1x1 convolutions as products of matrices, whichever way the features lie in memory."""

import pytest
import torch
import torch.nn.functional as F

from ganlab.nn.style import WIDE, pointwise


@pytest.mark.parametrize("learnt", [False, True])
@pytest.mark.parametrize("matrices", [1, 2])
@pytest.mark.parametrize("side", [5, WIDE])
def test_each_picture_is_convolved_with_its_own_matrix(side: int, matrices: int, learnt: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    bordered = torch.randn(2, 7, side + 2, side + 2, generator=rng).contiguous(memory_format=torch.channels_last)
    x, taps = bordered[:, :, 1:-1, 1:-1], torch.randn(matrices, 7, 6, generator=rng).requires_grad_(learnt)
    kernels = taps.expand(2, -1, -1).transpose(1, 2)[..., None, None]
    expected = torch.cat([F.conv2d(one[None], kernel) for one, kernel in zip(x, kernels)])
    made = pointwise(x, taps)
    assert torch.allclose(made, expected, atol=1e-5) and made.requires_grad == learnt
