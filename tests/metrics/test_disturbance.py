"""Disturbed pictures: each row does what its name says, more so with each level, and a Fréchet distance sees it."""

import pytest
import torch
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.faces import faces
from ganlab.features.faces import features_of, load_classifier
from ganlab.metrics.disturbance import DISTURBANCES, disturbed
from ganlab.metrics.frechet import frechet_distance


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return faces(0, range(96), 64)[0].float() / 127.5 - 1


@pytest.fixture(scope="module")
def others() -> Tensor:
    return torch.rand(96, 3, 64, 64, generator=rng(5)) * 2 - 1


@pytest.mark.parametrize("name", DISTURBANCES)
def test_each_level_is_farther_off(name: str, images: Tensor, others: Tensor) -> None:
    """The order that the paper's figure asks of a distance; its own count of pictures was larger."""
    classifier = load_classifier()
    real = features_of(classifier, images)
    found = [
        frechet_distance(real, features_of(classifier, disturbed(name, images, k, rng(), others))) for k in range(4)
    ]
    assert found == sorted(found) and found[0] < 1e-3 < found[1], found


def test_what_each_does(images: Tensor, others: Tensor) -> None:
    x = images[:8]
    pepper = disturbed("salt-and-pepper", x, 3, rng())
    changed = (pepper != x).any(1)
    assert 0.25 < changed.float().mean() < 0.35
    assert set(pepper.permute(0, 2, 3, 1)[changed].flatten().tolist()) == {-1.0, 1.0}
    boxes = disturbed("rectangles", x, 3, rng())
    covered = (boxes == -1).all(1) & (boxes != x).any(1)
    assert all(0.02 < share < 0.9 for share in covered.float().mean((1, 2)).tolist())
    assert torch.equal(boxes[~covered[:, None].expand_as(boxes)], x[~covered[:, None].expand_as(x)])
    mixed = disturbed("mixed", images, 2, rng(), others)
    strange = (mixed == others).flatten(1).all(1)
    assert int(strange.sum()) == 48 and torch.equal(mixed[~strange], images[~strange])
    flat = torch.full((2, 3, 64, 64), 0.3)
    for name in ("blur", "swirl"):
        assert torch.allclose(disturbed(name, flat, 3, rng()), flat, atol=1e-5), "no edge comes in from outside"
    dot = torch.zeros(1, 1, 64, 64)
    dot[0, 0, 32, 32] = 1
    blurred = disturbed("blur", dot, 2, rng())[0, 0]
    places = torch.arange(64).float() - 32
    assert float((blurred.sum(0) * places.square()).sum()) == pytest.approx(4, rel=0.03), "the variance of sigma 2"


def test_they_repeat_themselves(images: Tensor) -> None:
    for name in ("noise", "rectangles", "salt-and-pepper"):
        a, b, c = (disturbed(name, images[:4], 1, rng(seed)) for seed in (0, 0, 1))
        assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize(
    ("name", "level", "said"), [("fog", 1, "not one of noise"), ("blur", 4, "from 0 to 3"), ("mixed", 1, "another set")]
)
def test_what_cannot_be_done(name: str, level: int, said: str, images: Tensor) -> None:
    with pytest.raises(InvalidInput, match=said):
        disturbed(name, images, level, rng())
