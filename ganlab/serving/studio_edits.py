"""What the editing lab's page asks for: directions of a model, and texts as directions."""

import threading
from typing import Any, cast

from ganlab.config import InvalidInput
from ganlab.recipe import MOST_LAYERS, Edit, Recipe
from ganlab.serving.asking import Job, Message, Viewer, Workers, model_of, numbers
from ganlab.serving.models import Painter, Tick
from ganlab.text import HOWS

ANY = "any"  # channels that were learnt in whichever way
Event = threading.Event


def _editing(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """What can be done with the model at hand, and what is there already."""
    editing = studio.editing
    clip = None if editing.texts.missing() else editing.clip()  # here: the model's thread is not to wait for it

    def work(painter: Painter) -> dict[str, Any]:
        return {
            "offers": editing.offers(painter),
            "ready": [how for how in HOWS if clip is not None and editing.ready(painter, clip, how)],
            "directions": [one.to_dict(full=True) for one in editing.held(painter)],
            "suggestions": editing.suggestions(painter, clip),
            "warning": editing.warning(painter),
        }

    viewer.say(ask, "editing", **studio.worker(model_of(message, viewer)).ask(work).result())


def _directions(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    worker = studio.worker(model_of(message, viewer))
    kind, layers = message.get("kind"), layers_in(message)

    def work(painter: Painter) -> list[Any]:
        tick = worker.between(painter, _tick(viewer, ask, end))
        return studio.editing.directions(painter, kind if isinstance(kind, str) else "", layers, tick)

    found = worker.ask(work, long=True).result()
    viewer.say(ask, "directions", directions=[one.to_dict(full=True) for one in found])


def _directions_open(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """The directions in a visitor's file, if they are this model's."""
    from ganlab.latents.directions import Directions

    text = message.get("text")
    try:
        found = Directions.from_json(text if isinstance(text, str) else "")
    except InvalidInput:
        raise InvalidInput("file", "is none of directions that this page has saved") from None

    def work(painter: Painter) -> None:
        facts = painter.facts()
        if found.sha256 and found.sha256 != facts["sha256"]:
            raise InvalidInput("file", f"holds directions of another model ({found.model[:60] or 'without a name'})")
        for one in found.directions:
            try:
                edit = Edit(one.name, one.space, one.vector, 1.0, one.layers)
                cast(Any, painter).lower(Recipe(facts["name"], edits=(edit,)))
            except InvalidInput as error:
                raise InvalidInput("file", f"holds “{one.name[:60]}”, whose direction {error.problem}") from None

    studio.worker(model_of(message, viewer)).ask(work).result()
    viewer.say(ask, "directions", directions=[one.to_dict(full=True) for one in found.directions])


def _learn(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """What each channel of the model's styles does, as CLIP sees it: once for each model."""
    worker, clip, how = studio.worker(model_of(message, viewer)), studio.editing.clip(), _how(message)

    def work(painter: Painter) -> None:
        studio.editing.learn(painter, clip, how, worker.between(painter, _tick(viewer, ask, end)))

    worker.ask(work, long=True).result()
    viewer.say(ask, "learnt")


def _text(studio: Workers, viewer: Viewer, ask: int, message: Message, end: Event) -> None:
    """Two texts as a direction, with a hint where a word of them is not known."""
    worker, clip = studio.worker(model_of(message, viewer)), studio.editing.clip()
    neutral, target, beta, (how, *_) = text_wish(message)
    found = worker.ask(lambda painter: studio.editing.text(painter, clip, neutral, target, beta, how)).result()
    viewer.say(ask, "text", **about_text(clip, neutral, target, found))


def text_wish(message: Message) -> tuple[str, str, float, tuple[str, ...]]:
    """(neutral text, target text, beta, ways in which channels may have been learnt, the first one first)."""
    neutral, target = (_words(message, name) for name in ("neutral", "target"))
    hows = HOWS if message.get("how") == ANY else (_how(message),)
    return neutral, target, numbers(message, "beta", 0, 1, 0.1), hows


def about_text(clip: Any, neutral: str, target: str, direction: Any) -> dict[str, Any]:
    """What a page shows of a direction that texts have given."""
    hint = clip.hint(f"{neutral} {target}") if hasattr(clip, "hint") else ""
    return {
        "direction": direction.to_dict(full=True),
        "hint": hint,
        "channels": int(direction.vector.partition(":")[0]),
    }


def _tick(viewer: Viewer, ask: int, end: Event) -> Tick:
    def tick(done: int, of: int) -> bool:
        viewer.say(ask, "progress", done=done, of=of)
        return not end.is_set()

    return tick


def layers_in(message: Message) -> tuple[int, ...] | None:
    """The rows of ws that a message names; None: all."""
    value = message.get("layers")
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MOST_LAYERS or not all(type(row) is int for row in value):
        raise InvalidInput("layers", "must be a list of whole numbers")
    return tuple(sorted(set(value)))


def _how(message: Message) -> str:
    how = message.get("how", HOWS[0])
    if how not in HOWS:
        raise InvalidInput("how", f"must be one of {', '.join(HOWS)}")
    return str(how)


def _words(message: Message, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise InvalidInput(name, "must be a text")
    return value


EDIT_JOBS: dict[str, Job] = {
    "editing": _editing,
    "directions": _directions,
    "directions_open": _directions_open,
    "learn": _learn,
    "text": _text,
}
