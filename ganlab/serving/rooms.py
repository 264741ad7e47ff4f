"""Rooms: a trainer process and the viewers who watch it. asyncio only; the routes are the app's."""

import asyncio
import contextlib
import json
import multiprocessing
import multiprocessing.forkserver
import secrets
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from ganlab.run import Run
from ganlab.serving import trainer
from ganlab.serving.limits import Limits

MOST_TEXTS = 400  # messages that may wait for a viewer before it is let go
LONGEST = 256 * 1024  # bytes of a command
STOP_WITHIN = 1.0  # seconds before a trainer that does not end is killed

# A fork server has torch loaded once: a trainer starts in some 10 ms and shares its memory. Windows has none.
if sys.platform == "win32":
    _context = multiprocessing.get_context("spawn")
else:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["ganlab.serving.trainer"])


def warm_up() -> None:
    """Starts the fork server, which then loads torch by itself while the page is still being opened."""
    if sys.platform != "win32":
        multiprocessing.forkserver.ensure_running()


class Full(Exception):
    """No room, or no place in a room, is left; the text says so to the visitor."""


class Viewer:
    """What waits for one browser: messages in order, and of frames only the newest."""

    def __init__(self) -> None:
        self.texts: deque[str | bytes] = deque()
        self.frame: bytes | None = None
        self.ready = True  # it has painted what it got
        self.wake = asyncio.Event()
        self.gone = False
        self.seen = time.monotonic()

    def take(self) -> list[str | bytes]:
        """All that may be sent now, messages before the frame."""
        self.wake.clear()
        out: list[str | bytes] = list(self.texts)
        self.texts.clear()
        if self.frame is not None and self.ready:
            out.append(self.frame)
            self.frame, self.ready = None, False
        return out


class Room:
    """One run, its trainer, its viewers. Who holds `key` may command; all others watch."""

    def __init__(self, run: Run, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.id, self.key = secrets.token_urlsafe(9), secrets.token_urlsafe(18)
        self.limits, self.loop = limits, loop
        self.viewers: set[Viewer] = set()
        self.run = run.to_dict()
        self._wanted = False
        self._pipe: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    @property
    def pid(self) -> int | None:
        """The trainer's process id, None while it is stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the trainer. Takes some 10 ms; call it in a thread."""
        ours, theirs = _context.Pipe()
        process = _context.Process(target=trainer.main, args=(theirs, self.run, self.limits), daemon=True)
        process.start()
        theirs.close()
        self._pipe, self._process, self._wanted = ours, process, False
        threading.Thread(target=self._read, args=(ours,), daemon=True).start()

    def stop(self) -> None:
        """Ends the trainer; the room stays."""
        pipe, process = self._pipe, self._process
        self._pipe = self._process = None
        if pipe is None or process is None:
            return
        process.terminate()
        threading.Thread(target=_bury, args=(process, pipe), daemon=True).start()

    def join(self, viewer: Viewer) -> None:
        """Lets a viewer in, who is told everything."""
        if len(self.viewers) >= self.limits.most_viewers:
            raise Full("This room is full; ask for another link, or open your own run")
        self.viewers.add(viewer)
        self.send({"do": "hello"})
        self.want()

    def leave(self, viewer: Viewer) -> None:
        """Lets a viewer go."""
        self.viewers.discard(viewer)

    def send(self, command: dict[str, Any]) -> None:
        """Hands a command to the trainer."""
        if self._pipe is not None:
            try:
                self._pipe.send_bytes(json.dumps(command).encode())
            except (OSError, ValueError):
                self._ended(self._pipe)

    def want(self) -> None:
        """Asks for a frame, if some viewer is ready and none is asked for yet."""
        if not self._wanted and any(v.ready and v.frame is None for v in self.viewers):
            self._wanted = True
            self.send({"do": "want"})

    def tell(self, message: dict[str, Any]) -> None:
        """A message from the server itself to all viewers."""
        self._deliver(b"J" + json.dumps(message).encode())

    def _read(self, pipe: Connection) -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop has ended
            with contextlib.suppress(EOFError, OSError):  # the trainer has
                while True:
                    self.loop.call_soon_threadsafe(self._deliver, pipe.recv_bytes())
            self.loop.call_soon_threadsafe(self._ended, pipe)

    def _deliver(self, data: bytes) -> None:
        kind, body = data[:1], data[1:]
        if kind == b"F":
            self._wanted = False
        text = body.decode() if kind == b"J" else body
        if kind == b"J" and '"type":"state"' in text[:20]:
            self.run = json.loads(text)["run"]
        for viewer in list(self.viewers):
            if kind == b"F":
                viewer.frame = body
            else:
                viewer.texts.append(text)
                viewer.gone = viewer.gone or len(viewer.texts) > MOST_TEXTS
            viewer.wake.set()
        self.want()

    def _ended(self, pipe: Connection) -> None:
        """The trainer has died by itself."""
        if self._pipe is pipe:
            self.stop()
            self.tell({"type": "stopped", "text": "The trainer has ended; press Play to start the run again."})


class Rooms:
    """All rooms of a server."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.by_id: dict[str, Room] = {}

    async def open(self, run: Run) -> Room:
        """A new room with a running trainer; `Full` when the server has no more."""
        if len(self.by_id) >= self.limits.most_rooms:
            raise Full(f"All {self.limits.most_rooms} places on this server are taken; try again in a minute")
        room = Room(run, self.limits, asyncio.get_running_loop())
        self.by_id[room.id] = room
        try:
            await asyncio.to_thread(room.start)
        except BaseException:
            del self.by_id[room.id]
            raise
        return room

    async def restart(self, room: Room) -> None:
        """Starts a stopped room's trainer again, at step 0 of its last run."""
        if room.pid is None:
            await asyncio.to_thread(room.start)
            room.send({"do": "hello"})
            room.want()

    def left(self, room: Room, viewer: Viewer) -> None:
        """After a viewer has gone: an empty room is closed when its grace has passed."""
        room.leave(viewer)
        if not room.viewers:
            room.loop.call_later(self.limits.grace, self._close_if_empty, room)

    def _close_if_empty(self, room: Room) -> None:
        if not room.viewers:
            self.by_id.pop(room.id, None)
            room.stop()


def _bury(process: multiprocessing.process.BaseProcess, pipe: Connection) -> None:
    """Waits for a trainer's end, kills it if it takes too long."""
    process.join(STOP_WITHIN)
    if process.is_alive():
        process.kill()
        process.join()
    pipe.close()
