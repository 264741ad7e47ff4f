"""A classifier of classes and fakes in D's place."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganlab.networks.arguments import Shape
from ganlab.networks.auxiliary import SemiSupervisedD, last_features
from ganlab.networks.table import TRAINABLE

CLASSES = 5


def semi_supervised(family: str) -> SemiSupervisedD:
    shape = Shape(32, 3, 0, 8, 8, 2, 256, 8)
    row = TRAINABLE[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SemiSupervisedD(row.d(**row.d_arguments(shape)), CLASSES, 3, 32)


def images(n: int = 4) -> Tensor:
    return torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_d_of_a_classifier_is_the_share_of_all_classes() -> None:
    """Softmax of K + 1 logits, the last of them 0, gives D(x) = Z / (Z + 1) (Salimans et al. 2016, sec. 5)."""
    D = semi_supervised("dcgan").eval()
    logits = D.read(images()).classes
    both = torch.cat([logits, torch.zeros(4, 1)], 1).softmax(1)
    torch.testing.assert_close(D(images()).sigmoid()[:, 0], both[:, :CLASSES].sum(1))
    torch.testing.assert_close(logits.softmax(1), both[:, :CLASSES] / both[:, :CLASSES].sum(1, keepdim=True))


@pytest.mark.parametrize("family", [name for name, row in TRAINABLE.items() if row.classifies])
def test_every_family_can_be_the_classifier(family: str) -> None:
    D: Any = semi_supervised(family)
    assert D(images()).shape == (4, 1)
    (D(images()).sum() + D.read(images())[0].sum()).backward()
    missing = [name for name, p in D.named_parameters() if p.grad is None]
    assert not [name for name in missing if family != "progan" or "enter" not in name]
    assert last_features(D.own, images()).shape[1] == D.head.in_features
