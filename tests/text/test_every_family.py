"""Every family can be inverted, and where it has styles be optimized and mapped, after it has painted for the labs."""

from itertools import islice

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.latents.inversion import Inversion, inverted, recipe_of
from ganlab.networks.arguments import Shape
from ganlab.networks.table import TRAINABLE
from ganlab.recipe import Recipe, Source
from ganlab.synthesis import Renderer
from ganlab.text.mapper import MapperRun, train_mapper
from ganlab.text.optimize import Optimization, edit_of, optimized
from tests.text.colours import Colours

SHAPE = Shape(32, 3, 0, 8, 8, 2, 256, 8)


def painted(family: str) -> Renderer:
    """A small one, which has made a picture without gradients, as in a lab."""
    torch.manual_seed(0)
    row = TRAINABLE[family]
    renderer = Renderer(row.g(**row.g_arguments(SHAPE)), family)
    renderer.pictures([Recipe(sources=(Source(3),))])
    return renderer


@pytest.mark.parametrize("family", TRAINABLE)
def test_it_is_inverted(family: str) -> None:
    renderer = painted(family)
    image = renderer.image(Recipe(sources=(Source(5),), psi=1.0))
    noisy = any(at.const is not None and not at.uniform for at in renderer.engine.noises)
    first, *_, last = inverted(renderer, image, Inversion(steps=3, starts=4, noise=noisy))
    assert last.error.rmse <= first.error.rmse
    assert renderer.image(recipe_of(last)).shape == image.shape


@pytest.mark.parametrize("family", TRAINABLE)
def test_it_is_edited_by_text_where_it_has_styles(family: str) -> None:
    renderer = painted(family)
    if renderer.space.missing:
        with pytest.raises(InvalidInput, match="model: has no styles that a text could move: this model has no style"):
            next(optimized(renderer, Colours(), Recipe(), Optimization()))
        return
    for space in ("w", "s"):
        how = Optimization("a red thing", "a thing", steps=2, space=space)
        first, *_, last = optimized(renderer, Colours(), Recipe(), how)
        assert last.moved.abs().sum() > 0 and first.moved.abs().sum() == 0
        renderer.image(Recipe(edits=(edit_of(last, "red"),)))
    moments = list(islice(train_mapper(renderer, Colours(), MapperRun("a red thing", "a thing", steps=2, batch=2)), 3))
    assert len(moments) == 3
