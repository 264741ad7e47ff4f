"""How a browser reaches a room of a live lab: a WebSocket, and plain requests where it is blocked."""

import asyncio
import contextlib
import json
import secrets
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from apps.origin import FOREIGN, REFUSED, foreign, read_body
from ganlab.serving.rooms import LONGEST, Full, Room, Viewer

PATIENCE = 1.5  # seconds without a poll after which a polling viewer counts as gone
HOLD = 1.0  # seconds that a poll waits for something to send


class RoomServer:
    """Rooms behind HTTP; a lab says how they are entered and what is done in them."""

    lab = ""  # the part of its addresses that tells labs apart

    def __init__(self) -> None:
        self._polling: dict[str, tuple[Room, Viewer, bool]] = {}
        self._expiry: dict[str, asyncio.Task[None]] = {}

    def routes(self) -> list[BaseRoute]:
        """The routes of every live lab."""
        return [
            WebSocketRoute(f"/ganlab/{self.lab}/socket", self.socket),
            Route(f"/ganlab/{self.lab}/poll", self.poll),
            Route(f"/ganlab/{self.lab}/send", self.send, methods=["POST"]),
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
            await socket.send_text(message("refused", str(full) + "."))
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
            self._left(room, viewer)

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

    async def _enter(self, query: dict[str, str], viewer: Viewer) -> tuple[Room, bool]:
        """(room, whether this viewer may command), after the viewer has joined; `Full` where it cannot."""
        raise NotImplementedError

    async def _obey(self, room: Room, viewer: Viewer, command: dict[str, Any]) -> None:
        """Does what the owner of a room asks for."""
        raise NotImplementedError

    def _left(self, room: Room, viewer: Viewer) -> None:
        """A viewer has gone."""
        raise NotImplementedError

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
            viewer.tell(message("error", "This message was not understood." if owner else "You are watching."))
        else:
            await self._obey(room, viewer, command)

    async def _expire(self, name: str) -> None:
        """Lets a polling viewer go when it polls no more."""
        room, viewer, _ = self._polling[name]
        while time.monotonic() - viewer.seen < PATIENCE + HOLD and not viewer.gone:
            await asyncio.sleep(0.25)
        del self._polling[name], self._expiry[name]
        self._left(room, viewer)


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


def hello(room: Room, owner: bool, fresh: bool) -> str:
    """What a viewer is told first."""
    return json.dumps({"type": "hello", "room": room.id, "key": room.key if owner else None, "fresh": fresh})


def message(kind: str, text: str) -> str:
    """A sentence as a page gets it."""
    return json.dumps({"type": kind, "text": text})


def _framed(item: str | bytes) -> bytes:
    """One item of a poll's answer: kind, 3 bytes of padding, length, content."""
    kind, body = (b"J", item.encode()) if isinstance(item, str) else (b"B", item)
    return kind + b"\0\0\0" + len(body).to_bytes(4, "little") + body
