"""How strong an edit is to be, with an embedding that sees colours."""

import math

import pytest
import torch
from torch import Tensor

from ganlab.text.directions import text_change
from ganlab.text.strength import betas, settled, worth
from tests.text.colours import Colours


def painted(red: float, green: float) -> Tensor:
    colours = torch.tensor([red, green, -1.0])
    return colours[None, :, None, None].expand(1, 3, 8, 8)


def turned(angle: float) -> Tensor:
    return torch.tensor([[math.cos(angle), math.sin(angle), 0.0]])


@pytest.mark.parametrize(("beside", "best"), [(0.0, 3), (1.0, 2), (6.0, 1), (100.0, 0)])
def test_what_else_has_changed_counts_against_it(beside: float, best: int) -> None:
    """Each step comes nearer to the text, and leads further away from it sideways."""
    change = torch.tensor([0.0, 1.0, 0.0])
    aside = (0.0, 0.05, 0.2, 0.5)
    steps = torch.cat([turned(0.2 * k) + torch.tensor([[0, 0, a]]) for k, a in enumerate(aside)])
    assert int(worth(turned(0.0), steps, change, beside).argmax()) == best


def test_the_picture_that_fits_is_found_among_all() -> None:
    change = text_change(Colours(), "a thing", "a red thing")
    tried = torch.cat([painted(-1, 0), painted(0.2, -0.9), painted(0.9, -1), painted(0.9, 0.9)])
    seen = Colours().embed_images(torch.cat([painted(-0.9, -0.9), tried]))
    found = worth(seen[:1], seen[1:], change)
    assert int(found.argmax()) == 2 and found.max() > 0


def test_what_is_a_little_better_on_one_picture_and_worse_on_others_is_not_taken() -> None:
    own = torch.tensor([0.30, 0.28, 0.10])
    assert settled(own, torch.tensor([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])) == 1
    assert settled(own, torch.tensor([[0.1, 0.0, 0.2]])) == 0


@pytest.mark.parametrize(("how", "beta", "tried"), [("together", 0.1, 2), ("together", 0, 1), ("expected", 0.1, 1)])
def test_fewer_channels_are_tried_where_it_serves(how: str, beta: float, tried: int) -> None:
    found = betas(how, beta)
    assert len(found) == tried and found[0] == beta and list(found) == sorted(found)
