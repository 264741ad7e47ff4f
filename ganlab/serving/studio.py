"""The image labs' server side: what a page asks, and what it is told. No transport here; that is the app's.

Messages are JSON objects `{"id": n, "do": "...", ...}`. An answer has the same id: JSON text, or bytes that begin with
the length of a JSON header (4 bytes, little-endian) and that header. The recipe lives in the page, not here.
"""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ganlab.config import InvalidInput
from ganlab.render import pictures
from ganlab.serving.asking import Job, Message, Viewer, Workers, model_of, recipe_of, sentence
from ganlab.serving.edits import Editing
from ganlab.serving.models import Catalogue
from ganlab.serving.painting import Wanted
from ganlab.serving.studio_edits import EDIT_JOBS
from ganlab.serving.studio_invert import INVERT_JOBS
from ganlab.serving.studio_jobs import JOBS as PICTURE_JOBS
from ganlab.serving.studio_quality import QUALITY_JOBS
from ganlab.serving.studio_text import TEXT_JOBS

MOST_JOBS = 6  # that one visitor may have under way
MOST_THREADS = 48  # jobs of all visitors; they mostly wait, what paints is one thread per model
MOST_LONG = 12  # works of minutes of all visitors, which wait for their model's thread
LONG = ("optimize", "mapper_train", "invert", "learn", "directions")
FILMS = ("film", "download")
MOST_FILMS = 3  # films and downloads of all visitors at a time: a GIF's frames are in memory together
JOBS = {**PICTURE_JOBS, **EDIT_JOBS, **TEXT_JOBS, **INVERT_JOBS, **QUALITY_JOBS}
UNKNOWN = "This message was not understood."


class Studio(Workers):
    """All models and all visitors of a server."""

    def __init__(self, catalogue: Catalogue, memory: Callable[[], Any], editing: Editing | None = None) -> None:
        super().__init__(catalogue, memory, editing)
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="studio")
        self._slow = ThreadPoolExecutor(MOST_LONG, thread_name_prefix="studio-long")
        self._films = ThreadPoolExecutor(MOST_FILMS, thread_name_prefix="studio-film")
        self._encoders = ThreadPoolExecutor(2, thread_name_prefix="studio-picture")  # nothing else is in their way

    def hear(self, viewer: Viewer, message: Any) -> None:
        """Takes a message. Returns at once; answers go to the viewer."""
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
            threads = self._films if what in FILMS else self._slow if what in LONG else self._threads
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
        for worker in self.workers():
            worker.left(viewer.id)

    def _job(self, job: Job, viewer: Viewer, ask: int, message: Message, event: threading.Event) -> None:
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


def _show(viewer: Viewer, ask: int, picture: Any, encode: Callable[[Any], bytes]) -> None:
    height, width = picture.image.shape[:2]
    start = {"start": picture.start, "start_name": picture.start_name, "ms": round(picture.ms, 1)}
    mime = "image/jpeg" if encode is pictures.jpeg else "image/webp"
    viewer.show(ask, "picture", encode(picture.image), mime=mime, w=width, h=height, preview=picture.preview, **start)
