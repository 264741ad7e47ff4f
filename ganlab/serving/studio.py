"""The image labs' server side: what a page asks, and what it is told. No transport here; that is the app's.

Messages are JSON objects `{"id": n, "do": "...", ...}`. An answer has the same id: JSON text, or bytes that begin with
the length of a JSON header (4 bytes, little-endian) and that header. The recipe lives in the page, not here.
"""

import functools
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeGuard

from ganlab.config import Config, InvalidInput, from_link, to_link
from ganlab.recipe import Film, Recipe
from ganlab.render import pictures
from ganlab.serving.models import FOREIGN, SAFE, Catalogue, Painter
from ganlab.serving.painting import Busy, Wanted, Worker, is_user_error

MOST_JOBS = 6  # that one visitor may have under way
MOST_THREADS = 48  # jobs of all visitors; they mostly wait, what paints is one thread per model
MOST_FILMS = 3  # films and downloads of all visitors at a time: a GIF's frames are in memory together
LONGEST_LINK = 32_000  # characters of a link that servers and browsers on the way still take
UNKNOWN = "This message was not understood."
BROKEN = "Something went wrong on the server; your picture is as it was."
FILES = (*SAFE, *FOREIGN, ".npy", ".npz", ".png")
SUBJECTS = {
    "picture": "This picture",
    "link": "This link",
    "file": "This file",
    "model": "The model",
    "film": "The film",
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


class Studio:
    """All models and all visitors of a server."""

    def __init__(self, catalogue: Catalogue, memory: Callable[[], Any]) -> None:
        self.catalogue = catalogue
        self._memory = memory
        self._workers: dict[str, Worker] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="studio")
        self._films = ThreadPoolExecutor(MOST_FILMS, thread_name_prefix="studio-film")
        self._encoders = ThreadPoolExecutor(2, thread_name_prefix="studio-picture")  # nothing else is in their way

    def hear(self, viewer: Viewer, message: Any) -> None:
        """Takes a message. Returns at once; answers go to the viewer."""
        from ganlab.serving.studio_jobs import JOBS

        ask = message.get("id") if isinstance(message, dict) else None
        what = message.get("do") if isinstance(message, dict) else None
        if not isinstance(ask, int) or not isinstance(what, str):
            viewer.say(None, "error", text=UNKNOWN)
        elif what == "cancel":
            self._cancel(viewer, message.get("what"))
        elif what == "render":
            self._render(viewer, ask, message)
        elif what not in JOBS:
            viewer.say(ask, "error", text=UNKNOWN)
        elif ask in viewer.jobs or len(viewer.jobs) >= MOST_JOBS:
            viewer.say(ask, "error", text="Several things are still being made for you; wait for them, or cancel one.")
        else:
            event = viewer.jobs[ask] = threading.Event()
            threads = self._films if what in ("film", "download") else self._threads
            future = viewer.waiting[ask] = threads.submit(self._job, JOBS[what], viewer, ask, message, event)
            future.add_done_callback(lambda _: viewer.waiting.pop(ask, None))  # also if it ended before it was noted

    def _cancel(self, viewer: Viewer, ask: Any) -> None:
        event = viewer.jobs.get(ask) if isinstance(ask, int) else None
        if event is None:
            return
        event.set()
        future = viewer.waiting.pop(ask, None)
        if future is not None and future.cancel():  # it had not begun, and will not tell
            viewer.jobs.pop(ask, None)
            viewer.say(ask, "done", cancelled=True)

    def left(self, viewer: Viewer) -> None:
        """Ends all that is being made for a viewer who has gone."""
        for ask in list(viewer.jobs):
            self._cancel(viewer, ask)
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.left(viewer.id)

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

    def _job(self, job: "Job", viewer: Viewer, ask: int, message: Message, event: threading.Event) -> None:
        try:
            job(self, viewer, ask, message, event)
        except Exception as error:
            if event.is_set():  # how a long work of the library ends when its tick says so
                viewer.say(ask, "done", cancelled=True)
            else:
                viewer.say(ask, "error", text=sentence(error))
        finally:
            viewer.jobs.pop(ask, None)

    def _render(self, viewer: Viewer, ask: int, message: Message) -> None:
        """The current picture: no thread of its own, the newest wish of each viewer wins."""
        preview = bool(message.get("preview"))

        def done(picture: Any) -> None:
            if picture is None:
                viewer.say(ask, "dropped")
            elif isinstance(picture, BaseException):
                viewer.say(ask, "error", text=sentence(picture))
            elif preview:
                _show(viewer, ask, picture, pictures.jpeg)
            else:  # some ms that the model's thread need not wait for
                self._encoders.submit(_show, viewer, ask, picture, pictures.webp)

        name = model_of(message, viewer)
        try:
            worker = self.worker(name)
        except InvalidInput as error:
            done(error)
            return
        if viewer.model_shown not in ("", name):
            self.worker(viewer.model_shown).forget(viewer.id)
        viewer.model_shown = name
        read = functools.partial(recipe_of, message)
        worker.want(viewer.id, Wanted(read, preview, done))


Job = Callable[[Studio, Viewer, int, Message, threading.Event], None]


def _show(viewer: Viewer, ask: int, picture: Any, encode: Callable[[Any], bytes]) -> None:
    height, width = picture.image.shape[:2]
    start = {"start": picture.start, "start_name": picture.start_name, "ms": round(picture.ms, 1)}
    mime = "image/jpeg" if encode is pictures.jpeg else "image/webp"
    viewer.show(ask, "picture", encode(picture.image), mime=mime, w=width, h=height, preview=picture.preview, **start)


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
        raise InvalidInput("link", "would be too long (uploaded latents are in it); save the PNG or the JSON instead")
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
