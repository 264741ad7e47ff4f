"""What edits are made of: directions of the models in use, and what their channels do to pictures, each made once."""

import copy
import functools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

from ganlab import files
from ganlab.config import InvalidInput
from ganlab.serving.models import Painter, Tick
from ganlab.text import HOWS

MOST_HELD = 24  # lists of directions
MOST_MAPPERS = 12  # of all visitors; each is some MB
MOST_EFFECTS = 3 * len(HOWS)  # of models whose channels are known: each is some MB
SEED = 0  # all visitors get the same directions
COUNT = 16  # axes of PCA and of SeFa
SAMPLES = 4000  # latents for PCA and SeFa
PICTURES = 2000  # that attributes are read from
KINDS = ("boundary", "pca", "sefa")
CLIP_VARIABLE = "GANLAB_CLIP"  # a CLIP for texts in place of our own, as `text.clip.load_clip` names it
NO_CLIP = (
    "needs our own small CLIP, which is not on this server yet (“ganlab train-clip” makes it); "
    "directions without text work all the same"
)
NO_FACES = "attributes are read from cartoon faces, and this model makes other pictures, as far as its file says"
FACES_ALONE = (
    "This server's CLIP knows cartoon faces alone; this model makes other pictures, as far as its file says, so that "
    "texts mean little to it. “ganlab app --clip ViT-B-32/openai” starts with one that knows photos."
)
SUGGESTIONS = (  # of those that `benchmarks/editing.py` found to work best on the faces that ship
    "a person with glasses",
    "a person with long hair",
    "a person with red hair",
    "a person with gold earrings",
    "a person with an open mouth",
    "a person with closed eyes",
    "a person wearing blue clothes",
    "a person in a striped shirt",
)
T = TypeVar("T")


class Texts(NamedTuple):
    """The CLIP that reads texts."""

    missing: Callable[[], str]  # what text needs that is not there; "" where it can be had
    load: Callable[[], Any]  # an `Embedder`; may take seconds the first time
    photos: Callable[[], bool] = lambda: False  # whether it knows photographs, too


def clip_name() -> str:
    """What reads texts on this server, as `text.clip.load_clip` names it; not for visitors: it may be a path."""
    from ganlab.text.clip import OWN

    return os.environ.get(CLIP_VARIABLE) or OWN


def _missing() -> str:
    from ganlab.text.small import SHIPPED

    named = os.environ.get(CLIP_VARIABLE, "")
    if named:
        return _trouble(named)
    return "" if SHIPPED.is_file() else NO_CLIP


@functools.lru_cache(8)
def _trouble(name: str) -> str:
    """Why a CLIP cannot be had; "" where it can. It is looked for once: the net is not asked again and again."""
    from ganlab.text.clip import load_clip

    try:
        load_clip(name)
    except InvalidInput as error:
        return f"cannot be read: {error.problem}"
    return ""


def _load() -> Any:
    from ganlab.text.clip import load_clip

    return load_clip(clip_name())


def _faces_reader() -> Any:
    from ganlab.features.faces import load_classifier

    return load_classifier()


def _photos() -> bool:
    if not os.environ.get(CLIP_VARIABLE) or _missing():
        return False
    return _load().layout is None  # those that ganlab trains know faces alone


OWN_TEXTS = Texts(_missing, _load, _photos)


class Editing:
    """Makes directions and keeps them. Models are to be used by their own thread; all else may come from any."""

    def __init__(self, texts: Texts = OWN_TEXTS, reader: Callable[[], Any] = _faces_reader) -> None:
        self.texts, self._reader = texts, reader
        self._directions = Held(MOST_HELD)
        self._effects = Held(MOST_EFFECTS)
        self._mappers = Held(MOST_MAPPERS)

    def offers(self, painter: Painter) -> dict[str, str]:
        """For each kind of direction and for text, "" or the sentence that says why this model has none."""
        no_styles, missing = str(painter.facts()["no_style_space"]), self.texts.missing()
        return {
            "boundary": "" if makes_faces(painter) else _whole(NO_FACES),
            "pca": "",
            "sefa": _whole(no_styles),
            "text": _whole(no_styles or (missing and f"text {missing}")),
        }

    def held(self, painter: Painter) -> list[Any]:
        """All directions of this model that are there already."""
        model = _key(painter)
        return [one for key, found in self._directions.items() if key[0] == model for one in found]

    def directions(self, painter: Painter, kind: str, layers: tuple[int, ...] | None, tick: Tick) -> list[Any]:
        """Directions of one kind, the best first; layers: rows of ws that SeFa looks at, None: all."""
        if kind not in KINDS:
            raise InvalidInput("kind", f"must be one of {', '.join(KINDS)}")
        key = _key(painter), kind, layers if kind == "sefa" else None
        return self._directions.get(key, lambda: self._find(painter, kind, layers, tick))

    def _find(self, painter: Painter, kind: str, layers: tuple[int, ...] | None, tick: Tick) -> list[Any]:
        import torch

        from ganlab.latents.directions import attribute_directions, pca_directions, sefa_directions
        from ganlab.synthesis import Cancelled

        renderer, rng = cast(Any, painter), torch.Generator().manual_seed(SEED)
        if kind == "boundary" and not makes_faces(painter):
            raise InvalidInput("model", f"has no attributes: {NO_FACES}")
        if not tick(0, 1):
            raise Cancelled
        if kind == "boundary":
            return attribute_directions(renderer, self.reader(), rng, PICTURES, tick=tick)
        if kind == "pca":
            found = pca_directions(renderer, rng, COUNT, SAMPLES)
        else:
            found = sefa_directions(renderer, rng, COUNT, layers, SAMPLES)
        return self._named(painter, found, tick)

    def _named(self, painter: Painter, directions: list[Any], tick: Tick) -> list[Any]:
        """With the captions that fit, where there is a CLIP that knows such pictures: names are an extra."""
        from ganlab.text.naming import PHOTOS, face_captions, name_directions

        faces = makes_faces(painter)
        if self.texts.missing() or not (faces or self.texts.photos()):
            return directions
        captions = face_captions() if faces else PHOTOS
        return name_directions(cast(Any, painter), self.clip(), directions, captions, tick)

    def clip(self) -> Any:
        """The CLIP, or `InvalidInput` where there is none."""
        missing = self.texts.missing()
        if missing:
            raise InvalidInput("text", missing)
        return self.texts.load()

    def reader(self) -> Any:
        """What reads the attributes of cartoon faces."""
        return self._reader()

    def ready(self, painter: Painter, clip: Any, how: str) -> bool:
        """Whether the model's channels are known in one way, so that a text becomes a direction at once."""
        from ganlab.text.directions import known_effects, named

        key = _key(painter), named(clip), how
        if self._effects.find(key) is None and not painter.facts()["no_style_space"]:
            found = known_effects(cast(Any, painter), clip, how)
            if found is not None:
                self._effects.get(key, lambda: found)
        return self._effects.find(key) is not None

    def learn(self, painter: Painter, clip: Any, how: str, tick: Tick) -> None:
        """Finds out what each channel of the model's styles does to pictures, if that is not known, and keeps it."""
        from ganlab.text.directions import keep_effects, named
        from ganlab.text.joint import find_effects

        if not self.ready(painter, clip, how):
            first, *more = find_effects(cast(Any, painter), clip, how, tick)
            for found in (self._with_ideas(painter, clip, first, tick), *more):
                keep_effects(cast(Any, painter), clip, found)
                self._effects.get((_key(painter), named(clip), found.how), lambda found=found: found)  # type: ignore[misc]

    def _with_ideas(self, painter: Painter, clip: Any, found: Any, tick: Tick) -> Any:
        """The same effects with texts that were tried, where a classifier can tell whether they work."""
        from ganlab.text.suggestions import suggested

        if not makes_faces(painter):
            return found
        return replace(found, suggestions=suggested(cast(Any, painter), clip, found, self.reader(), tick=tick))

    def suggestions(self, painter: Painter, clip: Any) -> list[str]:
        """Texts that work on this model; where none were tried, those that work on the cartoon faces that ship."""
        from ganlab.text.directions import named

        if not makes_faces(painter):
            return []
        for how in HOWS if clip is not None else ():
            effects = self._effects.find((_key(painter), named(clip), how)) if self.ready(painter, clip, how) else None
            if effects is not None and effects.suggestions:
                return list(effects.suggestions)
        return list(SUGGESTIONS)

    def text(self, painter: Painter, clip: Any, neutral: str, target: str, beta: float, how: str) -> Any:
        """The direction from one text to another; `InvalidInput` where the channels are not known yet."""
        from ganlab.latents.directions import s_direction
        from ganlab.text.directions import named, text_change, text_offsets

        effects = self._effects.find((_key(painter), named(clip), how)) if self.ready(painter, clip, how) else None
        if effects is None:
            raise InvalidInput("text", "needs to know the model's channels first: press “Learn this model”")
        check_words(clip, neutral=neutral, target=target)
        offsets = text_offsets(effects, text_change(clip, neutral, target), beta)
        return s_direction(target.strip()[:120], offsets, "text")

    def take_mapper(self, painter: Painter, data: bytes) -> tuple[str, Any]:
        """Holds the mapper in a file's bytes: (its name here, the mapper); `InvalidInput` where there is none."""
        from ganlab.text.mapper import read_mapper

        name = files.sha256(data)[:16]
        return name, self._mappers.get((_key(painter), name), lambda: read_mapper(data, cast(Any, painter)))

    def mapper(self, painter: Painter, name: Any) -> Any:
        """The mapper of this model with this name, or `InvalidInput`."""
        found = self._mappers.find((_key(painter), name)) if isinstance(name, str) else None
        if found is None:
            raise InvalidInput("mapper", "it is no longer on this server: train it again, or open its file")
        return found

    def identity(self, painter: Painter, clip: Any) -> Callable[[Any], Any]:
        """What tells whether two pictures show the same: the faces' classifier where it can, else the CLIP."""
        features = getattr(self.reader(), "features", None) if makes_faces(painter) else None
        return cast(Callable[[Any], Any], features or clip.embed_images)

    def eyes(self, painter: Painter) -> tuple[str, Callable[[Any], Any]] | None:
        """A network at hand that knows this model's pictures, as (its name, its feature maps); None: there is none.

        Of cartoon faces the classifier; of others Inception, where its weights are on disk, else a CLIP of photos.
        """
        if makes_faces(painter):
            here = copy.deepcopy(self.reader()).to(cast(Any, painter).engine.device)  # that one is shared
            return "the classifier of faces", here.maps
        if painter.facts()["channels"] != 3:
            return None
        from ganlab.features.inception import load_inception, weights_path

        if weights_path().is_file():
            return "Inception", load_inception(weights_path()).maps
        return ("CLIP", self.clip().maps) if not self.texts.missing() and self.texts.photos() else None

    def warning(self, painter: Painter) -> str:
        """What a visitor should know of texts on this model; "" for nothing."""
        if self.texts.missing() or makes_faces(painter) or self.texts.photos():
            return ""
        return FACES_ALONE


class Held:
    """The values that were used last, by key. From any thread."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[Any, Any](), threading.Lock()

    def find(self, key: Hashable) -> Any:
        """The value; None where there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value, made now if need be."""
        found = self.find(key)
        if found is None:
            found = make()
            with self._lock:
                self._values[key] = found
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
        return cast(T, found)

    def items(self) -> list[tuple[Any, Any]]:
        """All keys and values."""
        with self._lock:
            return list(self._values.items())


def makes_faces(painter: Painter) -> bool:
    """Whether a model's file says that it was trained on our cartoon faces, in colour."""
    about = getattr(getattr(painter, "G", None), "about", None)
    said = " ".join(str(about.get(name, "")) for name in ("title", "data")).lower() if isinstance(about, dict) else ""
    is_faces = "cartoon" in said and ("face" in said or "portrait" in said)
    return is_faces and painter.facts()["channels"] == 3


def _whole(problem: str) -> str:
    """As a sentence."""
    return problem and f"{problem[0].upper()}{problem[1:].rstrip('.')}."


def _key(painter: Painter) -> tuple[str, str]:
    facts = painter.facts()
    return facts["name"], facts["sha256"]


def check_words(clip: Any, **texts: str) -> None:
    """`InvalidInput`, named as the text is, for one of which a CLIP with a list of words knows none."""
    from ganlab.text.directions import LONGEST
    from ganlab.text.words import words_of

    vocabulary = getattr(clip, "vocabulary", None)
    for field, text in texts.items():
        if vocabulary is None or not text.strip() or len(text) > LONGEST:  # too long is said where it is read
            continue
        if any(word in vocabulary.numbers for word in words_of(text)):
            continue
        hint = " ".join(vocabulary.hint(text).split("?")[:1])
        more = f" ({hint.rstrip('.')})" if 0 < len(hint) < 120 else ""
        raise InvalidInput(field, f"holds no word that this model knows{more}; it reads English about portraits")
