"""Short descriptions of portraits: "a person with round glasses", "a smiling face without a hat".

Captions tell much and say nothing of what is not there; whoever edits a picture types few words, and often "without".
A description is true of every portrait that shows what it says, not of one alone: `Text.says` lists that.
"""

import random
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple

from ganlab.data.faces import Attributes, sample
from ganlab.data.faces.captions import HAS, SENTENCES, WEARS, Sentence, captions, facts
from ganlab.data.faces.visible import visible
from ganlab.text.words import words_of

Kind = Literal["has", "wears", "is", "pose", "scene", "lacks"]
BARE = 0.12  # how often one thing is said without a subject: "red hair"
SEVERAL = (0.55, 0.85)  # up to the first one thing is said, up to the second two, else three
ARTICLE = re.compile(r"^an? ")
NOUN = re.compile(r"\b(an?|the) ((?:cartoon )?(?:person|face|character))\b")
VOCABULARY_FACES = 250  # whose captions the words are taken from


class Saying(NamedTuple):
    """One thing that can be said of a portrait."""

    kind: Kind
    phrase: str
    attribute: str = ""

    @property
    def claim(self) -> str:
        """What it says, so that two sayings can be compared."""
        return f"without {self.phrase}" if self.kind == "lacks" else self.phrase


class Wording(NamedTuple):
    """Ways of saying things, in short and at length."""

    subjects: tuple[str, ...]
    leads: tuple[str, ...]
    has: tuple[str, ...]
    wears: tuple[str, ...]
    lacks: tuple[str, ...]
    adjectives: tuple[str, ...]  # how "bald" follows a subject that takes no adjective
    sentences: tuple[Sentence, ...]


class Text(NamedTuple):
    """A description, and the claims that must hold where it is true."""

    text: str
    says: frozenset[str]


def sayings(people: Attributes) -> list[list[Saying]]:
    """All that can be said of each of N people, with synonyms; what cannot be seen is not spoken of."""
    seen = {name: mask.tolist() for name, mask in visible(people.values).items()}
    return [
        _sayings(person, {name for name, mask in seen.items() if mask[row]})
        for row, person in enumerate(people.people())
    ]


def _sayings(person: dict[str, float | str], seen: set[str]) -> list[Saying]:
    known = facts(person)
    found = [Saying("has", known[name], name) for name in HAS if name in known]
    found += [Saying("wears", known[name], name) for name in WEARS if name in known]
    for name, options in MORE.items():
        if name in seen:
            told = options.get(str(person[name]), ())
            found += [Saying(kind, phrase, name) for kind, phrase in told]
    if "smile" in known:
        found += [Saying(kind, phrase, "smile") for kind, phrase in MOODS[known["smile"]]]
    if "yaw" in known:
        found.append(Saying("pose", known["yaw"], "yaw"))
    colour = str(person["hair_colour"])
    hair = known.get("hairstyle", "a bald head")
    if hair != "a bald head":
        found += [Saying("has", f"{name} hair", "hair_colour") for name in (colour, *SPELT.get(colour, ()))]
        if hair != f"{colour} hair":  # else a hat hides the cut
            found += [Saying("has", phrase, "hairstyle") for phrase in CUTS[str(person["hairstyle"])]]
    elif "hairstyle" in known:
        found += [Saying("has", "a bald head", "hairstyle"), Saying("is", "bald", "hairstyle")]
        found += [Saying("is", "hairless", "hairstyle"), Saying("lacks", "hair", "hairstyle")]
    if person["hat"] in ("beanie", "cap", "party"):
        found.append(Saying("wears", _article(f"{person['accessory_colour']} hat"), "hat"))
    clothes, background = str(person["clothes_colour"]), str(person["background"])
    found += [Saying("wears", f"{clothes} clothes", "clothes_colour")]
    if person["clothes"] != "turtleneck":
        found += [Saying("wears", _article(f"{clothes} shirt"), "clothes_colour")]
    found += [Saying("scene", _article(known["background"]), "background")]
    found += [Saying("scene", _article(f"{background} background"), "background")]
    return list(dict.fromkeys(found))


def described(known: Sequence[Saying], wording: "Wording", rng: random.Random) -> Text:
    """A short description of a portrait, of one to three of the things that can be said of it."""
    by_attribute: dict[str, list[Saying]] = {}
    for saying in known:
        by_attribute.setdefault(saying.attribute, []).append(saying)
    draw = rng.random()
    count = 1 + sum(draw > edge for edge in SEVERAL)
    some = rng.sample(sorted(by_attribute), min(count, len(by_attribute)))
    chosen = [rng.choice(by_attribute[name]) for name in some]
    # "a happy bald person" is rare: of two adjectives the second is dropped
    chosen = [s for i, s in enumerate(chosen) if s.kind not in [other.kind for other in chosen[:i]] or s.kind == "has"]
    return Text(_sentence(chosen, wording, rng), frozenset(saying.claim for saying in chosen))


def said(saying: Saying, wording: "Wording") -> list[str]:
    """One thing said with every subject of a wording, for zero-shot questions."""
    return [
        _whole([saying], subject, wording, random.Random(f"{subject}/{saying.claim}")) for subject in wording.subjects
    ]


def long_captions(people: Attributes, seed: int, indices: Iterable[int], number: int, wording: "Wording") -> list[Text]:
    """A caption of each of N people, as `captions` draws it, and what it claims."""
    texts = captions(people, seed, indices, number, wording.sentences)
    told = (facts(person).values() for person in people.people())
    return [Text(text, frozenset(fact for fact in known if fact in text)) for text, known in zip(texts, told)]


def claims(people: Attributes, known: list[list[Saying]] | None = None) -> list[frozenset[str]]:
    """Everything that is true of each of N people, in short sayings (`known`, if they are at hand) and in captions."""
    facts_of = (facts(person).values() for person in people.people())
    said_of = known or sayings(people)
    return [frozenset(each.claim for each in some) | frozenset(told) for some, told in zip(said_of, facts_of)]


@cache
def vocabulary() -> tuple[str, ...]:
    """The words of all captions and short descriptions, in alphabetical order."""
    people = sample(0, range(VOCABULARY_FACES))
    texts = [text for number in range(len(SENTENCES)) for text in captions(people, 0, range(len(people)), number)]
    texts += [saying.claim for known in sayings(people) for saying in known]
    for wording in (TRAINED, HELD_OUT):
        for ways in wording[:-1]:
            texts += [str(way).replace("{}", " ") for way in ways]
    return tuple(sorted({word for text in texts for word in words_of(text)} | {"a", "an", "no", "and"}))


def _sentence(chosen: list[Saying], wording: "Wording", rng: random.Random) -> str:
    if len(chosen) == 1 and rng.random() < BARE:
        return chosen[0].claim
    return _whole(chosen, rng.choice(wording.subjects), wording, rng)


def _whole(chosen: Sequence[Saying], subject: str, wording: "Wording", rng: random.Random) -> str:
    parts = {kind: [s.phrase for s in chosen if s.kind == kind] for kind in ("is", "has", "wears", "lacks", "pose")}
    text = rng.choice(wording.leads) + subject
    for adjective in parts["is"]:
        text = _adjective(text, adjective, rng.choice(wording.adjectives))
    for kind, ways in (("has", wording.has), ("wears", wording.wears), ("lacks", wording.lacks)):
        if phrases := parts[kind]:
            way = rng.choice(ways)
            bare = [ARTICLE.sub("", phrase) for phrase in phrases] if way.endswith("no {}") else phrases
            text += " " + way.format(" and ".join(bare))
    text += "".join(f" {phrase}" for phrase in parts["pose"])
    scene = [s.phrase for s in chosen if s.kind == "scene"]
    return text + "".join(f" {rng.choice(('on', 'in front of'))} {phrase}" for phrase in scene)


def _adjective(text: str, adjective: str, after: str) -> str:
    found = NOUN.search(text)
    if found is None:
        return f"{text} {after.format(adjective)}"
    article = found[1] if found[1] == "the" else _article(adjective).split()[0]
    return f"{text[: found.start()]}{article} {adjective} {found[2]}{text[found.end() :]}"


def _article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


TRAINED = Wording(
    subjects=(
        "a person",
        "a person",
        "a face",
        "a face",
        "someone",
        "somebody",
        "a portrait of a person",
        "a picture of a person",
        "a cartoon face",
        "a character",
        "a drawing of a face",
        "an illustration of a person",
        "a cartoon of someone",
        "the person in the picture",
    ),
    leads=("", "", "", "here is ", "we see "),
    has=("with {}", "with {}", "that has {}"),
    wears=("with {}", "wearing {}", "in {}", "that wears {}"),
    lacks=("without {}", "without {}", "with no {}"),
    adjectives=("who is {}", "that is {}"),
    sentences=SENTENCES[:-1],
)
HELD_OUT = Wording(  # of the same words, put together as no training saw them
    subjects=(
        "an illustration of a face",
        "a portrait of somebody",
        "a drawing of a cartoon character",
        "the face in the picture",
    ),
    leads=("", "this is "),
    has=("who has {}",),
    wears=("who wears {}",),
    lacks=("who has no {}",),
    adjectives=("who is {}",),
    sentences=SENTENCES[-1:],
)

SPELT = {"blond": ("blonde", "golden"), "gray": ("grey",)}
CUTS: dict[str, tuple[str, ...]] = {
    "short": ("short hair",),
    "spiky": ("spiky hair", "spikes"),
    "bob": ("a bob",),
    "long": ("long hair",),
    "curly": ("curly hair", "curls", "an afro"),
    "bun": ("a bun", "hair in a bun"),
    "pigtails": ("pigtails", "bunches"),
}
MOODS: dict[str, tuple[tuple[Kind, str], ...]] = {
    "smiling": (("is", "smiling"), ("is", "happy"), ("is", "cheerful"), ("has", "a smile")),
    "serious": (("is", "serious"), ("is", "neutral")),
    "frowning": (("is", "frowning"), ("is", "sad"), ("is", "unhappy")),
}
GLASSES: tuple[tuple[Kind, str], ...] = (("wears", "glasses"), ("wears", "spectacles"))
HAT: tuple[Kind, str] = ("wears", "a hat")
MORE: dict[str, dict[str, tuple[tuple[Kind, str], ...]]] = {
    "glasses": {
        "none": (("lacks", "glasses"), ("lacks", "spectacles")),
        "round": GLASSES,
        "square": GLASSES,
        "sunglasses": (("wears", "shades"),),
    },
    "hat": {
        "none": (("lacks", "a hat"),),
        "beanie": (("wears", "a beanie"), HAT),
        "cap": (("wears", "a cap"), HAT),
        "crown": (("wears", "a crown"),),
        "party": (("wears", "a party hat"), HAT),
    },
    "beard": {
        "none": (("lacks", "a beard"), ("lacks", "a mustache")),
        "mustache": (("has", "a moustache"),),
        "full": (("has", "a beard"), ("is", "bearded")),
    },
    "mouth": {"open": (("has", "an open mouth"),), "closed": (("has", "a closed mouth"),)},
    "eyes": {"open": (("has", "open eyes"),), "closed": (("is", "asleep"), ("has", "closed eyes"))},
    "bangs": {"yes": (("has", "a fringe"),), "no": (("lacks", "bangs"), ("lacks", "a fringe"))},
    "freckles": {"yes": (("is", "freckled"),), "no": (("lacks", "freckles"),)},
    "lipstick": {"yes": (("has", "lipstick"), ("has", "red lips")), "no": (("lacks", "lipstick"),)},
    "earrings": {"yes": (("wears", "earrings"),), "no": (("lacks", "earrings"),)},
    "clothes": {
        "shirt": (("wears", "a plain shirt"),),
        "striped": (("wears", "a striped shirt"), ("wears", "stripes")),
        "turtleneck": (("wears", "a turtleneck"),),
    },
    "pattern": {
        "plain": (("scene", "a plain background"),),
        "dots": (("scene", "a background with dots"), ("scene", "a dotted background")),
        "rays": (("scene", "a background with rays"),),
    },
}
