"""DiffAugment: the ranges of the paper, gradients, determinism."""

import pytest
import torch

from ganlab.augment.diffaugment import PARTS, diff_augment
from ganlab.config import InvalidInput

ALL = tuple(PARTS)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_same_generator_same_result_and_gradients_reach_the_image() -> None:
    x = torch.rand(6, 3, 16, 16, generator=rng()) * 2 - 1
    x.requires_grad_(True)
    a, b, c = (diff_augment(x, ALL, rng(seed)) for seed in (1, 1, 2))
    assert a.shape == x.shape and torch.equal(a, b) and not torch.equal(a, c)
    a.square().sum().backward()
    assert (x.grad.abs().flatten(1).sum(1) > 0).all()  # type: ignore[union-attr]
    assert torch.equal(diff_augment(x, (), rng()), x)


def test_colour_stays_in_the_papers_ranges() -> None:
    grey = torch.zeros(4000, 3, 2, 2)
    shift = diff_augment(grey, ("color",), rng())[:, 0, 0, 0]
    assert shift.min() >= -0.5 and shift.max() <= 0.5 and abs(float(shift.std()) - 1 / 12**0.5) < 0.02
    checks = torch.ones(4000, 3, 2, 2)
    checks[:, :, 0, 0] = -1  # no colour, so saturation leaves it alone
    contrast = diff_augment(checks, ("color",), rng())
    spread = (contrast[:, 0, 1, 1] - contrast[:, 0, 0, 0]) / 2
    assert spread.min() >= 0.5 - 1e-5 and spread.max() <= 1.5 + 1e-5 and abs(float(spread.mean()) - 1) < 0.02


def test_translation_moves_by_at_most_an_eighth() -> None:
    x = torch.zeros(3000, 1, 16, 16)
    x[:, :, 8, 8] = 1
    moved = diff_augment(x, ("translation",), rng())
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(3000))
    at = moved.flatten(1).argmax(1)
    assert set((at // 16 - 8).tolist()) == set((at % 16 - 8).tolist()) == set(range(-2, 3))


def test_cutout_takes_up_to_a_quarter_of_the_area() -> None:
    kept = diff_augment(torch.ones(2000, 1, 16, 16), ("cutout",), rng())
    holes = 1 - kept.mean((1, 2, 3))
    assert abs(float(holes.max()) - 0.25) < 1e-6 and 0.05 < float(holes.min()) < 0.1


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(InvalidInput, match="color, translation, cutout"):
        diff_augment(torch.zeros(1, 3, 8, 8), ("sharpen",), rng())
