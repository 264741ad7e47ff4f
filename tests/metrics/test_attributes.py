"""Histograms of attributes: shares, distances, what is missing, and who shows what was asked for."""

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.metrics.attributes import (
    as_asked,
    choices,
    combinations,
    histogram,
    presence,
    total_variation,
)

OPTIONS = {"hat": ("none", "cap", "crown"), "lips": ("pale", "red")}
CHOSEN = {"hat": torch.tensor([0, 0, 0, 1]), "lips": torch.tensor([0, 1, 1, 1])}


def test_choices_are_the_likeliest_options() -> None:
    outputs = {"hat": torch.eye(3), "lips": torch.tensor([[1.0, 0], [0, 2], [0, 0.1]]), "smile": torch.zeros(3)}
    found = choices(outputs, OPTIONS)
    assert found["hat"].tolist() == [0, 1, 2] and found["lips"].tolist() == [0, 1, 1] and len(found) == 2


def test_shares_count_those_who_show_it() -> None:
    assert histogram(CHOSEN, OPTIONS)["hat"] == {"none": 0.75, "cap": 0.25, "crown": 0}
    seen = {"hat": torch.tensor([True] * 4), "lips": torch.tensor([True, True, False, False])}
    assert histogram(CHOSEN, OPTIONS, seen)["lips"] == {"pale": 0.5, "red": 0.5}
    nobody = {name: torch.zeros(4, dtype=torch.bool) for name in OPTIONS}
    assert histogram(CHOSEN, OPTIONS, nobody)["hat"] == dict.fromkeys(OPTIONS["hat"], 0.0)


def test_total_variation_is_the_share_that_would_have_to_change() -> None:
    found = histogram(CHOSEN, OPTIONS)
    even = {"hat": dict.fromkeys(OPTIONS["hat"], 1 / 3), "lips": {"pale": 0.25, "red": 0.75}}
    assert total_variation(found, even) == pytest.approx({"hat": 0.75 - 1 / 3, "lips": 0})
    assert total_variation(found, found) == {"hat": 0, "lips": 0}


def test_missing_combinations_are_named() -> None:
    both = combinations(CHOSEN, OPTIONS, ("hat", "lips"))
    assert both == ("none, pale", "none, red", "cap, red")
    assert combinations(CHOSEN, OPTIONS, ("hat", "lips"), fewest=2) == ("none, red",)
    found = presence(combinations(CHOSEN, OPTIONS, ("hat",)), OPTIONS["hat"])
    assert found == (2, 3, ("crown",))


def test_those_who_show_what_was_asked_for() -> None:
    assert as_asked(CHOSEN["hat"], torch.tensor([0, 1, 0, 1])).mean() == 0.75
    with pytest.raises(InvalidInput):
        as_asked(CHOSEN["hat"], torch.tensor([0]))
