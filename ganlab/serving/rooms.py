"""Rooms: a trainer process and the viewers who watch it. asyncio only; the routes are the app's."""

import asyncio
import contextlib
import json
import multiprocessing
import multiprocessing.forkserver
import queue
import secrets
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from ganlab.run import Run
from ganlab.run_images import ImageRun
from ganlab.serving import trainer
from ganlab.serving.limits import ImageLimits, Limits
from ganlab.serving.trainer import ADDRESS, EVERYONE

MOST_TEXTS = 400  # messages that may wait for a viewer before it is let go
MOST_MAIL = 64  # commands that may wait for a busy trainer
LONGEST = 256 * 1024  # bytes of a command
BUSY = "The trainer is busy with a long step; this change was not taken. Try again, or press Stop."
STOP_WITHIN = 1.0  # seconds before a trainer that does not end is killed

# A fork server has torch loaded once: a trainer starts in some 10 ms and shares its memory. Windows has none.
if sys.platform == "win32":
    CONTEXT = multiprocessing.get_context("spawn")
else:
    CONTEXT = multiprocessing.get_context("forkserver")
    CONTEXT.set_forkserver_preload(["ganlab.serving.trainer", "ganlab.serving.image_trainer"])


def warm_up() -> None:
    """Starts the fork server, which then loads torch by itself while the page is still being opened."""
    if sys.platform != "win32":
        multiprocessing.forkserver.ensure_running()


class Full(Exception):
    """No room, or no place in a room, is left; the text says so to the visitor."""


class Viewer:
    """What waits for one browser: messages in order, and of frames only the newest."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(ADDRESS // 2)
        self.texts: deque[str | bytes] = deque()
        self.frame: bytes | None = None
        self.ready = True  # it has painted what it got
        self.wake = asyncio.Event()
        self.gone = False
        self.seen = time.monotonic()

    def tell(self, item: str | bytes) -> None:
        """Queues a message; a viewer that never reads is let go."""
        self.texts.append(item)
        self.gone = self.gone or len(self.texts) > MOST_TEXTS
        self.wake.set()

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

    def __init__(self, run: Run | ImageRun, limits: Limits | ImageLimits, loop: asyncio.AbstractEventLoop) -> None:
        self.id, self.key = secrets.token_urlsafe(9), secrets.token_urlsafe(18)
        self.limits, self.loop = limits, loop
        self.viewers: set[Viewer] = set()
        self.run = run.to_dict()
        self.starting = asyncio.Lock()  # one start at a time
        self.closed = False  # for good: nobody is left
        self._wanted = False
        self._pipe: Connection | None = None
        self._mail: queue.Queue[bytes | None] = queue.Queue()
        self._process: multiprocessing.process.BaseProcess | None = None

    @property
    def pid(self) -> int | None:
        """The trainer's process id, None while it is stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the trainer. Takes some 10 ms; call it in a thread."""
        ours, theirs = CONTEXT.Pipe()
        process = self._process_for(theirs)
        process.start()
        theirs.close()
        mail: queue.Queue[bytes | None] = queue.Queue()
        self._pipe, self._process, self._mail, self._wanted = ours, process, mail, False
        threading.Thread(target=self._read, args=(ours,), daemon=True).start()
        threading.Thread(target=_write, args=(ours, mail), daemon=True).start()

    def _process_for(self, pipe: Connection) -> multiprocessing.process.BaseProcess:
        """The trainer that is to serve this room at the other end of a pipe; not started yet."""
        return CONTEXT.Process(target=trainer.main, args=(pipe, self.run, self.limits), daemon=True)

    def stop(self) -> None:
        """Ends the trainer; the room stays."""
        pipe, process, mail = self._pipe, self._process, self._mail
        self._pipe = self._process = None
        if pipe is None or process is None:
            return
        process.terminate()
        threading.Thread(target=_bury, args=(process, pipe, mail), daemon=True).start()

    def join(self, viewer: Viewer) -> None:
        """Lets a viewer in, who is told everything."""
        if len(self.viewers) >= self.limits.most_viewers:
            raise Full("This room is full; ask for another link, or open your own run")
        self.viewers.add(viewer)
        self.greet(viewer)

    def greet(self, viewer: Viewer) -> None:
        """Has the trainer tell one viewer everything, and show it a frame."""
        self.send({"do": "hello"}, viewer)
        self.want()

    def leave(self, viewer: Viewer) -> None:
        """Lets a viewer go."""
        self.viewers.discard(viewer)

    def send(self, command: dict[str, Any], viewer: Viewer | None = None) -> None:
        """Hands a command to the trainer; what it answers to this command alone goes to `viewer`. Never waits."""
        if self._pipe is None:
            return
        # a greeting or a wanted frame is never dropped; of those only as many wait as there are viewers
        if viewer and command.get("do") != "hello" and self._mail.qsize() >= MOST_MAIL:
            viewer.tell(json.dumps({"type": "error", "text": BUSY}))
            return
        self._mail.put(json.dumps({**command, "to": viewer.id if viewer else EVERYONE}).encode())

    def want(self) -> None:
        """Asks for a frame, if some viewer is ready and none is asked for yet."""
        if not self._wanted and any(v.ready and v.frame is None for v in self.viewers):
            self._wanted = True
            self.send({"do": "want"})

    def tell(self, message: dict[str, Any]) -> None:
        """A message from the server itself to all viewers."""
        for viewer in list(self.viewers):
            viewer.tell(json.dumps(message))

    def _read(self, pipe: Connection) -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop has ended
            with contextlib.suppress(EOFError, OSError):  # the trainer has
                while True:
                    self.loop.call_soon_threadsafe(self._deliver, pipe.recv_bytes())
            self.loop.call_soon_threadsafe(self._ended, pipe)

    def _deliver(self, data: bytes) -> None:
        kind, to, body = data[:1], data[1 : 1 + ADDRESS].decode(), data[1 + ADDRESS :]
        if kind == b"F":
            self._wanted = False
            for viewer in self.viewers:
                viewer.frame = body
                viewer.wake.set()
            self.want()
            return
        text = body.decode() if kind == b"J" else body
        if kind == b"J" and b'"type":"state"' in body[:20]:
            self.run = json.loads(body)["run"]
        for viewer in list(self.viewers):
            if to in (EVERYONE, viewer.id):
                viewer.tell(text)

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
            await self.restart(room)
        except BaseException:
            del self.by_id[room.id]
            raise
        return room

    async def restart(self, room: Room) -> None:
        """Starts a stopped room's trainer, at step 0 of its last run; nothing for one that runs."""
        async with room.starting:
            if room.pid is not None or room.closed:
                return
            await asyncio.to_thread(room.start)
            if room.closed:  # everyone left meanwhile
                room.stop()
            for viewer in list(room.viewers):
                room.greet(viewer)

    def left(self, room: Room, viewer: Viewer) -> None:
        """After a viewer has gone: an empty room is closed when its grace has passed."""
        room.leave(viewer)
        if not room.viewers:
            room.loop.call_later(self.limits.grace, self._close_if_empty, room)

    def _close_if_empty(self, room: Room) -> None:
        if not room.viewers:
            room.closed = True
            self.by_id.pop(room.id, None)
            room.stop()


def _write(pipe: Connection, mail: "queue.Queue[bytes | None]") -> None:
    """Sends a room's commands: the pipe may be full while the trainer is busy, and the server must not wait for it."""
    with contextlib.suppress(OSError):  # the trainer has ended
        while (command := mail.get()) is not None:
            pipe.send_bytes(command)


def _bury(process: multiprocessing.process.BaseProcess, pipe: Connection, mail: "queue.Queue[bytes | None]") -> None:
    """Waits for a trainer's end, kills it if it takes too long."""
    process.join(STOP_WITHIN)
    if process.is_alive():
        process.kill()
        process.join()
    mail.put(None)
    pipe.close()
