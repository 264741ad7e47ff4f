"""DCGAN with conditional batch normalisation: the class is in the norms alone, layer by layer, and labs mix it."""

from typing import Any

import torch

from ganlab.networks.dcgan_norm import Generator
from ganlab.recipe import ClassShare, Recipe, Source
from ganlab.synthesis import Renderer

SMALL: dict[str, Any] = {"channel_base": 128, "channel_max": 16}


def made(c_dim: int = 3) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(8, c_dim, 16, 3, **SMALL).eval().requires_grad_(False)


def test_the_class_sets_gains_and_shifts_and_nothing_else() -> None:
    G, rng = made(), torch.Generator().manual_seed(0)
    z, (a, b, _) = torch.randn(1, 8, generator=rng), torch.eye(3)[:, None]
    other = G.synthesis(G.mapping(z, b))
    assert not torch.allclose(G.synthesis(G.mapping(z, a)), other, atol=1e-3)
    for norm in G.synthesis.norms:  # both classes given the same gains and shifts
        for layer in (norm.gain, norm.shift):
            layer.weight[:, 0] = layer.weight[:, 1]
    assert torch.equal(G.synthesis(G.mapping(z, a)), other)


def test_each_layer_has_a_class_of_its_own() -> None:
    """Coarse rows of one class with fine rows of another are neither picture; z is read by the first row alone."""
    G, rng = made(), torch.Generator().manual_seed(0)
    z, (a, b, _) = torch.randn(2, 8, generator=rng), torch.eye(3)[:, None]
    one, two = (G.mapping(z[:1], c) for c in (a, b))
    mixed = G.synthesis(torch.cat([one[:, :2], two[:, 2:]], 1))
    assert not any(torch.allclose(mixed, G.synthesis(ws), atol=1e-3) for ws in (one, two))
    moved = one.clone()
    moved[:, 1:, :8] = z[1]
    assert torch.equal(G.synthesis(moved), G.synthesis(one))


def test_without_classes_it_is_a_dcgan() -> None:
    G = made(0)
    assert G.num_ws == 3 and G.synthesis(G.mapping(torch.zeros(2, 8))).shape == (2, 3, 16, 16)
    assert all(norm.norm.affine and norm.gain is None for norm in G.synthesis.norms)


def test_labs_draw_the_modules_picture() -> None:
    renderer = Renderer(made(), "norms", classes=("a", "b", "c"))
    recipe = Recipe(sources=(Source(3, classes=(ClassShare(1),)),), psi=0.7)
    ws = renderer.latents.ws(recipe)[None]
    assert torch.allclose(renderer.image(recipe), renderer.G.synthesis(ws)[0], atol=1e-5)
