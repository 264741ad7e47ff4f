"""Which attributes of a cartoon face a text asks for, so that a classifier can say whether an edit did it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ganlab.data.faces.attributes import ATTRIBUTES, attribute
from ganlab.text.sayings import CUTS, MOODS, MORE, SPELT
from ganlab.text.words import words_of

SMALL_WORDS = ("a", "an", "the")
ABSENT = ("without", "no")
COLOURED = {
    "hair_colour": ("hair",),
    "eye_colour": ("eyes",),
    "clothes_colour": ("clothes", "shirt"),
    "background": ("background",),
}
KINDS = {
    ("glasses", "round"): ("round glasses",),
    ("glasses", "square"): ("square glasses",),
    ("glasses", "sunglasses"): ("sunglasses", "dark glasses"),
    ("hat", "party"): ("party hat",),
    ("beard", "mustache"): ("mustache",),
    ("beard", "goatee"): ("goatee",),
    ("beard", "full"): ("full beard",),
    ("hairstyle", "bald"): ("bald", "hairless", "bald head"),
    ("hairstyle", "bun"): ("bun",),
    ("hairstyle", "pigtails"): ("pigtails",),
    ("hairstyle", "spiky"): ("spiky hair",),
    ("bangs", "yes"): ("bangs",),
    ("freckles", "yes"): ("freckles",),
    ("lipstick", "yes"): ("red lipstick",),
    ("earrings", "yes"): ("gold earrings",),
}


class Aim(NamedTuple):
    """Something that can be read from a picture: one of some options of a choice, or a number in a range."""

    attribute: str
    options: frozenset[str] = frozenset()
    lo: float = 0.0
    hi: float = 0.0

    def reached(self, read: Mapping[str, Float[Tensor, "n *options"]]) -> Bool[Tensor, " n"]:
        """Whose pictures show it, by what a classifier of faces reads from them."""
        values = read[self.attribute]
        if not self.options:  # sadder than any portrait is drawn is still sad
            known = attribute(self.attribute)
            values = values.clamp(known.lo, known.hi)
            return (values >= self.lo) & (values <= self.hi)
        names = attribute(self.attribute).options
        wanted = torch.tensor([i for i, name in enumerate(names) if name in self.options], device=values.device)
        return torch.isin(values.argmax(1), wanted)


def aims_of(text: str) -> tuple[Aim, ...]:
    """What a text asks for, at most one aim for an attribute; empty where it speaks of nothing that can be read."""
    named = _attribute_named(text)
    if named:
        return (named,)
    words = [word for word in words_of(text) if word not in SMALL_WORDS]
    found: dict[str, Aim] = {}
    at = 0
    while at < len(words):
        length, aims = _longest(words, at)
        for aim in aims:
            found.setdefault(aim.attribute, aim)
        at += max(length, 1)
    return tuple(found.values())


def _attribute_named(text: str) -> Aim | None:
    """The aim of a boundary's name, as "hat: none" or "hair_colour: red"."""
    name, _, option = (part.strip().replace(" ", "_") for part in text.partition(":"))
    if name not in ATTRIBUTES or option not in attribute(name).options:
        return None
    return Aim(name, frozenset({option}))


def _longest(words: Sequence[str], at: int) -> tuple[int, tuple[Aim, ...]]:
    """The longest phrase that begins at a word: how many words, and what it asks for."""
    absent = words[at] in ABSENT
    begin = at + absent
    for length in range(min(3, len(words) - begin), 0, -1):
        aims = _phrases().get(" ".join(words[begin : begin + length]))
        if aims and not absent:
            return length, aims
        if aims:  # what has no opposite, as a smile, is not asked for
            return length + 1, tuple(aim for aim in map(_opposite, aims) if aim)
    return 1, ()


def _opposite(aim: Aim) -> Aim | None:
    """Without it: the option that stands for nothing."""
    options = attribute(aim.attribute).options
    nothing = next((option for option in ("none", "no") if option in options), None)
    return Aim(aim.attribute, frozenset({nothing})) if nothing else None


@cache
def _phrases() -> dict[str, tuple[Aim, ...]]:
    """What each phrase asks for; of options that share a phrase any will do."""
    options: dict[tuple[str, str], set[str]] = {}
    for phrase, name, option in _sayings():
        options.setdefault((phrase, name), set()).add(option)
    found: dict[str, tuple[Aim, ...]] = {}
    for (phrase, name), some in options.items():
        found[phrase] = (*found.get(phrase, ()), Aim(name, frozenset(some)))
    for mood, told in MOODS.items():
        span = attribute("smile").spans[mood]
        for _, phrase in told:
            found[_bare(phrase)] = (Aim("smile", lo=span.lo, hi=span.hi),)

    return found


def _sayings() -> Iterator[tuple[str, str, str]]:
    """(phrase, attribute, option)."""
    for name, table in MORE.items():
        for option, told in table.items():
            yield from ((_bare(phrase), name, option) for kind, phrase in told if kind != "lacks")
    for (name, option), phrases in KINDS.items():
        yield from ((phrase, name, option) for phrase in phrases)
    for option, phrases in CUTS.items():
        yield from ((_bare(phrase), "hairstyle", option) for phrase in phrases)
    for name, nouns in COLOURED.items():
        for colour in attribute(name).options:
            for word in (colour, *SPELT.get(colour, ())):
                yield from ((f"{word} {noun}", name, colour) for noun in nouns)


def _bare(phrase: str) -> str:
    return re.sub(r"\b(a|an|the) ", "", phrase)
