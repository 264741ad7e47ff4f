"""What the studio's page and its answers are made of: viewers, and the parts of a message, checked."""

import functools
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeGuard

from ganlab.config import Config, InvalidInput, from_link, to_link
from ganlab.film import Film
from ganlab.recipe import Recipe
from ganlab.serving.edits import Editing
from ganlab.serving.models import FOREIGN, SAFE, Catalogue, Painter
from ganlab.serving.painting import Busy, Worker, is_user_error

LONGEST_LINK = 32_000  # characters of a link that servers and browsers on the way still take
BROKEN = "Something went wrong on the server; your picture is as it was."
FILES = (*SAFE, *FOREIGN, ".npy", ".npz", ".png")
SUBJECTS = {
    "picture": "This picture",
    "link": "This link",
    "file": "This file",
    "model": "The model",
    "film": "The film",
    "text": "Text",
    "target": "The target text",
    "neutral": "The neutral text",
    "beta": "Beta",
}
Message = dict[str, Any]


class Viewer:
    """One browser tab. `tell` must return at once and may be called from any thread."""

    def __init__(self, tell: Callable[[str | bytes], None]) -> None:
        self.id = secrets.token_hex(8)
        self.model = ""  # the one that was opened last
        self.model_shown = ""  # the one that painted last, and remembers this viewer
        self.jobs: dict[Any, threading.Event] = {}  # id of the message -> set when it is to end
        self.waiting: dict[Any, Future[None]] = {}  # those that can be taken back before they begin
        self._tell = tell

    def say(self, ask: Any, kind: str, **values: Any) -> None:
        """A JSON message about message number `ask`."""
        self._tell(json.dumps({"id": ask, "type": kind, **values}))

    def show(self, ask: Any, kind: str, body: bytes, **values: Any) -> None:
        """A binary message about message number `ask`."""
        self._tell(framed({"id": ask, "type": kind, **values}, body))


class Workers:
    """The models of a server and the threads that paint with them."""

    def __init__(self, catalogue: Catalogue, memory: Callable[[], Any], editing: Editing | None = None) -> None:
        self.catalogue, self.editing = catalogue, editing or Editing()
        self._memory = memory
        self._workers: dict[str, Worker] = {}
        self._lock = threading.Lock()
        catalogue.on_drop = self.drop

    def drop(self, name: str) -> None:
        """Ends the thread of a model that is no longer there."""
        with self._lock:
            worker = self._workers.pop(name, None)
        if worker is not None:
            worker.end()

    def worker(self, name: str) -> Worker:
        """The thread that paints with this model."""
        with self._lock:  # the usual case, without a look at the disk: the server's loop asks for each picture
            if name in self._workers:
                return self._workers[name]
        name = self.catalogue.find(name).name
        with self._lock:
            if name not in self._workers:
                self._workers[name] = Worker(functools.partial(self.catalogue.load, name), self._memory)
            return self._workers[name]

    def workers(self) -> list[Worker]:
        """All that there are."""
        with self._lock:
            return list(self._workers.values())


Job = Callable[[Workers, Viewer, int, Message, threading.Event], None]


def model_of(message: Message, viewer: Viewer) -> str:
    """The name of the model that a message is about."""
    recipe: Any = message.get("recipe")
    recipes, film = message.get("recipes"), message.get("film")
    if isinstance(recipes, list) and recipes:
        recipe = recipes[0]
    if isinstance(film, dict) and isinstance(film.get("keyframes"), list) and film["keyframes"]:
        first = film["keyframes"][0]
        recipe = first.get("recipe") if isinstance(first, dict) else None
    name = recipe.get("model") if isinstance(recipe, dict) else None
    return name if isinstance(name, str) and name else viewer.model


def recipe_of(message: Message, painter: Painter) -> Recipe:
    """The picture that a message asks for: its recipe, or the moment `at` of its film."""
    if message.get("film") is not None:
        at = message.get("at")
        if not is_finite(at):
            raise InvalidInput("at", "must be a time in seconds")
        return checked(Film.from_dict(message["film"]).at(at), painter)
    return checked(Recipe.from_dict(message.get("recipe")), painter)


def recipes_of(message: Message, painter: Painter, most: int) -> list[Recipe]:
    """All pictures that a message asks for: `recipes`, or the `times` of its `film`."""
    items = message.get("times" if message.get("film") is not None else "recipes")
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        raise InvalidInput("recipes", f"must be a list of 1 to {most} pictures")
    if message.get("film") is None:
        return [checked(Recipe.from_dict(item), painter) for item in items]
    film = Film.from_dict(message["film"])
    if not all(is_finite(at) for at in items):
        raise InvalidInput("times", "must be seconds")
    return [checked(film.at(at), painter) for at in items]


def checked(recipe: Recipe, painter: Painter) -> Recipe:
    """The recipe, if this is the model that it was made with."""
    facts = painter.facts()
    if recipe.sha256 and recipe.sha256 != facts["sha256"]:
        raise InvalidInput(
            "model", f"“{facts['name']}” here has other weights than those of this picture; open the file it came from"
        )
    return recipe


def signed(recipe: Recipe, painter: Painter) -> Recipe:
    """The recipe with the name and checksum of its model."""
    facts = painter.facts()
    return replace(recipe, model=facts["name"], sha256=facts["sha256"])


def settings_of(message: Message) -> Config:
    """The recipe or film that a message carries as JSON or as a link."""
    link = message.get("link")
    if link is not None:
        if not isinstance(link, str):
            raise InvalidInput("link", "must be a text")
        return from_link(Film if message.get("kind") == "film" else Recipe, link)
    if message.get("film") is not None:
        film = Film.from_dict(message["film"])
        return film if message.get("at") is None else film.at(numbers(message, "at", 0, 6000, 0))
    return Recipe.from_dict(message.get("recipe"))


def link_to(config: Config) -> str:
    """The settings as text for a URL, if they fit into one."""
    text = to_link(config)
    if len(text) > LONGEST_LINK:
        raise InvalidInput("link", "would be too long (latents or edits are in it); save the PNG or the JSON instead")
    return text


def framed(header: Message, body: bytes) -> bytes:
    """A binary message."""
    head = json.dumps(header).encode()
    return len(head).to_bytes(4, "little") + head + body


def sentence(error: BaseException) -> str:
    """What a visitor is told of an error; what is our own fault goes to the log."""
    if not is_user_error(error):
        logging.getLogger(__name__).error("the studio failed", exc_info=error)
        return BROKEN
    if isinstance(error, Busy):
        return str(error)
    assert isinstance(error, InvalidInput)
    text = f"{SUBJECTS[error.field]} {error.problem}" if error.field in SUBJECTS else str(error)
    first = text[:1] if error.field.lower().endswith(FILES) else text[:1].upper()  # a file keeps its name
    return first + text[1:].rstrip(".") + "."


def is_finite(value: Any) -> TypeGuard[float]:
    """Whether this is a number; JSON as Python reads it may hold NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


def numbers(message: Message, name: str, low: float, high: float, default: float) -> float:
    """A number of a message, or `InvalidInput`."""
    value = message.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(name, f"must be a number from {low:g} to {high:g}")
    return value


def chunks(items: list[Recipe], size: int) -> Iterator[list[Recipe]]:
    """The items in lists of at most `size`."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
