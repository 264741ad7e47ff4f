"""The trainings of a server: a line of those that wait, a few that run, and those that have ended but can go on."""

import asyncio
import contextlib
import functools
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from ganlab.config import InvalidInput, to_link
from ganlab.recipe import Recipe
from ganlab.run_images import ImageRun
from ganlab.serving import image_trainer
from ganlab.serving.image_choice import Uploaded, Uploads
from ganlab.serving.image_record import Message, Record
from ganlab.serving.limits import ImageLimits
from ganlab.serving.models import Catalogue
from ganlab.serving.rooms import CONTEXT, Full, Room, Viewer
from ganlab.serving.trainer import ADDRESS, EVERYONE

STOP_WITHIN = 30.0  # seconds for the last step and its saving
TEND = 1.0  # seconds between looks at the line and at those who left
WAITS = "Others train right now; yours is number {place} in line and starts by itself."
TURN = "Your turn is over, for others wait in line. All is saved: press Go on to wait for another one."
LEFT = "This training stopped because nobody was looking. All is saved: press Go on."
DIED = "The trainer has ended by itself, perhaps for want of memory. Go on from the last saved moment, or start anew."


class ImageRoom(Room):
    """One training: its record, and, while it runs, its process."""

    limits: ImageLimits

    def __init__(self, run: ImageRun, rooms: "ImageRooms", uploaded: Uploaded | None) -> None:
        super().__init__(run, rooms.limits, asyncio.get_running_loop())
        self.rooms, self.uploaded = rooms, uploaded
        self._folder = tempfile.TemporaryDirectory(prefix="ganlab-training-", ignore_cleanup_errors=True)
        self.record = Record(run, Path(self._folder.name), rooms.limits.room_bytes)
        self.record.left = rooms.limits.most_seconds
        self.status, self.text = "waiting", ""  # waiting, opening, training, paused, ended, failed
        self.saved: str | None = None  # the folder that the next process begins from
        self.farewell = ""  # why it was told to stop
        self.start_task: asyncio.Task[None] | None = None  # held, or it may vanish
        self.begun = 0.0
        self.seen = time.monotonic()  # when the last viewer was here
        self.models: list[str] = []  # that were opened in the image labs
        if uploaded:
            uploaded.trainings += 1

    @property
    def running(self) -> bool:
        """Whether it takes one of the server's places."""
        return self.pid is not None

    def _process_for(self, pipe: Connection) -> multiprocessing.process.BaseProcess:
        order = {
            "run": self.record.run.to_dict(),
            "uploads": [str(path) for path in self.uploaded.paths] if self.uploaded else None,
            "folder": str(self.record.folder),
            "branch": self.record.live,
            "saved": self.saved,
            "seconds": self.record.left,
        }
        return CONTEXT.Process(target=image_trainer.main, args=(pipe, order), daemon=True)

    def greet(self, viewer: Viewer) -> None:
        """Tells a viewer everything; the trainer need not be asked."""
        viewer.tell(json.dumps(self.about()))
        for item in self.record.everything():
            viewer.tell(item)

    def want(self) -> None:
        """Frames come by themselves."""

    def about(self) -> Message:
        """The state of the room."""
        link = to_link(self.record.run)
        return {"type": "room", "status": self.status, "text": self.text, "link": link, "left": self.record.left}

    def turn_to(self, status: str, text: str = "") -> None:
        """Another status, which everyone is told."""
        if (status, text) != (self.status, self.text):
            self.status, self.text = status, text
            self.tell(self.about())

    def end(self, status: str, text: str) -> None:
        """No process any more; what is saved stays."""
        self.stop()
        newest = self.record.nearest_saved(self.record.live, 1 << 60)
        self.saved = str(self.record.saved[newest]) if newest else None
        self.turn_to(status, text)
        self.rooms.look()

    def _deliver(self, data: bytes) -> None:
        letter, to, body = data[:1], data[1 : 1 + ADDRESS].decode(), data[1 + ADDRESS :]
        if letter == b"J":
            self._heard(body.decode(), to)
            return
        self.record.see(letter, body)
        for viewer in list(self.viewers):
            if letter == b"F":
                viewer.frame = body
                viewer.wake.set()
            elif to in (EVERYONE, viewer.id):
                viewer.tell(body)

    def _heard(self, text: str, to: str) -> None:
        message = self.record.hear(text)
        kind = message["type"]
        for viewer in list(self.viewers):
            if to in (EVERYONE, viewer.id):
                viewer.tell(text)
        if kind == "saved":
            self.tell(self.record.branch_list())
            if message["then"]:
                self.rooms.offer(self, message["then"], (message["branch"], message["step"]))
        elif kind == "opening":
            self.turn_to("opening")
        elif kind == "state":
            self.turn_to("training" if message["playing"] else "paused")
            self.tell(self.about())
        elif kind == "end":
            self.end("ended", message["text"] or self.farewell)
        elif kind == "failed":
            self.end("failed", message["text"])

    def _ended(self, pipe: Connection) -> None:
        if self._pipe is pipe:
            self.end("failed", DIED)

    def close(self) -> None:
        """For good: files and models go too."""
        self.closed = True
        self.stop()
        self._folder.cleanup()
        if self.uploaded:
            self.uploaded.trainings -= 1
            self.uploaded.used = time.monotonic()  # the visitor may train on them again
        for name in self.models:
            self.rooms.catalogue.drop(name)


class ImageRooms:
    """All trainings of a server; used from the server's loop only."""

    def __init__(self, limits: ImageLimits, catalogue: Catalogue) -> None:
        self.limits, self.catalogue = limits, catalogue
        self.by_id: dict[str, ImageRoom] = {}
        self.line: list[ImageRoom] = []
        self.uploads = Uploads(limits.upload_bytes)
        self._tending: asyncio.Task[None] | None = None

    def open(self, run: ImageRun, uploaded: Uploaded | None) -> ImageRoom:
        """A training that starts when its turn comes; `Full` where too many are remembered."""
        if len(self.by_id) >= self.limits.most_rooms and not self._forget_one():
            raise Full(f"This server remembers {self.limits.most_rooms} trainings at most; try again in a few minutes")
        room = ImageRoom(run, self, uploaded)
        self.by_id[room.id] = room
        self.enqueue(room)
        return room

    def enqueue(self, room: ImageRoom) -> None:
        """Has a room without a process wait for its turn."""
        if room.running or room in self.line or room.closed:
            return
        if room.record.left is not None and room.record.left <= 0:
            room.turn_to("ended", "The time that one training may take on this server is over.")
            room.tell(room.about())
            return
        room.farewell = ""
        self.line.append(room)
        room.turn_to("waiting")
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend())
        self.look()

    def look(self) -> None:
        """Starts those whose turn it is; tells the others their place."""
        running = sum(room.running or room.status == "opening" for room in self.by_id.values())
        while self.line and running < self.limits.most_running:
            room, running = self.line.pop(0), running + 1
            room.turn_to("opening")
            room.begun = time.monotonic()
            room.start_task = asyncio.create_task(self._start(room))
        for place, room in enumerate(self.line):
            room.turn_to("waiting", WAITS.format(place=place + 1))

    async def _start(self, room: ImageRoom) -> None:
        async with room.starting:
            if room.running or room.closed:
                return
            try:
                await asyncio.to_thread(room.start)
            except OSError:
                room.end("failed", "The server could not start another process; try again in a moment.")
            if room.closed:
                room.stop()

    def obey(self, room: ImageRoom, viewer: Viewer, command: Message) -> None:
        """What the owner of a training asks for."""
        do = command.get("do")
        if do == "go":
            self.enqueue(room)
        elif do == "stop":
            self._stop(room, viewer)
        elif do == "fork":
            self._fork(room, viewer, command)
        elif do == "explore":
            self._explore(room, viewer, command)
        elif not room.running:
            viewer.tell(_error("The trainer is not running; press Go on first."))
        elif do == "set" and command.get("path") == "d_steps" and command.get("value") not in range(1, 6):
            viewer.tell(_error("One to five steps of D for each of G are possible here."))
        else:
            room.send(command, viewer)

    def left(self, room: ImageRoom, viewer: Viewer) -> None:
        """After a viewer has gone."""
        room.leave(viewer)
        room.seen = time.monotonic()

    def _stop(self, room: ImageRoom, viewer: Viewer) -> None:
        if room in self.line:
            self.line.remove(room)
            room.turn_to("ended", "Taken out of the line.")
            self.look()
        elif room.status == "opening":
            room.end("ended", "Stopped while the data was read.")
        elif room.running:
            room.send({"do": "stop"}, viewer)

    def _fork(self, room: ImageRoom, viewer: Viewer, command: Message) -> None:
        found = room.record.nearest_saved(*_place(command, room.record))
        if found is None:
            viewer.tell(_error("There is no saved moment before this one yet; they come every half minute."))
            return
        order = room.record.fork(found)
        room.saved = order["saved"]
        room.tell(room.record.branch_list())
        if room.running:
            room.send(order, viewer)
        else:
            self.enqueue(room)

    def _explore(self, room: ImageRoom, viewer: Viewer, command: Message) -> None:
        then = {"what": "download" if command.get("what") == "download" else "explore", "to": viewer.id}
        if command.get("step") is None and room.running:
            room.send({"do": "save", "then": then}, viewer)
            return
        found = room.record.nearest_saved(*_place(command, room.record))
        if found is None:
            viewer.tell(_error("Nothing is saved yet; wait for the first pictures."))
        else:
            self.offer(room, then, found)

    def offer(self, room: ImageRoom, then: Message, saved: tuple[int, int]) -> None:
        """Hands a saved generator to the one who asked: for a download, or as a model of the image labs."""
        viewer = next((viewer for viewer in room.viewers if viewer.id == then["to"]), None)
        folder = room.record.saved.get(saved)
        path = next(iter(folder.glob("generator-*.safetensors")), None) if folder else None
        if viewer is None or path is None:
            return
        branch, step = saved
        if then["what"] == "download":
            viewer.tell(json.dumps({"type": "download", "branch": branch, "step": step}))
            return
        name = f"{room.record.run.gan.name}, step {step:,}"
        task = asyncio.create_task(asyncio.to_thread(self.catalogue.adopt, path, name))
        task.add_done_callback(functools.partial(self._adopted, room, viewer))

    def _adopted(self, room: ImageRoom, viewer: Viewer, task: "asyncio.Task[str]") -> None:
        error = task.exception()
        if error is not None:
            text = str(error) if isinstance(error, InvalidInput) else "the generator could not be opened"
            viewer.tell(_error(text[:1].upper() + text[1:] + "."))
            return
        name = task.result()
        room.models.append(name)
        if room.closed:
            self.catalogue.drop(name)
        viewer.tell(json.dumps({"type": "explore", "model": name, "link": to_link(Recipe(model=name))}))

    async def _tend(self) -> None:
        """Ends turns and what nobody looks at; lives while there are rooms."""
        while self.by_id:
            await asyncio.sleep(TEND)
            now = time.monotonic()
            for room in list(self.by_id.values()):
                with contextlib.suppress(OSError):
                    self._tend_one(room, now)
            self.uploads.tidy()

    def _tend_one(self, room: ImageRoom, now: float) -> None:
        alone = 0.0 if room.viewers else now - room.seen
        if room.running and self.line and now - room.begun > self.limits.turn:
            self._retire(room, TURN)
        elif room.running and alone > self.limits.grace:
            self._retire(room, LEFT)
        elif not room.running and alone > (self.limits.kept if room not in self.line else self.limits.grace):
            self._forget(room)

    def _retire(self, room: ImageRoom, text: str) -> None:
        """Ends a training with its last step saved; by force if it does not hear."""
        if not room.farewell:
            room.farewell = text
            room.send({"do": "stop"})
            room.loop.call_later(
                STOP_WITHIN, lambda: room.end("ended", text) if room.farewell and room.running else None
            )

    def _forget_one(self) -> bool:
        """Makes room: the training that ended longest ago and that nobody looks at."""
        idle = [room for room in self.by_id.values() if not (room.running or room.viewers or room in self.line)]
        if idle:
            self._forget(min(idle, key=lambda room: room.seen))
        return bool(idle)

    def _forget(self, room: ImageRoom) -> None:
        self.by_id.pop(room.id, None)
        if room in self.line:
            self.line.remove(room)
        room.close()


def _place(command: Message, record: Record) -> tuple[int, int]:
    """(branch, step) that a command is about; the newest step where it names none."""
    branch, step = command.get("branch"), command.get("step")
    return (branch if isinstance(branch, int) else record.live), (step if isinstance(step, int) else 1 << 60)


def _error(text: str) -> str:
    return json.dumps({"type": "error", "text": text})
