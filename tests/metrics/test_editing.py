"""The measures of an edit, against sums made by hand."""

import pytest
import torch

from ganlab.metrics.editing import attribute_dependency, directional_similarity, flipped, moved_beside, spreads


def test_directional_similarity_is_the_cosine_of_what_was_done_and_what_was_asked() -> None:
    before = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    after = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    found = directional_similarity(before, after, torch.tensor([0.0, 2.0]))
    assert torch.allclose(found, torch.tensor([0.5**0.5, 0.0, 1.0]))


def test_attribute_dependency_counts_the_others_in_standard_deviations() -> None:
    before = {"hat": torch.zeros(1, 2), "smile": torch.zeros(1), "hair": torch.zeros(1, 2), "nose": torch.zeros(1)}
    after = {**before, "hat": torch.full((1, 2), 9.0), "smile": torch.ones(1), "hair": torch.tensor([[2.0, 0.0]])}
    spread = {"hat": 1.0, "smile": 0.5, "hair": 2.0}  # of noses nothing is known
    assert torch.allclose(attribute_dependency(before, after, spread, {"hat"}), torch.tensor([(2.0 + 0.5) / 2]))


def test_spreads_are_means_over_options() -> None:
    read = {"hat": torch.tensor([[0.0, 1.0], [2.0, 1.0]]), "smile": torch.tensor([0.0, 2.0])}
    assert spreads(read, ["hat", "smile"]) == pytest.approx({"hat": 2**0.5 / 2, "smile": 2**0.5})


def test_flips_count_what_is_shown() -> None:
    yes, no = torch.tensor([[0.0, 1.0]] * 3), torch.tensor([[1.0, 0.0]] * 3)
    shown = {"hat": torch.tensor([True, True, False]), "beard": torch.tensor([True, False, False])}
    found = flipped({"hat": yes, "beard": yes}, {"hat": no, "beard": yes}, shown, ["hat", "beard"])
    assert found.tolist() == [0.5, 1.0, 0.0]


def test_what_lies_along_a_direction_is_left_out() -> None:
    before, after = torch.zeros(1, 3), torch.tensor([[3.0, 4.0, 12.0]])
    assert torch.allclose(moved_beside(before, after, torch.zeros(0, 3)), torch.tensor([13.0]))
    assert torch.allclose(moved_beside(before, after, torch.tensor([[0.0, 0.0, 5.0]])), torch.tensor([5.0]))
