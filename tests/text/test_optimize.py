"""Latents moved until a text fits, with an embedding that sees colours."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.metrics.editing import along_and_beside
from ganlab.networks import dcgan, stylegan3
from ganlab.recipe import Edit, Noise, Place, Recipe, pack_maps
from ganlab.synthesis import Renderer
from ganlab.text.directions import text_change
from ganlab.text.optimize import Moment, Optimization, edit_of, optimized, optimized_together
from tests.text.colours import Colours
from tests.tiny_models import write_model

PLAIN = Recipe()
SHORT = Optimization("a red thing", "a thing", steps=25, l2=0.0)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    path = write_model(tmp_path_factory.mktemp("model"), resolution=16)
    return Renderer(weights.load(path), "tiny", sha256="ab" * 32)


def run(renderer: Renderer, how: Optimization, recipe: Recipe = PLAIN) -> list[Moment]:
    return list(optimized(renderer, Colours(), recipe, how))


@pytest.mark.parametrize("aim", ["change", "text"])
@pytest.mark.parametrize("space", ["w", "s"])
def test_the_picture_comes_to_fit_and_the_edit_is_that_picture(renderer: Renderer, space: str, aim: str) -> None:
    recipe = Recipe(psi=0.8)
    moments = run(renderer, replace(SHORT, space=space, aim=aim), recipe)
    assert [m.step for m in moments] == list(range(26))
    torch.testing.assert_close(moments[0].image, renderer.image(recipe), rtol=1e-3, atol=1e-3)
    assert moments[-1].clip < moments[0].clip - 0.01
    for moment in (moments[10], moments[-1]):
        edited = replace(recipe, edits=(edit_of(moment, "red"),))
        torch.testing.assert_close(renderer.image(edited), moment.image, rtol=1e-2, atol=1e-2)
    half = replace(recipe, edits=(edit_of(moments[-1], "red", 0.5),))
    redness = [float(image[0].mean() - image[1:].mean()) for image in (moments[0].image, renderer.image(half))]
    assert redness[0] < redness[1]


def test_only_chosen_layers_move(renderer: Renderer) -> None:
    for space in ("w", "s"):
        moved = run(renderer, replace(SHORT, steps=3, space=space, layers=(1, 2)))[-1].moved
        rows = torch.arange(6) if space == "w" else renderer.space.rows
        still = ~torch.isin(rows, torch.tensor([1, 2]))
        assert not moved[still].any() and moved[~still].any()


def test_distance_holds_it_back(renderer: Renderer) -> None:
    far, near = (run(renderer, replace(SHORT, l2=l2))[-1] for l2 in (0.0, 1.0))
    assert near.moved.norm() < far.moved.norm() / 2 and near.clip > far.clip


def test_what_else_changes_is_held_back(renderer: Renderer) -> None:
    start = Colours().embed_images(renderer.image(PLAIN)[None])
    aim = text_change(Colours(), "a thing", "a red thing")
    free, held = (run(renderer, replace(SHORT, beside=weight, varied=False))[-1] for weight in (0.0, 3.0))
    moved = [along_and_beside(start, Colours().embed_images(end.image[None]), aim) for end in (free, held)]
    assert moved[1][1] < 0.7 * moved[0][1] and moved[1][0] > 0.02, moved


def test_it_starts_where_edits_have_led_and_can_be_left(renderer: Renderer) -> None:
    moments = run(renderer, replace(SHORT, space="s"))
    edited = Recipe(edits=(edit_of(moments[-1], "red"),))
    assert isinstance(edited.edits[0], Edit)
    (first,) = islice(optimized(renderer, Colours(), edited, replace(SHORT, space="s")), 1)
    torch.testing.assert_close(first.image, renderer.image(edited), rtol=1e-2, atol=1e-2)


OTHERS = (
    Recipe(noise=Noise("random", seed=3, strength=(3,) * 5)),
    Recipe(noise=Noise("none")),
    Recipe(noise=Noise(maps=pack_maps([np.ones((side, side), np.float32) for side in (4, 8, 8, 16, 16)]))),
)


@pytest.mark.parametrize("recipe", OTHERS, ids=["drawn", "none", "own maps"])
def test_it_keeps_the_noise_of_the_recipe(renderer: Renderer, recipe: Recipe) -> None:
    G = renderer.G
    before = [layer.noise_strength.data.clone() for layer in G.synthesis.layers()]
    for layer in G.synthesis.layers():
        layer.noise_strength.data.fill_(0.5)
    try:
        loud = Renderer(G, "tiny")
        assert not torch.allclose(loud.image(recipe), loud.image(PLAIN), atol=0.05)
        first, *_, last = run(loud, replace(SHORT, steps=3), recipe)
        torch.testing.assert_close(first.image, loud.image(recipe), rtol=1e-3, atol=1e-3)
        edited = replace(recipe, edits=(edit_of(last, "red"),))
        torch.testing.assert_close(loud.image(edited), last.image, rtol=1e-2, atol=1e-2)
    finally:
        for layer, strength in zip(G.synthesis.layers(), before):
            layer.noise_strength.data.copy_(strength)


def test_a_picture_that_was_moved_stays_where_it_is() -> None:
    torch.manual_seed(0)
    third = Renderer(stylegan3.Generator(8, 0, 8, 16, 3, channel_base=128, channel_max=8, num_layers=4), "third")
    moved = Recipe(place=Place(0.2, -0.1, 30))
    first = run(third, replace(SHORT, steps=1), moved)[0]
    torch.testing.assert_close(first.image, third.image(moved), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(first.image, third.image(PLAIN), atol=1e-2)


def test_pictures_together_move_as_each_would_alone(renderer: Renderer) -> None:
    how = replace(SHORT, steps=6, beside=0.3, varied=False)
    recipes = [Recipe(), Recipe(psi=0.6), Recipe(edits=(edit_of(run(renderer, replace(SHORT, space="s"))[-1], "red"),))]
    lows = [renderer.lower(recipe) for recipe in recipes]
    offsets = torch.stack([torch.zeros(renderer.space.channels) if a.offsets is None else a.offsets for a in lows])
    ws = torch.stack([low.ws for low in lows])
    *_, together = optimized_together(renderer, Colours(), ws, offsets, how)
    for row, recipe in enumerate(recipes):
        alone = run(renderer, how, recipe)[-1]
        assert float(together.clip[row]) == pytest.approx(alone.clip, abs=1e-4)
        torch.testing.assert_close(together.images[row], alone.image, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(together.moved[row], alone.moved, rtol=1e-2, atol=1e-3)


def test_what_cannot_be_done(renderer: Renderer) -> None:
    with pytest.raises(InvalidInput, match="layers: must be from 0 to 5"):
        run(renderer, replace(SHORT, layers=(6,)))
    with pytest.raises(InvalidInput, match="target: is empty"):
        run(renderer, replace(SHORT, target=" ", aim="text"))
    plain = Renderer(dcgan.Generator(8, 0, 32, 3, 256, 16), "dcgan")
    with pytest.raises(InvalidInput, match="model: has no styles"):
        run(plain, SHORT)
