"""One thread per model: a batch of pictures that visitors wait for, then a piece of other work, and so on in turn.

A `Worker` never waits for a visitor. What it makes goes to a callback, which must return at once.
"""

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ganlab.config import InvalidInput
from ganlab.recipe import Recipe
from ganlab.serving.models import Painter, Tick

MOST_BATCH = 8  # pictures of several visitors made together
MOST_WAITING = 256  # other pieces of work that may wait
MEMORY = 1 << 30  # bytes for the activations that visitors' last pictures leave behind
QUICK = 40.0  # ms that a picture may take while a slider is dragged
SMALLEST = 64  # pixels of a preview
T = TypeVar("T")
Queue: TypeAlias = "queue.Queue[tuple[Callable[[Painter], Any], Future[Any]]]"


class Busy(Exception):
    """Too much waits already; the text says so to the visitor."""


class Wanted(NamedTuple):
    """A picture that a visitor waits for."""

    read: Callable[[Painter], Recipe]  # gives the recipe, or raises `InvalidInput`
    preview: bool
    done: Callable[[Any], None]  # gets the picture, or the exception, or None when a newer wish replaced this one


class Worker:
    """The thread that paints with one model. `load` is asked for the model each time: it may have been unloaded."""

    def __init__(self, load: Callable[[], Painter], memory: Callable[[], Any]) -> None:
        self._load, self._new_memory = load, memory
        self._live: OrderedDict[str, Wanted] = OrderedDict()
        self._queue: Queue = queue.Queue()
        self._long: Queue = queue.Queue()  # works that call `between`, one at a time
        self._memories: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._signal = threading.Semaphore(0)
        self._milliseconds = 0.0  # of a full picture, lately
        self._over = False
        threading.Thread(target=self._run, daemon=True).start()

    def want(self, viewer: str, wanted: Wanted) -> None:
        """Asks for a picture; an earlier wish of this viewer that still waits is dropped."""
        with self._lock:
            old = self._live.pop(viewer, None)
            self._live[viewer] = wanted
        if old is not None:
            old.done(None)
        self._signal.release()

    def ask(self, work: Callable[[Painter], T], long: bool = False) -> "Future[T]":
        """Has the thread do `work(renderer)` when its turn comes. What is not short is `long`, and calls `between`."""
        to = self._long if long else self._queue
        if to.qsize() >= MOST_WAITING:
            raise Busy("The server has too much to do right now; try again in a moment.")
        future: Future[T] = Future()
        to.put((work, future))
        self._signal.release()
        return future

    def between(self, painter: Painter, tick: Tick) -> Tick:
        """`tick` for a long work: each call also makes the pictures that visitors wait for, and does one short work."""

        def both(done: int, of: int) -> bool:
            self._serve(painter)
            _do_next(self._queue, painter)
            return tick(done, of)

        return both

    def end(self) -> None:
        """Lets the thread end; what waits fails with a sentence."""
        self._over = True
        self._signal.release()

    def forget(self, viewer: str) -> None:
        """Gives back the memory of a viewer who looks at another model now."""
        with self._lock:
            self._memories.pop(viewer, None)

    def left(self, viewer: str) -> None:
        """Forgets a viewer."""
        with self._lock:
            self._live.pop(viewer, None)
            self._memories.pop(viewer, None)

    def _run(self) -> None:
        while True:
            self._signal.acquire()
            if self._over:
                self._fail(InvalidInput("model", "is no longer on this server; choose another one"))
                return
            if not self._live and self._queue.empty() and self._long.empty():
                continue  # done already, inside a long work
            try:
                painter = self._load()
            except Exception as error:
                self._fail(error)
                continue
            self._serve(painter)
            _do_next(self._queue, painter)
            _do_next(self._long, painter)
            del painter  # an idle thread must not keep a model alive

    def _fail(self, error: Exception) -> None:
        """The model cannot be loaded: tells everyone who waits."""
        with self._lock:
            waiting = list(self._live.values())
            self._live.clear()
        for wanted in waiting:
            wanted.done(error)
        for waits in (self._queue, self._long):
            while not waits.empty():
                waits.get_nowait()[1].set_exception(error)

    def _serve(self, painter: Painter) -> None:
        """One batch of the pictures that visitors wait for, those who wait longest first."""
        with self._lock:
            viewers = list(self._live)[:MOST_BATCH]
            batch = [(viewer, self._live.pop(viewer)) for viewer in viewers]
        for preview in (True, False):
            group = [item for item in batch if item[1].preview is preview]
            if group:
                self._paint(painter, group, preview)

    def _paint(self, painter: Painter, group: list[tuple[str, Wanted]], preview: bool) -> None:
        """One call for a group of wishes; if it fails, one call for each, so that only the wrong ones fail."""
        ready: list[tuple[str, Wanted, Recipe]] = []
        for viewer, wanted in group:
            try:
                ready.append((viewer, wanted, wanted.read(painter)))
            except Exception as error:
                wanted.done(error)
        if not ready:
            return
        recipes = [recipe for _, _, recipe in ready]
        memories = [self._memory(viewer, painter) for viewer, _, _ in ready]
        try:
            pictures = painter.pictures(
                recipes, memories, self._preview(painter) if preview else None, exact=not preview
            )
        except Exception as error:
            if len(ready) == 1:
                ready[0][1].done(error)
                return
            for viewer, wanted, _ in ready:
                self._paint(painter, [(viewer, wanted)], preview)
            return
        for (_, wanted, _), picture in zip(ready, pictures, strict=True):
            if not picture.preview and picture.start == 0:
                self._milliseconds = picture.ms
            wanted.done(picture)

    def _preview(self, painter: Painter) -> int | None:
        """Longest side of a picture that is quick enough while a slider moves; None: the full one is."""
        resolution = int(painter.facts()["resolution"])
        side, expected = resolution, self._milliseconds
        while expected > QUICK and side > SMALLEST:
            side, expected = side // 2, expected / 2
        return None if side == resolution else side

    def _memory(self, viewer: str, painter: Painter) -> Any:
        """What a viewer's last picture left behind; as many are kept as fit."""
        sizes = (int(layer["channels"]) * int(layer["resolution"]) ** 2 * 4 for layer in painter.facts()["layers"])
        most = max(1, MEMORY // max(sum(sizes), 1))
        with self._lock:
            memory = self._memories.pop(viewer, None) or self._new_memory()
            self._memories[viewer] = memory
            while len(self._memories) > most:
                self._memories.popitem(last=False)
        return memory


def _do_next(waits: Queue, painter: Painter) -> None:
    """The first work that waits, if any."""
    try:
        work, future = waits.get_nowait()
    except queue.Empty:
        return
    try:
        future.set_result(work(painter))
    except BaseException as error:
        future.set_exception(error)


def is_user_error(error: BaseException) -> bool:
    """Whether the sentence of an error is meant for the visitor."""
    return isinstance(error, InvalidInput | Busy)
