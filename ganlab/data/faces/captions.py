"""What can be seen in a portrait, said in words; and what a word says about a portrait."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.faces.attributes import TABLE, Attributes, attribute
from ganlab.data.faces.draws import checked

Person = Mapping[str, float | str]  # as `Attributes.person` gives it

COVERING = ("beanie", "cap")  # hats that hide the top of the head and the forehead
ENOUGH = 0.6  # how often a fact is told, of those that could be
SUBJECTS = ("a person", "a face", "a cartoon face", "a portrait of a person", "a picture of a person", "someone")


class Naming(NamedTuple):
    """One reading of a word: an attribute, and the options or named spans that it may have."""

    attribute: str
    among: tuple[str, ...]

    def holds(self, attributes: Attributes) -> Bool[Tensor, "n"]:
        """Who has it."""
        row, value = attribute(self.attribute), attributes[self.attribute]
        if not row.continuous:
            return attributes.has(self.attribute, *self.among)
        spans = [row.spans[name] for name in self.among]
        return torch.stack([(value >= span.lo) & (value <= span.hi) for span in spans]).any(0)


class Told(NamedTuple):
    """The part of the facts that one caption tells."""

    mood: str  # "smiling" or ""
    has: str  # "long red hair and freckles"; never empty
    wears: str
    pose: str
    background: str


Sentence = Callable[[Told, random.Random], str]  # a way of saying it


def named_by(word: str) -> tuple[Naming, ...]:
    """All that a word can mean ("red": hair, clothes, hat); an unknown one raises `InvalidInput`."""
    found = WORDS.get(str(word).strip().lower())
    if found is None:
        raise InvalidInput("word", f"{str(word)[:40]!r} names nothing in a portrait; try one of {', '.join(WORDS)}")
    return found


def captions(
    attributes: Attributes,
    seed: int,
    indices: Iterable[int],
    wording: int = 0,
    sentences: tuple[Sentence, ...] | None = None,
) -> list[str]:
    """A sentence for each person, the same for the same seed, index and wording.

    Wordings 0 to 5 of one person are six different sentences. Each tells a part of what is visible, and nothing else.
    `sentences` are the ways of saying it that may be taken, some of `SENTENCES`; all, if left out.
    """
    chosen = checked(seed, indices)
    if len(chosen) != len(attributes):
        raise InvalidInput("indices", f"are {len(chosen)}, for {len(attributes)} people")
    if wording < 0:
        raise InvalidInput("wording", f"must be a whole number from 0 up, not {wording}")
    ways = sentences or SENTENCES
    return [_caption(person, seed, index, wording, ways) for person, index in zip(attributes.people(), chosen)]


def facts(person: Person) -> dict[str, str]:
    """Everything visible that a caption may tell, as phrases by the attribute they tell of."""
    told = {name: phrase(person) for name, phrase in PHRASES.items()}
    return {name: text for name, text in told.items() if text}


def _caption(person: Person, seed: int, index: int, wording: int, sentences: tuple[Sentence, ...]) -> str:
    rng = random.Random(f"{seed}/{index}/{wording}")
    first = random.Random(f"{seed}/{index}").randrange(len(sentences))
    sentence = sentences[(first + wording) % len(sentences)]
    return sentence(_chosen(facts(person), rng), rng)


def _chosen(known: dict[str, str], rng: random.Random) -> Told:
    def some(names: tuple[str, ...]) -> list[str]:
        return [known[name] for name in names if name in known and rng.random() < ENOUGH]

    # a beanie over a bald head leaves no hair to tell of: there are always clothes and eyes or glasses
    has = some(HAS) or [next(known[name] for name in (*HAS, *WEARS) if name in known)]
    wears = [phrase for phrase in some(WEARS) if phrase not in has]
    rng.shuffle(wears)
    if rng.random() < 0.5:
        rng.shuffle(has)
    mood, pose, background = (" ".join(some((name,))) for name in ("smile", "yaw", "background"))
    return Told(mood, _listed(has), _listed(wears), pose, background)


def _listed(phrases: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)


def _article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _behind(background: str) -> str:
    return f"on {_article(background)}" if background else ""


def _wearing(wears: str) -> str:
    return f"wearing {wears}" if wears else ""


def _plain(told: Told, rng: random.Random) -> str:
    subject = rng.choice(SUBJECTS)
    if told.mood:
        for noun in ("a person", "a face", "a cartoon face"):
            subject = subject.replace(noun, f"a {told.mood} {noun[2:]}")
        subject = subject.replace("someone", f"someone {told.mood}")
    parts = (_joined(subject, f"with {told.has}", _wearing(told.wears)), told.pose, told.background)
    return ", ".join(part for part in parts if part)


def _they(told: Told, rng: random.Random) -> str:
    start = rng.choice(("this person has", "they have", "the person in the picture has"))
    many = start.startswith("they")
    doing = " and ".join(part for part in (told.mood, told.pose) if part)
    ends = [f"{'are' if many else 'is'} {doing}"] if doing else []
    ends += [f"{'wear' if many else 'wears'} {told.wears}"] if told.wears else []
    return _joined(", and ".join([f"{start} {told.has}", *ends]), _behind(told.background))


def _tags(told: Told, rng: random.Random) -> str:
    kind = rng.choice(("cartoon portrait", "portrait", "drawing of a face"))
    parts = (kind, told.mood, told.has, told.wears, told.pose, told.background)
    return ", ".join(part for part in parts if part)


def _background_first(told: Told, rng: random.Random) -> str:
    where = f"in front of {_article(told.background)}," if told.background else rng.choice(("here is", "we see"))
    who = rng.choice(("a person", "someone"))
    parts = (f"with {told.has}", _wearing(told.wears), told.pose, told.mood)
    return _joined(where, who, ", ".join(part for part in parts if part))


def _clothes_first(told: Told, rng: random.Random) -> str:
    who = rng.choice(("somebody", "a character", "a cartoon character"))
    dressed = f"in {told.wears}," if told.wears else ""
    seen = ", ".join(part for part in (f"with {told.has}", told.pose) if part)
    return _joined(who, dressed, told.mood and f"{told.mood},", seen, _behind(told.background))


def _mood_first(told: Told, rng: random.Random) -> str:
    start = rng.choice(("a drawing of", "an illustration of", "a cartoon of"))
    who = _article(_joined(told.mood, "person"))
    wears = told.wears and f"and wears {told.wears}"
    return _joined(start, who, told.pose, f"who has {told.has}", wears, _behind(told.background))


SENTENCES: tuple[Sentence, ...] = (
    _plain,
    _they,
    _tags,
    _background_first,
    _clothes_first,
    _mood_first,
)

HAIR_PHRASES = {
    "short": "short {} hair",
    "spiky": "spiky {} hair",
    "bob": "{a} {} bob",
    "long": "long {} hair",
    "curly": "curly {} hair",
    "bun": "{} hair in a bun",
    "pigtails": "{} pigtails",
}


def _hair(person: Person) -> str:
    style, colour, hat = str(person["hairstyle"]), str(person["hair_colour"]), person["hat"]
    if style == "bald":
        return "" if hat in COVERING else "a bald head"
    # hats leave no bun to be seen, and of short hair only the sides
    cut_is_hidden = (style == "bun" and hat != "none") or (style in ("short", "spiky") and hat in COVERING)
    phrase = "{} hair" if cut_is_hidden else HAIR_PHRASES[style]
    return phrase.format(colour, a=_article(colour).split()[0])


def _bangs(person: Person) -> str:
    seen = person["hairstyle"] not in ("bald", "spiky") and person["hat"] not in COVERING
    return "bangs" if person["bangs"] == "yes" and seen else ""


def _eyes(person: Person) -> str:
    if person["glasses"] == "sunglasses":
        return ""
    return "closed eyes" if person["eyes"] == "closed" else f"{person['eye_colour']} eyes"


def _hat(person: Person) -> str:
    if person["hat"] == "crown":
        return "a golden crown"
    return {"none": "", "party": _coloured(person, "party hat")}.get(
        str(person["hat"]), _coloured(person, person["hat"])
    )


def _coloured(person: Person, what: float | str) -> str:
    return _article(f"{person['accessory_colour']} {what}")


def _clothes(person: Person) -> str:
    colour = person["clothes_colour"]
    return _article(f"striped {colour} shirt" if person["clothes"] == "striped" else f"{colour} {person['clothes']}")


def _background(person: Person) -> str:
    pattern = {"plain": "{} background", "dots": "{} background with dots", "rays": "{} background with rays"}
    return pattern[str(person["pattern"])].format(person["background"])


def _span(name: str, template: str = "{}") -> Callable[[Person], str]:
    """The phrase of a continuous attribute: that of the named span it lies in, or nothing."""

    def phrase(person: Person) -> str:
        inside = [n for n, span in attribute(name).spans.items() if span.lo <= float(person[name]) <= span.hi]
        return template.format(inside[0]) if inside else ""

    return phrase


def _choice(name: str, **texts: str) -> Callable[[Person], str]:
    """The phrase of a choice that is always visible."""
    return lambda person: texts.get(str(person[name]), "")


PHRASES: dict[str, Callable[[Person], str]] = {
    "hairstyle": _hair,
    "bangs": _bangs,
    "beard": _choice("beard", mustache="a mustache", goatee="a goatee", full="a full beard"),
    "eyes": _eyes,
    "freckles": _choice("freckles", yes="freckles"),
    "lipstick": _choice("lipstick", yes="red lipstick"),
    "mouth": _choice("mouth", open="an open mouth"),
    "skin": _span("skin", "{} skin"),
    "glasses": _choice("glasses", round="round glasses", square="square glasses", sunglasses="sunglasses"),
    "hat": _hat,
    "earrings": _choice("earrings", yes="gold earrings"),
    "clothes": _clothes,
    "smile": _span("smile"),
    "yaw": _span("yaw", "turned to the {}"),
    "background": _background,
}
HAS = ("hairstyle", "bangs", "beard", "eyes", "freckles", "lipstick", "mouth", "skin")
WEARS = ("glasses", "hat", "earrings", "clothes")


def _words() -> dict[str, tuple[Naming, ...]]:
    """The table of attributes read backwards: from a word to the attributes and values it names."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in TABLE:
        words = {name: option.words for name, option in row.options.items()}
        words |= {name: span.words for name, span in row.spans.items()}
        for name, named_by_these in words.items():
            for word in named_by_these:
                found.setdefault(word, {}).setdefault(row.name, []).append(name)
    return {word: tuple(Naming(name, tuple(among)) for name, among in named.items()) for word, named in found.items()}


WORDS: dict[str, tuple[Naming, ...]] = _words()
