"""Captions say what can be seen, in several ways; words lead back to attributes."""

import re
from itertools import chain

import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, Attributes, sample, with_attribute
from ganlab.data.faces.captions import SENTENCES, WORDS, captions, facts, named_by

N = 90
INDICES = range(N)
PEOPLE = sample(5, INDICES)


def all_captions(people: Attributes, wordings: int = len(SENTENCES)) -> list[list[str]]:
    """The sentences of each person."""
    return [list(sentences) for sentences in zip(*(captions(people, 5, INDICES, w) for w in range(wordings)))]


def test_six_wordings_are_six_sentences_and_do_not_depend_on_the_batch() -> None:
    said = all_captions(PEOPLE)
    assert all(len(set(sentences)) == 6 for sentences in said)
    assert captions(PEOPLE.rows([7]), 5, [7], 2) == [said[7][2]]
    assert captions(PEOPLE, 6, INDICES) != captions(PEOPLE, 5, INDICES)


def test_a_training_can_leave_some_ways_of_saying_it_out() -> None:
    some = captions(PEOPLE, 5, INDICES, 3, SENTENCES[-1:])
    assert all(re.match(r"(a drawing|an illustration|a cartoon) of", sentence) for sentence in some)
    assert not set(some) & set(chain(*(captions(PEOPLE, 5, INDICES, w, SENTENCES[:-1]) for w in range(5))))


def test_captions_are_well_formed() -> None:
    for sentence in chain.from_iterable(all_captions(PEOPLE)):
        assert not re.search(r"\s\s|,,| ,|^\s|[\s,]$|none|{|}", sentence), sentence
        assert not re.search(r"\ba [aeio]|\ban [^aeio]", sentence), sentence


# attribute, value, what a caption may say of it; each is said often, and never of someone else
SAID = [
    ("hairstyle", "long", r"long \w+ hair"),
    ("hairstyle", "pigtails", r"pigtails"),
    ("beard", "goatee", r"goatee"),
    ("glasses", "round", r"round glasses"),
    ("glasses", "sunglasses", r"sunglasses"),
    ("hat", "crown", r"crown"),
    ("hat", "beanie", r"beanie"),
    ("freckles", "yes", r"freckles"),
    ("lipstick", "yes", r"lipstick"),
    ("earrings", "yes", r"earrings"),
    ("mouth", "open", r"open mouth"),
    ("clothes", "turtleneck", r"turtleneck"),
    ("background", "teal", r"teal background"),
    ("pattern", "rays", r"with rays"),
    ("smile", 0.9, r"smiling"),
    ("smile", -0.6, r"frowning"),
    ("yaw", -0.9, r"turned to the left"),
    ("skin", 5.0, r"dark skin"),
]


@pytest.mark.parametrize(("name", "value", "said"), SAID)
def test_captions_name_what_is_there(name: str, value: str | float, said: str) -> None:
    with_it = with_attribute(PEOPLE, name, value)
    row = ATTRIBUTES[name]
    other = (row.lo + row.hi) / 2 if row.continuous else next(option for option in row.options if option != value)
    without = with_attribute(PEOPLE, name, other)
    heard = sum(any(re.search(said, sentence) for sentence in sentences) for sentences in all_captions(with_it))
    assert heard > 0.9 * N  # within six sentences
    assert not any(re.search(said, sentence) for sentence in captions(without, 5, INDICES))


HIDDEN = [  # with these attributes nothing may be said that matches
    ({"glasses": "sunglasses", "eyes": "closed"}, r"eyes"),
    ({"eyes": "closed"}, r"(brown|blue|green|gray) eyes"),
    ({"hairstyle": "bald", "hat": "beanie"}, r"bald|hair\b"),
    ({"hairstyle": "bald", "bangs": "yes"}, r"bangs|hair\b"),
    ({"hairstyle": "long", "bangs": "yes", "hat": "cap"}, r"bangs"),
    ({"hairstyle": "bun", "hat": "party"}, r"bun"),
    ({"hairstyle": "short", "hat": "beanie"}, r"short"),
    ({"smile": 0.25}, r"smiling|serious|frowning"),
]


@pytest.mark.parametrize(("values", "said"), HIDDEN)
def test_captions_keep_silent_about_what_cannot_be_seen(values: dict[str, str | float], said: str) -> None:
    people = PEOPLE
    for name, value in values.items():
        people = with_attribute(people, name, value)
    sentences = chain.from_iterable(all_captions(people, 2))
    assert not [sentence for sentence in sentences if re.search(said, sentence)]


def test_facts_are_told_by_the_attribute_they_tell_of() -> None:
    person = {
        **PEOPLE.person(0),
        "hat": "party",
        "accessory_colour": "orange",
        "hairstyle": "bob",
        "hair_colour": "red",
    }
    assert facts(person)["hat"] == "an orange party hat"
    assert facts(person)["hairstyle"] == "a red bob"
    assert set(facts(person)) <= set(ATTRIBUTES)


def test_words_lead_back_to_attributes() -> None:
    assert {naming.attribute for naming in named_by("red")} == {"hair_colour", "clothes_colour", "accessory_colour"}
    (hat,) = named_by(" Hat ")
    assert hat == ("hat", ("beanie", "cap", "party"))
    assert torch.equal(hat.holds(PEOPLE), PEOPLE.has("hat", "beanie", "cap", "party"))
    (happy,) = named_by("happy")
    assert torch.equal(happy.holds(PEOPLE), PEOPLE["smile"] >= 0.3)
    for word in WORDS:
        assert all(naming.holds(PEOPLE).shape == (N,) for naming in named_by(word))


def test_bad_questions_are_answered_with_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="word: 'tail' names nothing in a portrait; try one of"):
        named_by("tail")
    with pytest.raises(InvalidInput, match="indices: are 2, for 90 people"):
        captions(PEOPLE, 0, [0, 1])
    with pytest.raises(InvalidInput, match="wording: must be a whole number from 0 up, not -1"):
        captions(PEOPLE, 0, INDICES, -1)
