"""Who is drawn: the table's probabilities, its exclusions, edits of one attribute, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, Attributes, faces, grain, render, sample, with_attribute
from ganlab.data.faces.attributes import EXCLUSIONS

MANY = 20_000


@pytest.fixture(scope="module")
def crowd() -> Attributes:
    return sample(0, range(MANY))


def shares(people: Attributes, name: str) -> torch.Tensor:
    return torch.bincount(people[name], minlength=len(ATTRIBUTES[name].options)) / len(people)


def free_of_rules(people: Attributes, name: str) -> Attributes:
    """Those whose attribute no exclusion can have changed."""
    free = torch.ones(len(people), dtype=torch.bool)
    for rule in EXCLUSIONS:
        if rule.name == name:
            free &= ~people.has(rule.where, *rule.among)
    return people.rows(free)


@pytest.mark.parametrize("name", [row.name for row in ATTRIBUTES.values() if not row.continuous])
def test_choices_are_as_likely_as_the_table_says(crowd: Attributes, name: str) -> None:
    people = free_of_rules(crowd, name)
    assert len(people) > 3000
    chances = torch.tensor([option.probability for option in ATTRIBUTES[name].options.values()])
    assert chances.sum().item() == pytest.approx(1)
    spread = (chances * (1 - chances) / len(people)).sqrt()
    assert ((shares(people, name) - chances).abs() < 4.5 * spread).all()


@pytest.mark.parametrize("name", [row.name for row in ATTRIBUTES.values() if row.continuous])
def test_ranges_are_kept_and_filled(crowd: Attributes, name: str) -> None:
    row, value = ATTRIBUTES[name], crowd[name]
    width = row.hi - row.lo
    assert row.lo <= value.min() and value.max() <= row.hi
    assert value.mean().item() == pytest.approx((row.lo + row.hi) / 2, abs=0.02 * width)
    # the sum of three uniform numbers is sqrt(3) times narrower than one
    assert value.std().item() == pytest.approx(width / (6 if row.bell else 12**0.5), rel=0.03)
    assert (value.max() - value.min()) > (0.85 if row.bell else 0.99) * width


@pytest.mark.parametrize("rule", EXCLUSIONS, ids=lambda rule: f"{rule.where}-{rule.name}")
def test_exclusions_hold(crowd: Attributes, rule: Any) -> None:
    where = crowd.has(rule.where, *rule.among)
    assert where.any()
    assert not (where & crowd.has(rule.name, *rule.instead)).any()


def test_attributes_are_independent_of_each_other(crowd: Attributes) -> None:
    names = ["smile", "skin", "yaw", "light", "hair_length", "jaw"]
    together = torch.corrcoef(torch.stack([crowd[name] for name in names]))
    assert (together - torch.eye(len(names))).abs().max() < 0.04
    bearded = crowd.has("beard", "full")
    assert crowd.has("lipstick", "yes")[bearded].float().mean().item() == pytest.approx(0.2, abs=0.04)


def test_a_person_depends_on_seed_and_index_alone(crowd: Attributes) -> None:
    some = sample(0, [19_000, 3, 3])
    assert some.person(1) == some.person(2) == crowd.person(3)
    assert some.person(0) == crowd.person(19_000)
    assert sample(1, [3]).person(0) != crowd.person(3)
    assert sample(2**60, [2**60]).person(0)["hairstyle"] in ATTRIBUTES["hairstyle"].options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hair_colour", "green"),
        ("hair_colour", torch.tensor([8, 8, 0, 1, 8, 8])),
        ("skin", 4),
        ("smile", torch.zeros(6)),
    ],
)
def test_an_edit_keeps_everything_else(name: str, value: float | str | torch.Tensor) -> None:
    people = sample(0, range(6))
    edited = with_attribute(people, name, value)
    assert [other for other in ATTRIBUTES if not torch.equal(people[other], edited[other])] == [name]
    assert edited[name].dtype == people[name].dtype
    expected = ATTRIBUTES[name].index(value) if isinstance(value, str) else value
    assert (edited[name] == expected).all()


PEOPLE = sample(0, range(3))
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "resolution 7": (lambda: faces(0, [0], 7), "resolution: must be a whole number of pixels from 32 to 512, not 7"),
    "negative index": (lambda: faces(0, [3, -1], 64), "indices: must be whole numbers from 0 up, not -1"),
    "negative seed": (lambda: grain(-4, [0]), "seed: must be whole numbers from 0 up, not -4"),
    "unknown attribute": (lambda: with_attribute(PEOPLE, "tail", 1), "attribute: 'tail' is unknown; known are x, y"),
    "unknown attribute asked": (lambda: PEOPLE["tail"], "'tail' is unknown"),
    "unknown option": (lambda: with_attribute(PEOPLE, "hat", "turban"), "hat: 'turban' is not one of none, beanie"),
    "a word for a number": (lambda: with_attribute(PEOPLE, "smile", "wide"), "smile: .* numbers from -0.7 to 1"),
    "a number for a word": (lambda: with_attribute(PEOPLE, "hat", 2.5), "hat: '2.5' is not one of none, beanie"),
    "too much": (lambda: with_attribute(PEOPLE, "smile", 1.5), "smile: must be one number from -0.7 to 1 for each"),
    "not a number": (lambda: with_attribute(PEOPLE, "smile", float("nan")), "smile: must be one number"),
    "too few": (lambda: with_attribute(PEOPLE, "smile", torch.zeros(2)), "smile: .* each of the 3 people"),
    "half an option": (lambda: with_attribute(PEOPLE, "hat", torch.full((3,), 0.5)), "hat: must be one"),
    "too little grain": (lambda: render(PEOPLE, grain(0, [0]), 32), "grain: is for 1 pictures"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_answered_with_a_sentence(case: str) -> None:
    call, sentence = REFUSED[case]
    with pytest.raises(InvalidInput, match=sentence):
        call()
