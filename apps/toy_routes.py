"""The 2D lab's own routes beside Gradio's, on the same port: a WebSocket, and plain requests where it is blocked."""

import asyncio
import contextlib
import json
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from apps.origin import FOREIGN, REFUSED, foreign, read_body
from ganlab.config import InvalidInput
from ganlab.data.uploads import MOST_BYTES, read_picture, read_points
from ganlab.presets import EXPERIMENTS
from ganlab.serving.limits import Limits, from_environment
from ganlab.serving.rooms import LONGEST, Full, Room, Rooms, Viewer

PATIENCE = 1.5  # seconds without a poll after which a polling viewer counts as gone
HOLD = 1.0  # seconds that a poll waits for something to send
STOPPED = "The trainer is stopped and the server free. Press Play to start the run again from its first step."
READERS = {"points": read_points, "picture": read_picture}


class ToyServer:
    """Rooms behind HTTP. One object for a server; `routes` go to `launch(app_kwargs={"routes": ...})`."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.rooms = Rooms(limits or from_environment())
        self._polling: dict[str, tuple[Room, Viewer, bool]] = {}
        self._expiry: dict[str, asyncio.Task[None]] = {}

    def routes(self) -> list[BaseRoute]:
        """The lab's routes."""
        return [
            WebSocketRoute("/ganlab/toy/socket", self.socket),
            Route("/ganlab/toy/poll", self.poll),
            Route("/ganlab/toy/send", self.send, methods=["POST"]),
            Route("/ganlab/toy/upload", self.upload, methods=["POST"]),
        ]

    async def socket(self, socket: WebSocket) -> None:
        """A viewer by WebSocket: commands in, messages and frames out."""
        if foreign(socket.headers):
            await socket.close(REFUSED)
            return
        await socket.accept()
        viewer = Viewer()
        try:
            room, owner = await self._enter(dict(socket.query_params), viewer)
        except Full as full:
            await socket.send_text(_message("refused", str(full) + "."))
            await socket.close(REFUSED)
            return
        sender = asyncio.create_task(_push(socket, viewer))
        try:
            while not viewer.gone:
                await self._command(room, viewer, owner, await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass  # the tab was closed, or sent bytes
        finally:
            sender.cancel()
            self.rooms.left(room, viewer)

    async def poll(self, request: Request) -> Response:
        """What has gathered for a viewer without WebSocket; its first poll opens or enters a room."""
        name = request.query_params.get("viewer", "")
        if foreign(request.headers):
            return PlainTextResponse(FOREIGN, 403)
        if name not in self._polling:
            viewer = Viewer()
            try:
                room, owner = await self._enter(dict(request.query_params), viewer)
            except Full as full:
                return PlainTextResponse(str(full), 503)
            name = secrets.token_urlsafe(12)
            self._polling[name] = room, viewer, owner
            self._expiry[name] = asyncio.create_task(self._expire(name))
        room, viewer, _ = self._polling[name]
        viewer.seen, viewer.ready = time.monotonic(), True
        room.want()
        if not viewer.texts and viewer.frame is None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(viewer.wake.wait(), HOLD)
        viewer.seen = time.monotonic()
        body = b"".join(_framed(item) for item in viewer.take())
        return Response(
            body, media_type="application/octet-stream", headers={"x-viewer": name, "cache-control": "no-store"}
        )

    async def send(self, request: Request) -> Response:
        """A command of a polling viewer."""
        entry = self._polling.get(request.query_params.get("viewer", ""))
        if foreign(request.headers):
            return PlainTextResponse(FOREIGN, 403)
        if entry is None:
            return PlainTextResponse("unknown viewer", 404)
        body = await read_body(request, LONGEST)
        if body is None:
            return PlainTextResponse("too long", 413)
        await self._command(*entry[:2], entry[2], body.decode("utf-8", "replace"))
        return Response(status_code=204)

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
        viewer.tell(_hello(room, owner, fresh))
        room.join(viewer)
        return room, owner

    async def _command(self, room: Room, viewer: Viewer, owner: bool, text: str) -> None:
        if text == '{"do":"ack"}':
            viewer.ready = True
            viewer.wake.set()
            room.want()
            return
        try:
            command = json.loads(text) if len(text) <= LONGEST else None
        except (ValueError, RecursionError):
            command = None
        if not isinstance(command, dict) or not owner or command.get("do") in ("hello", "want"):
            viewer.tell(_message("error", "This message was not understood." if owner else "You are watching."))
        elif command.get("do") == "stop":
            room.stop()
            room.tell({"type": "stopped", "text": STOPPED})
        else:
            await self.rooms.restart(room)
            room.send(command, viewer)

    async def _expire(self, name: str) -> None:
        """Lets a polling viewer go when it polls no more."""
        room, viewer, _ = self._polling[name]
        while time.monotonic() - viewer.seen < PATIENCE + HOLD and not viewer.gone:
            await asyncio.sleep(0.25)
        del self._polling[name], self._expiry[name]
        self.rooms.left(room, viewer)


async def _push(socket: WebSocket, viewer: Viewer) -> None:
    """Sends a viewer what waits for it, as it comes."""
    while not viewer.gone:
        await viewer.wake.wait()
        for item in viewer.take():
            if isinstance(item, str):
                await socket.send_text(item)
            else:
                await socket.send_bytes(item)
    await socket.close()


def _read_upload(kind: str, body: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(body)
        return READERS[kind](path).to_dict()


def _hello(room: Room, owner: bool, fresh: bool) -> str:
    return json.dumps({"type": "hello", "room": room.id, "key": room.key if owner else None, "fresh": fresh})


def _message(kind: str, text: str) -> str:
    return json.dumps({"type": kind, "text": text})


def _framed(item: str | bytes) -> bytes:
    """One item of a poll's answer: kind, 3 bytes of padding, length, content."""
    kind, body = (b"J", item.encode()) if isinstance(item, str) else (b"B", item)
    return kind + b"\0\0\0" + len(body).to_bytes(4, "little") + body


def _sentence(error: InvalidInput) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + "."
