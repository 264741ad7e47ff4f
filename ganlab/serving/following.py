"""A long work in a thread of its own, followed from outside: how far it is, what came of it, or one sentence."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ganlab.config import InvalidInput
from ganlab.files import Cancelled
from ganlab.serving.asking import sentence

TELL = 0.2  # seconds between two reports of progress
FAILED = "Something went wrong on the server; try it again."
CANCELLED = "Cancelled; nothing was measured."
Tick = Callable[[str, int, int], None]  # (what, done, of); raises `Cancelled` where the work is to end


class Progress(NamedTuple):
    """How far the work is."""

    what: str
    done: int
    of: int


class Result(NamedTuple):
    """What came of it; one of the two is None."""

    value: Any
    problem: str | None


class Following:
    """What runs for each visitor: a new work ends the one before, and so does leaving."""

    def __init__(self) -> None:
        self._ends: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def follow(self, visitor: str, work: Callable[[Tick], Any]) -> Iterator[Progress | Result]:
        """Reports of progress, then one `Result`. Closing the iterator ends the work."""
        end = threading.Event()
        with self._lock:
            before, self._ends[visitor] = self._ends.get(visitor), end
        if before is not None:
            before.set()
        told: queue.SimpleQueue[Progress | Result] = queue.SimpleQueue()
        threading.Thread(target=_run, args=(work, told, end), daemon=True).start()
        try:
            while True:
                yield (item := _newest(told))
                if isinstance(item, Result):
                    return
                end.wait(TELL)
        finally:
            end.set()
            with self._lock:
                if self._ends.get(visitor) is end:
                    del self._ends[visitor]

    def cancel(self, visitor: str) -> None:
        """Ends what runs for a visitor, if anything does."""
        with self._lock:
            end = self._ends.get(visitor)
        if end is not None:
            end.set()


def _newest(told: "queue.SimpleQueue[Progress | Result]") -> Progress | Result:
    """What was told last; waits where nothing was. The result is always the last of all."""
    item = told.get()
    while not isinstance(item, Result) and not told.empty():
        item = told.get()
    return item


def _run(work: Callable[[Tick], Any], told: "queue.SimpleQueue[Progress | Result]", end: threading.Event) -> None:
    def tick(what: str, done: int, of: int) -> None:
        if end.is_set():
            raise Cancelled
        told.put(Progress(what, done, of))

    try:
        told.put(Result(work(tick), None))
    except Cancelled:
        told.put(Result(None, CANCELLED))
    except InvalidInput as error:
        told.put(Result(None, sentence(error)))
    except Exception:
        logging.getLogger(__name__).exception("a measurement failed")
        told.put(Result(None, FAILED))
