"""Who is in the picture: a table of attributes, draws from it, and edits of one attribute at a time.

A row of `ATTRIBUTES` is a choice (with the probability and the words of each option) or a continuous range (with words
for parts of it). Its level says where a style-based generator is expected to decide it: pose and silhouette are coarse,
features middle, colours fine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.data.faces.draws import PERSON, uniforms
from ganlab.data.faces.palette import BACKGROUND, CLOTH, EYES, HAIR, SKIN

Level = Literal["coarse", "middle", "fine"]


class Option(NamedTuple):
    """One value of a choice: how likely it is, and the words that name it."""

    probability: float
    words: tuple[str, ...] = ()


class Span(NamedTuple):
    """A part of a continuous range that has a name, and the words that name it."""

    lo: float
    hi: float
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """One row: a choice where it has options, otherwise a range from `lo` to `hi`."""

    name: str
    level: Level
    about: str
    options: Mapping[str, Option] = field(default_factory=dict)
    lo: float = 0.0
    hi: float = 1.0
    bell: bool = False  # the middle is likelier than the ends (the sum of three uniform numbers), else all are equal
    spans: Mapping[str, Span] = field(default_factory=dict)

    @property
    def continuous(self) -> bool:
        """Whether its values are real numbers, not one of its options."""
        return not self.options

    def index(self, option: str) -> int:
        """The number that stands for an option; an unknown one raises `InvalidInput`."""
        if option not in self.options:
            known = ", ".join(self.options) or f"numbers from {self.lo:g} to {self.hi:g}"
            raise InvalidInput(self.name, f"{str(option)[:40]!r} is not one of {known}")
        return list(self.options).index(option)


class Exclusion(NamedTuple):
    """What is not drawn together, so that all that a caption says can be seen."""

    where: str  # this attribute
    among: tuple[str, ...]  # having one of these options
    name: str  # changes that one
    instead: Mapping[str, str]  # from an option to another


@dataclass(frozen=True)
class Attributes:
    """The attributes of N people by name: float32 [N] where continuous, int64 [N] numbers of options otherwise."""

    values: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.values["x"])

    def __getitem__(self, name: str) -> Tensor:
        return self.values[attribute(name).name]

    def rows(self, rows: slice | Tensor | Sequence[int]) -> "Attributes":
        """Some of the people, in the order of `rows`; one may come several times."""
        return Attributes({name: value[rows] for name, value in self.values.items()})

    def has(self, name: str, *options: str) -> Tensor:
        """Who has one of the options, bool [N]."""
        row, value = attribute(name), self[name]
        return torch.stack([value == row.index(option) for option in options]).any(0)

    def people(self) -> list[dict[str, float | str]]:
        """Each person in words and numbers."""
        columns: list[list[float | str]] = []
        for row in TABLE:
            options, numbers = list(row.options), self.values[row.name].tolist()
            columns.append(numbers if row.continuous else [options[number] for number in numbers])
        return [dict(zip(ATTRIBUTES, values)) for values in zip(*columns)]

    def person(self, row: int) -> dict[str, float | str]:
        """One person in words and numbers."""
        return self.rows([row]).people()[0]


def attribute(name: str) -> Attribute:
    """The row of a name; an unknown one raises `InvalidInput`."""
    if name not in ATTRIBUTES:
        raise InvalidInput("attribute", f"{str(name)[:40]!r} is unknown; known are {', '.join(ATTRIBUTES)}")
    return ATTRIBUTES[name]


def sample(seed: int, indices: Iterable[int]) -> Attributes:
    """The people of images `indices` of `seed`; each depends on the seed and its own index alone."""
    drawn = uniforms(seed, indices, 3 * len(TABLE), PERSON).unflatten(1, (-1, 3))  # [N, attributes, 3]
    return Attributes(settled({row.name: _drawn(row, drawn[:, i]) for i, row in enumerate(TABLE)}))


def settled(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same people after `EXCLUSIONS`: nobody has what could not be seen beside something else."""
    out = dict(values)
    for rule in EXCLUSIONS:
        where = Attributes(out).has(rule.where, *rule.among)
        changed, row = out[rule.name].clone(), ATTRIBUTES[rule.name]
        for option, other in rule.instead.items():
            changed[where & (out[rule.name] == row.index(option))] = row.index(other)
        out[rule.name] = changed
    return out


def with_attribute(attributes: Attributes, name: str, value: float | str | Tensor) -> Attributes:
    """The same people with one attribute set and everything else kept, for measuring edits.

    `value` is an option's name, a number of the range, or a tensor [N] of either kind. Exclusions are not applied:
    under a hat a bun stays an attribute, though it is not drawn.
    """
    row, old = attribute(name), attributes[name]
    if isinstance(value, Tensor):
        new = value
    elif isinstance(value, str):
        new = torch.full_like(old, row.index(value))
    else:
        if not row.continuous:
            row.index(str(value))  # a number names no option: says which there are
        new = torch.full_like(old, value)
    lo, hi = (row.lo, row.hi) if row.continuous else (0, len(row.options) - 1)
    allowed = (new >= lo) & (new <= hi) & (row.continuous | (new == new.floor()))
    if new.shape != old.shape or not bool(allowed.all()):
        kind = "number" if row.continuous else "whole number"
        raise InvalidInput(name, f"must be one {kind} from {lo:g} to {hi:g} for each of the {len(old)} people")
    return Attributes({**attributes.values, name: new.to(old.dtype)})


def _drawn(row: Attribute, u: Float[Tensor, "n 3"]) -> Tensor:
    if row.continuous:
        return row.lo + (row.hi - row.lo) * (u.sum(1) / 3 if row.bell else u[:, 0])
    edges = torch.tensor([option.probability for option in row.options.values()], dtype=torch.float64).cumsum(0)
    return torch.searchsorted(edges / edges[-1], u[:, 0].double(), right=True).clamp(max=len(edges) - 1)


def _colours(palette: Iterable[str], *odds: float) -> dict[str, Option]:
    """The colours of a palette, equally likely without odds."""
    names = list(palette)
    chances = odds or (1 / len(names),) * len(names)
    return {name: Option(p, (name, *SPELLINGS.get(name, ()))) for name, p in zip(names, chances)}


def _flag(probability: float, *words: str) -> dict[str, Option]:
    return {"no": Option(1 - probability), "yes": Option(probability, words)}


SPELLINGS: dict[str, tuple[str, ...]] = {"blond": ("blonde", "golden"), "gray": ("grey",)}

TABLE: tuple[Attribute, ...] = (
    Attribute("x", "coarse", "Place of the head, to the right; the picture is 2 wide", lo=-0.1, hi=0.1, bell=True),
    Attribute("y", "coarse", "Place of the head, downwards", lo=-0.05, hi=0.05, bell=True),
    Attribute("scale", "coarse", "Size of the person", lo=1.03, hi=1.26, bell=True),
    Attribute("roll", "coarse", "Tilt of the head in radians, clockwise", lo=-0.22, hi=0.22, bell=True),
    Attribute(
        "yaw",
        "coarse",
        "Turn of the head to the picture's right",
        lo=-1,
        hi=1,
        bell=True,
        spans={"left": Span(-1, -0.4, ("left",)), "right": Span(0.4, 1, ("right",))},
    ),
    Attribute("pitch", "coarse", "Nod of the head, downwards", lo=-1, hi=1, bell=True),
    Attribute("face_width", "coarse", "From narrow to round"),
    Attribute("jaw", "coarse", "From a square to a pointed chin"),
    Attribute(
        "hairstyle",
        "coarse",
        "Cut of the hair",
        {
            "bald": Option(0.06, ("bald", "hairless")),
            "short": Option(0.18, ("short",)),
            "spiky": Option(0.12, ("spiky", "spikes")),
            "bob": Option(0.14, ("bob",)),
            "long": Option(0.16, ("long",)),
            "curly": Option(0.14, ("curly", "curls", "afro")),
            "bun": Option(0.10, ("bun",)),
            "pigtails": Option(0.10, ("pigtails", "bunches")),
        },
    ),
    Attribute("hair_length", "coarse", "Length within the hairstyle"),
    Attribute("parting", "coarse", "Side of the parting", {"left": Option(0.5), "right": Option(0.5)}),
    Attribute("bangs", "coarse", "A fringe over the forehead", _flag(0.4, "bangs", "fringe")),
    Attribute(
        "hat",
        "coarse",
        "What is on the head",
        {
            "none": Option(0.64),
            "beanie": Option(0.10, ("beanie", "hat")),
            "cap": Option(0.10, ("cap", "hat")),
            "crown": Option(0.08, ("crown",)),
            "party": Option(0.08, ("party", "hat")),
        },
    ),
    Attribute("brow_angle", "middle", "From worried to angry", lo=-1, hi=1, bell=True),
    Attribute("brow_thickness", "middle", "From thin to bushy"),
    Attribute("eye_size", "middle", "From small to large"),
    Attribute("eye_opening", "middle", "From sleepy to wide awake", lo=0.55, hi=1),
    Attribute("eyes", "middle", "Closed or not", {"open": Option(0.94), "closed": Option(0.06, ("closed", "asleep"))}),
    Attribute("gaze_x", "middle", "Where the eyes look, to the right", lo=-1, hi=1, bell=True),
    Attribute("gaze_y", "middle", "Where the eyes look, downwards", lo=-1, hi=1, bell=True),
    Attribute("nose", "middle", "From small to large"),
    Attribute(
        "smile",
        "middle",
        "Corners of the mouth, upwards",
        lo=-0.7,
        hi=1,
        spans={
            "frowning": Span(-0.7, -0.25, ("frowning", "sad", "unhappy")),
            "serious": Span(-0.15, 0.2, ("serious", "neutral")),
            "smiling": Span(0.3, 1, ("smiling", "happy", "cheerful", "smile")),
        },
    ),
    Attribute("mouth", "middle", "Open or not", {"closed": Option(0.6), "open": Option(0.4, ("open",))}),
    Attribute("mouth_opening", "middle", "How far an open mouth is open"),
    Attribute("mouth_width", "middle", "From narrow to wide"),
    Attribute(
        "glasses",
        "middle",
        "What is before the eyes",
        {
            "none": Option(0.66),
            "round": Option(0.13, ("round", "glasses", "spectacles")),
            "square": Option(0.13, ("square", "glasses", "spectacles")),
            "sunglasses": Option(0.08, ("sunglasses", "shades")),
        },
    ),
    Attribute(
        "beard",
        "middle",
        "Hair in the face",
        {
            "none": Option(0.72),
            "mustache": Option(0.10, ("mustache", "moustache")),
            "goatee": Option(0.08, ("goatee",)),
            "full": Option(0.10, ("beard", "bearded")),
        },
    ),
    Attribute("earrings", "middle", "Golden earrings", _flag(0.22, "earrings")),
    Attribute(
        "clothes",
        "middle",
        "What is worn",
        {
            "shirt": Option(0.5, ("shirt",)),
            "striped": Option(0.28, ("striped", "stripes")),
            "turtleneck": Option(0.22, ("turtleneck",)),
        },
    ),
    Attribute(
        "skin",
        "fine",
        "Tone of the skin, from the lightest to the darkest",
        lo=0,
        hi=len(SKIN) - 1,
        spans={name: Span(max(i - 0.5, 0), min(i + 0.5, 5), (name,)) for i, name in enumerate(SKIN)},
    ),
    Attribute(
        "hair_colour",
        "fine",
        "Colour of hair, brows and beard",
        _colours(HAIR, 0.16, 0.18, 0.14, 0.12, 0.08, 0.06, 0.08, 0.07, 0.05, 0.06),
    ),
    Attribute("hair_shade", "fine", "From the darker to the lighter end of that colour", lo=-1, hi=1, bell=True),
    Attribute("eye_colour", "fine", "Colour of the irises", _colours(EYES, 0.4, 0.26, 0.2, 0.14)),
    Attribute("freckles", "fine", "Freckles on nose and cheeks", _flag(0.3, "freckles", "freckled")),
    Attribute("blush", "fine", "Redness of the cheeks", lo=0.1),
    Attribute("lipstick", "fine", "Red lips", _flag(0.2, "lipstick")),
    Attribute("background", "fine", "Colour behind", _colours(BACKGROUND)),
    Attribute(
        "pattern",
        "fine",
        "Pattern behind",
        {
            "plain": Option(0.5, ("plain",)),
            "dots": Option(0.3, ("dots", "dotted", "snow")),
            "rays": Option(0.2, ("rays",)),
        },
    ),
    Attribute("clothes_colour", "fine", "Colour of the clothes", _colours(CLOTH)),
    Attribute("accessory_colour", "fine", "Colour of hat, glasses and ribbons", _colours(CLOTH)),
    Attribute("light", "fine", "Where the light comes from, to the right", lo=-1, hi=1),
)

ATTRIBUTES: dict[str, Attribute] = {row.name: row for row in TABLE}

EXCLUSIONS: tuple[Exclusion, ...] = (
    Exclusion("hat", ("beanie", "cap", "crown", "party"), "hairstyle", {"bun": "long", "spiky": "short"}),
    Exclusion("hairstyle", ("bald", "spiky"), "bangs", {"yes": "no"}),
    Exclusion("hat", ("beanie", "cap"), "bangs", {"yes": "no"}),
    Exclusion("glasses", ("sunglasses",), "eyes", {"closed": "open"}),
)
