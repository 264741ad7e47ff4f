"""What can be seen: an attribute that is said to be hidden changes no pixel."""

import pytest
import torch

from ganlab.data.faces import ATTRIBUTES, grain, render, sample, with_attribute
from ganlab.data.faces.visible import visible

HIDDEN = ("hair_length", "parting", "eyes", "eye_size", "eye_opening", "eye_colour", "gaze_x", "mouth_opening")


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_changes_no_pixel(name: str) -> None:
    people = sample(3, range(400))
    rows = (~visible(people.values)[name]).nonzero()[:16, 0].tolist()
    row, some, detail = ATTRIBUTES[name], people.rows(rows), grain(3, rows)
    low, high = (row.lo, row.hi) if row.continuous else list(row.options)[:: len(row.options) - 1]
    pictures = [render(with_attribute(some, name, value), detail, 64) for value in (low, high)]
    # the light hair of the temples, and brows that follow the eyes, may show a little
    assert len(rows) > 5 and (pictures[0] - pictures[1]).abs().mean() < 0.004


@pytest.mark.parametrize("name", ["bangs", "accessory_colour", *HIDDEN])
def test_what_is_visible_changes_the_picture(name: str) -> None:
    people = sample(4, range(400))
    rows = visible(people.values)[name].nonzero()[:16, 0].tolist()
    row, some, detail = ATTRIBUTES[name], people.rows(rows), grain(4, rows)
    low, high = (row.lo, row.hi) if row.continuous else list(row.options)[:: len(row.options) - 1]
    pictures = [render(with_attribute(some, name, value), detail, 64) for value in (low, high)]
    assert ((pictures[0] - pictures[1]).abs().amax((1, 2, 3)) > 0.05).float().mean() > 0.9


def test_everyone_shows_what_is_not_named() -> None:
    people = sample(0, range(50))
    seen = visible(people.values)
    assert list(seen) == list(ATTRIBUTES)
    assert all(bool(seen[name].all()) for name in ("hat", "skin", "smile", "background"))
    assert all(mask.dtype == torch.bool and mask.shape == (50,) for mask in seen.values())
