"""DCGAN and R3GAN in the labs: generators without styles and noise show the picture of their module."""

from typing import Any

import numpy as np
import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.networks import dcgan, r3gan
from ganlab.recipe import ClassShare, Mix, Noise, Recipe, Source
from ganlab.render.sheet import to_pixels
from ganlab.synthesis import Renderer
from ganlab.synthesis.latents import z_of

FAMILIES: dict[str, Any] = {"dcgan": dcgan.Generator, "r3gan": r3gan.Generator}


def renderer(family: str) -> Renderer:
    torch.manual_seed(0)
    G = FAMILIES[family](8, 3, 32, 3, 256, 16)
    for value in G.parameters():  # the last layer of a residual branch begins at zero
        value.data.add_(torch.randn(value.shape) * 0.2)
    return Renderer(G, family)


def recipe(seed: int = 3, index: int = 1, **more: Any) -> Recipe:
    return Recipe(sources=(Source(seed, classes=(ClassShare(index, 1.0),)),), **more)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_the_picture_is_the_modules(family: str) -> None:
    made = renderer(family)
    z, c = z_of(3, 8)[None], torch.eye(3)[[1]]
    for psi in (1.0, 0.6):
        want = to_pixels(made.G(z, c))[0] if psi == 1 else None
        picture = made.pictures([recipe(psi=psi, center="class")])[0].image
        assert want is None or np.abs(picture.astype(int) - want).max() <= 1
        if psi < 1:  # towards the mean of the class: z alone is drawn to 0
            want = to_pixels(made.G(z, c, truncation_psi=psi))[0]
            assert np.abs(picture.astype(int) - want).mean() < 3, "but for the mean of 4,096 draws"


@pytest.mark.parametrize("family", FAMILIES)
def test_seed_class_and_psi_matter_and_noise_does_not(family: str) -> None:
    made = renderer(family)
    recipes = (recipe(), recipe(4), recipe(index=2), recipe(psi=0.2), recipe(noise=Noise("none")))
    pictures = [made.pictures([r])[0].image for r in recipes]
    assert all((pictures[0] != other).any() for other in pictures[1:4]) and (pictures[0] == pictures[4]).all()
    facts = made.facts()
    assert (facts["num_ws"], facts["noises"], facts["c_dim"]) == (1, [], 3)
    with pytest.raises(InvalidInput, match=r"mixes\.0\.layers"):
        made.pictures([recipe(mixes=(Mix(Source(5), layers=(1,)),))])
