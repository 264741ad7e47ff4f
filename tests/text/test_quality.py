"""What can be said of an edit: on real faces with one attribute changed by their renderer, and nothing else."""

import pytest
import torch

from ganlab.data.faces import Attributes, grain, render, sample, with_attribute
from ganlab.features.faces import load_classifier
from ganlab.text.aims import Aim, aims_of
from ganlab.text.clip import load_clip
from ganlab.text.directions import text_change
from ganlab.text.quality import edit_quality

INDICES = range(24)
PEOPLE = sample(77, INDICES)


def drawn(people: Attributes, seed: int = 77) -> torch.Tensor:
    return render(people, grain(seed, INDICES), 64) * 2 - 1


BEFORE = drawn(PEOPLE)
ASKED = {
    "a person with red hair": {("hair_colour", "red")},
    "someone with a bun": {("hairstyle", "bun")},
    "a BALD person": {("hairstyle", "bald")},
    "a person with glasses": {("glasses", "round square")},
    "a person with round glasses and grey hair": {("glasses", "round"), ("hair_colour", "gray")},
    "a person without a hat": {("hat", "none")},
    "someone with no beard and with closed eyes": {("beard", "none"), ("eyes", "closed")},
    "a face in a striped shirt": {("clothes", "striped")},
    "blue clothes in front of a green background": {("clothes_colour", "blue"), ("background", "green")},
    "a person without a background": set(),  # nothing stands for no background
    "a house": set(),
    "a person without a smile": set(),  # sad or serious: nobody knows
    "a person without red hair": set(),
    "hat: none": {("hat", "none")},  # as boundaries are named
    "glasses: sunglasses": {("glasses", "sunglasses")},
    "hair_colour: red": {("hair_colour", "red")},
    "": set(),
}


@pytest.mark.parametrize("text", ASKED)
def test_what_a_text_asks_for(text: str) -> None:
    found = {(aim.attribute, " ".join(sorted(aim.options))) for aim in aims_of(text)}
    assert found == ASKED[text]


def test_moods_are_ranges_of_a_number() -> None:
    read = {"smile": torch.tensor([-0.5, 0.0, 0.8])}
    for text, expected in {"happy": [0, 0, 1], "a serious person": [0, 1, 0], "a sad face": [1, 0, 0]}.items():
        (aim,) = aims_of(text)
        assert aim.reached(read).tolist() == expected


PERFECT = {
    "a person with red hair": ("hair_colour", "red"),
    "a person with a crown": ("hat", "crown"),
    "a person with long hair": ("hairstyle", "long"),
    "a person with a blue background": ("background", "blue"),
}


@pytest.mark.parametrize("text", PERFECT)
def test_a_perfect_edit_reaches_its_aim_and_nothing_else(text: str) -> None:
    clip, reader = load_clip(), load_classifier()
    name, value = PERFECT[text]
    after = drawn(with_attribute(PEOPLE, name, value))
    found = edit_quality(BEFORE, after, text_change(clip, "a person", text), clip, reader, aims_of(text))
    assert found.had is not None and found.reached is not None and found.flipped is not None
    assert found.had < 0.5 and found.reached > 0.9
    assert found.flipped < 0.05
    assert found.identity is not None and found.identity < 0.4
    assert found.similarity > 0.25


def test_other_people_are_no_edit() -> None:
    clip, reader = load_clip(), load_classifier()
    others = drawn(sample(78, INDICES), 78)
    change = text_change(clip, "a person", "a bald person")
    found = edit_quality(BEFORE, others, change, clip, reader, aims_of("a bald person"))
    assert found.identity is not None and 0.8 < found.identity < 1.2
    assert found.flipped is not None and found.flipped > 0.4
    assert found.dependency is not None and found.dependency > 0.8
    assert found.similarity < 0.2


def test_what_cannot_be_said_is_left_open() -> None:
    clip = load_clip()
    change = text_change(clip, "a person", "a bald person")
    plain = edit_quality(BEFORE, BEFORE, change, clip)
    assert plain.similarity == plain.identity == 0 and plain.to_dict()["reached"] is None
    assert edit_quality(BEFORE[:1], BEFORE[:1], change, clip).identity is None  # nothing to compare it with
    other = edit_quality(BEFORE, BEFORE.flip(0), change, clip).identity
    assert other is not None and 0.5 < other < 1.5  # another person
    unread = edit_quality(BEFORE, BEFORE, change, clip, load_classifier(), ())
    assert unread.reached is None and unread.flipped == unread.identity == unread.dependency == 0


def test_what_is_asked_for_does_not_count_as_a_change_of_the_person() -> None:
    clip, reader = load_clip(), load_classifier()
    after = drawn(with_attribute(PEOPLE, "hair_colour", "red"))
    change = text_change(clip, "a person", "a person with red hair")
    meant = edit_quality(BEFORE, after, change, clip, reader, (Aim("hair_colour", frozenset({"red"})),))
    unmeant = edit_quality(BEFORE, after, change, clip, reader, ())
    for name in ("identity", "flipped", "dependency"):
        assert getattr(meant, name) < getattr(unmeant, name)
