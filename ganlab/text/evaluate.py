"""How well a CLIP knows the faces: retrieval of pairs, and attributes read without having been trained to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.data.faces import Attributes
from ganlab.data.faces.many import drawn
from ganlab.data.faces.visible import visible
from ganlab.text.clip import Clip
from ganlab.text.sayings import HELD_OUT, TRAINED, Saying, Wording, long_captions, said

FACES = 2_000  # fresh portraits that attributes are read in
PAIRS = 500  # pairs in a retrieval
SEED = (1 << 32) + 1  # no run's seed
FEWEST_EACH = 10  # people who show an attribute, so that something is said about it
BATCH = 250


class Question(NamedTuple):
    """A choice between sayings, and who has which: numbers [N] of the sayings, -1 where none is meant."""

    answers: tuple[Saying, ...]
    truth: Callable[[Attributes], Tensor]


@dataclass(frozen=True)
class Retrieval:
    """Parts of pairs whose other half is the first found, or among the first five (recall at 1 and 5)."""

    text_at_1: float  # pictures that find their text
    text_at_5: float
    picture_at_1: float  # texts that find their picture
    picture_at_5: float


@dataclass(frozen=True)
class ClipScores:
    """What `evaluate_clip` measures on fresh portraits with one set of wordings."""

    retrieval: Retrieval
    zero_shot: dict[str, float]  # right answers by question, among those who show what is asked for

    @property
    def mean(self) -> float:
        """The mean of the zero-shot accuracies."""
        return sum(self.zero_shot.values()) / max(1, len(self.zero_shot))


def evaluate_clip(
    clip: Clip, faces: int = FACES, pairs: int = PAIRS, processes: int = 1, seed: int = SEED
) -> dict[str, ClipScores]:
    """Scores on fresh portraits, with the wordings of the training ("trained") and with others ("held out")."""
    images, people = drawn(seed, max(faces, pairs), processes)
    vectors = torch.cat([_embedded(clip, part) for part in images.split(BATCH)])
    out = {}
    for name, wording in (("trained", TRAINED), ("held out", HELD_OUT)):
        texts = long_captions(people.rows(slice(pairs)), seed, range(pairs), 0, wording)
        found = retrieval(vectors[:pairs], clip.embed_texts([text.text for text in texts]).cpu())
        out[name] = ClipScores(found, _zero_shot(clip, vectors, people, wording))
    return out


def retrieval(pictures: Float[Tensor, "n d"], texts: Float[Tensor, "n d"]) -> Retrieval:
    """Recall of pairs: row k of both belongs together."""
    scores = pictures @ texts.T
    own = scores.diagonal()
    text_rank = (scores > own[:, None]).sum(1)  # how many texts fit a picture better than its own
    picture_rank = (scores > own[None]).sum(0)
    at = [float((rank < k).float().mean()) for rank in (text_rank, picture_rank) for k in (1, 5)]
    return Retrieval(*at)


def _zero_shot(clip: Clip, vectors: Tensor, people: Attributes, wording: Wording) -> dict[str, float]:
    scores = {}
    for name, question in QUESTIONS.items():
        truth = question.truth(people)
        asked = truth >= 0
        if int(asked.sum()) < FEWEST_EACH:
            continue
        choices = clip.embed_choices([said(answer, wording) for answer in question.answers]).cpu()
        right = (vectors[asked] @ choices.T).argmax(1) == truth[asked]
        scores[name] = float(right.float().mean())
    return scores


@torch.inference_mode()
def _embedded(clip: Clip, images: Tensor) -> Tensor:
    return clip.embed_images(images).cpu()


def _ask(name: str, **answers: Saying) -> Question:
    """A question about a choice: the saying for each of its options, in their order; others are not asked about."""

    def truth(people: Attributes) -> Tensor:
        found = torch.full((len(people),), -1)
        for number, option in enumerate(answers):
            found[people.has(name, option)] = number
        return found.masked_fill(~visible(people.values)[name], -1)

    return Question(tuple(answers.values()), truth)


def _colours(name: str, pattern: str, kind: str, *options: str) -> Question:
    return _ask(name, **{o: Saying(kind, _with_article(pattern.format(o))) for o in options})  # type: ignore[arg-type]


def _with_article(phrase: str) -> str:
    bare = phrase.removeprefix("a ")
    return phrase if bare == phrase else ("an " if bare[0] in "aeiou" else "a ") + bare


def _smile(people: Attributes) -> Tensor:
    smile = people["smile"]
    found = torch.full((len(smile),), -1)
    for number, (lo, hi) in enumerate(((0.3, 1.0), (-0.15, 0.2), (-0.7, -0.25))):
        found[(smile >= lo) & (smile <= hi)] = number
    return found


def _yaw(people: Attributes) -> Tensor:
    yaw = people["yaw"]
    return torch.full((len(yaw),), -1).masked_fill(yaw <= -0.4, 0).masked_fill(yaw >= 0.4, 1)


def _skin(people: Attributes) -> Tensor:
    return (people["skin"] + 0.5).floor().clamp(0, 5).long()


def _uncovered(question: Question) -> Question:
    """Asked only of those whose hair no hat hides."""
    return Question(question.answers, lambda people: question.truth(people).masked_fill(~people.has("hat", "none"), -1))


def _haired(question: Question) -> Question:
    """Asked only of those who are not bald."""
    return Question(
        question.answers, lambda people: question.truth(people).masked_fill(people.has("hairstyle", "bald"), -1)
    )


HAIR = ("black", "brown", "blond", "red", "gray", "white", "pink", "blue", "green", "purple")
CLOTH = ("red", "blue", "green", "yellow", "white", "black", "purple", "orange")
BACKGROUND = ("blue", "green", "yellow", "orange", "pink", "purple", "gray", "teal")
QUESTIONS: dict[str, Question] = {
    "hat": _ask(
        "hat",
        none=Saying("lacks", "a hat"),
        beanie=Saying("wears", "a beanie"),
        cap=Saying("wears", "a cap"),
        crown=Saying("wears", "a crown"),
        party=Saying("wears", "a party hat"),
    ),
    "hairstyle": _uncovered(
        _ask(
            "hairstyle",
            bald=Saying("is", "bald"),
            short=Saying("has", "short hair"),
            spiky=Saying("has", "spiky hair"),
            bob=Saying("has", "a bob"),
            long=Saying("has", "long hair"),
            curly=Saying("has", "curly hair"),
            bun=Saying("has", "hair in a bun"),
            pigtails=Saying("has", "pigtails"),
        )
    ),
    "hair colour": _haired(_colours("hair_colour", "{} hair", "has", *HAIR)),
    "bangs": _ask("bangs", no=Saying("lacks", "bangs"), yes=Saying("has", "bangs")),
    "glasses": _ask(
        "glasses",
        none=Saying("lacks", "glasses"),
        round=Saying("wears", "round glasses"),
        square=Saying("wears", "square glasses"),
        sunglasses=Saying("wears", "sunglasses"),
    ),
    "beard": _ask(
        "beard",
        none=Saying("lacks", "a beard"),
        mustache=Saying("has", "a mustache"),
        goatee=Saying("has", "a goatee"),
        full=Saying("has", "a full beard"),
    ),
    "smile": Question((Saying("is", "smiling"), Saying("is", "serious"), Saying("is", "sad")), _smile),
    "mouth": _ask("mouth", closed=Saying("has", "a closed mouth"), open=Saying("has", "an open mouth")),
    "eyes": _ask("eyes", open=Saying("has", "open eyes"), closed=Saying("has", "closed eyes")),
    "eye colour": _colours("eye_colour", "{} eyes", "has", "brown", "blue", "green", "gray"),
    "lipstick": _ask("lipstick", no=Saying("lacks", "lipstick"), yes=Saying("has", "red lipstick")),
    "freckles": _ask("freckles", no=Saying("lacks", "freckles"), yes=Saying("has", "freckles")),
    "earrings": _ask("earrings", no=Saying("lacks", "earrings"), yes=Saying("wears", "gold earrings")),
    "clothes": _ask(
        "clothes",
        shirt=Saying("wears", "a plain shirt"),
        striped=Saying("wears", "a striped shirt"),
        turtleneck=Saying("wears", "a turtleneck"),
    ),
    "colour of clothes": _colours("clothes_colour", "{} clothes", "wears", *CLOTH),
    "background": _colours("background", "a {} background", "scene", *BACKGROUND),
    "pattern": _ask(
        "pattern",
        plain=Saying("scene", "a plain background"),
        dots=Saying("scene", "a background with dots"),
        rays=Saying("scene", "a background with rays"),
    ),
    "skin": Question(
        tuple(Saying("has", f"{tone} skin") for tone in ("fair", "light", "medium", "tan", "brown", "dark")), _skin
    ),
    "turn": Question((Saying("pose", "turned to the left"), Saying("pose", "turned to the right")), _yaw),
}
