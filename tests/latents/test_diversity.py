"""Truncation trades variety for quality: the gauge must show it."""

from dataclasses import replace

import pytest
import torch

from ganlab.latents.diversity import diversity
from ganlab.networks.stylegan2 import Generator
from ganlab.recipe import ClassShare, Recipe, Source
from ganlab.synthesis import Cancelled, Renderer

torch.manual_seed(0)
RENDERER = Renderer(
    Generator(16, 3, 16, 16, 3, channel_base=256, channel_max=16, mapping_kwargs={"num_layers": 2}), "tiny"
)


def test_variety_grows_with_psi_and_is_none_at_zero() -> None:
    seen: list[tuple[int, int]] = []
    points = diversity(RENDERER, Recipe(), [0.0, 0.5, 1.0], 8, lambda done, of: seen.append((done, of)) is None)
    assert [psi for psi, _, _ in points] == [0.0, 0.5, 1.0]
    assert points[0][1] < 1e-6 < points[1][1] < points[2][1]
    assert points[2][2] > 0 and seen[-1] == (23, 24)


def test_it_looks_at_the_chosen_class_and_layers() -> None:
    recipe = Recipe(sources=(Source(classes=(ClassShare(2),)),))
    all_layers, few = (diversity(RENDERER, r, [0.2], 6)[0] for r in (recipe, replace(recipe, cutoff=1)))
    assert few[1] > all_layers[1]
    assert diversity(RENDERER, Recipe(), [0.2], 6)[0][1] != all_layers[1]


def test_it_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        diversity(RENDERER, Recipe(), [0.5], 8, lambda done, of: done < 3)
