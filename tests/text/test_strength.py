"""How strong an edit is to be, with an embedding that sees colours."""

import math

import pytest
import torch
from torch import Tensor

from ganlab.text.directions import text_change
from ganlab.text.strength import fit, worth
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
    tried = [painted(-1, 0), painted(0.2, -0.9), painted(0.9, -1), painted(0.9, 0.9)]
    found = fit(painted(-0.9, -0.9), iter([torch.cat(tried[:2]), torch.cat(tried[2:])]), change, Colours())
    assert found.at == 2 and found.worth > 0
