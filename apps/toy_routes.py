"""The 2D lab's own routes beside Gradio's, on the same port."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from apps.origin import FOREIGN, foreign, read_body
from apps.room_routes import RoomServer, hello
from ganlab.config import InvalidInput
from ganlab.data.uploads import MOST_BYTES, read_picture, read_points
from ganlab.presets import EXPERIMENTS
from ganlab.serving.limits import Limits, from_environment
from ganlab.serving.rooms import Full, Room, Rooms, Viewer

STOPPED = "The trainer is stopped and the server free. Press Play to start the run again from its first step."
READERS = {"points": read_points, "picture": read_picture}


class ToyServer(RoomServer):
    """Rooms behind HTTP. One object for a server; `routes` go to `launch(app_kwargs={"routes": ...})`."""

    lab = "toy"

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__()
        self.rooms = Rooms(limits or from_environment())

    def routes(self) -> list[BaseRoute]:
        """The lab's routes."""
        return [*super().routes(), Route("/ganlab/toy/upload", self.upload, methods=["POST"])]

    async def upload(self, request: Request) -> Response:
        """A file of points or a picture in; the data setting that holds it, or one sentence, out."""
        kind = request.query_params.get("kind", "")
        if foreign(request.headers):
            return JSONResponse({"error": FOREIGN}, 403)
        if kind not in READERS:
            return JSONResponse({"error": "Send points or a picture."}, 400)
        body = await read_body(request, MOST_BYTES)
        if body is None:
            return JSONResponse({"error": f"This file is larger than {MOST_BYTES >> 20} MB; use a smaller one."}, 413)
        try:
            data = await asyncio.to_thread(_read_upload, kind, body)
        except InvalidInput as error:
            return JSONResponse({"error": _sentence(error)})
        return JSONResponse({"data": data})

    async def _enter(self, query: dict[str, str], viewer: Viewer) -> tuple[Room, bool]:
        """(room, whether this viewer may command)."""
        room, fresh = self.rooms.by_id.get(query.get("room", "")), False
        key = query.get("key", "").encode()
        if room is None and query.get("room") and not query.get("key"):
            raise Full("The run you want to watch has ended; ask for a new link")
        if room is None:
            room, fresh = await self.rooms.open(next(iter(EXPERIMENTS.values())).run), True
        owner = fresh or secrets.compare_digest(key, room.key.encode())
        viewer.tell(hello(room, owner, fresh))
        room.join(viewer)
        return room, owner

    async def _obey(self, room: Room, viewer: Viewer, command: dict[str, Any]) -> None:
        if command.get("do") == "stop":
            room.stop()
            room.tell({"type": "stopped", "text": STOPPED})
        else:
            await self.rooms.restart(room)
            room.send(command, viewer)

    def _left(self, room: Room, viewer: Viewer) -> None:
        self.rooms.left(room, viewer)


def _read_upload(kind: str, body: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(body)
        return READERS[kind](path).to_dict()


def _sentence(error: InvalidInput) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + "."
