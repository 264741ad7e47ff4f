"""Distances between pictures without a network."""

import torch

from ganlab.features.pyramid import pyramid_features


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((pyramid_features(a[None]) - pyramid_features(b[None])).norm())


def test_a_distance_is_one_and_grows_with_the_difference() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 3, 32, 32, generator=rng) * 2 - 1
    assert distance(a, a) == 0
    steps = [distance(a, a.lerp(b, t)) for t in (0.25, 0.5, 1.0)]
    assert steps == sorted(steps) and abs(steps[2] - 2 * steps[1]) < 1e-5


def test_shape_counts_more_than_texture() -> None:
    flat = torch.zeros(1, 32, 32)
    square = flat.clone()
    square[:, 8:24, 8:24] = 1
    checks = torch.where((torch.arange(32)[:, None] + torch.arange(32)) % 2 == 0, 0.5, -0.5)[None]
    assert abs(float((square - flat).square().mean() - (checks - flat).square().mean())) < 1e-6  # equal in pixels
    assert distance(square, flat) > distance(checks, flat)


def test_small_and_grey_pictures_have_features_too() -> None:
    assert pyramid_features(torch.zeros(2, 1, 4, 4)).shape == (2, 16)
    assert pyramid_features(torch.zeros(2, 3, 64, 64)).shape[0] == 2
