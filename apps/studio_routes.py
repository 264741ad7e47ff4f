"""The image labs' own routes beside Gradio's: a WebSocket, uploads, and plain requests where sockets are blocked."""

import asyncio
import contextlib
import json
import re
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from apps.origin import FOREIGN, REFUSED, foreign, read_body
from ganlab.config import InvalidInput
from ganlab.latents.uploads import read_latents
from ganlab.recipe import Recipe
from ganlab.render.pictures import recipe_in
from ganlab.serving.asking import Viewer, sentence
from ganlab.serving.models import Catalogue
from ganlab.serving.studio import UNKNOWN, Studio
from ganlab.serving.studio_invert import photo_of

LONGEST = 12 << 20  # characters of a message: a grid of recipes with uploaded latents, a mapper
SHORT = 64 << 10  # those that are parsed at once, without a thread
MOST_WAITING = 128 << 20  # bytes that may wait for a slow browser before it is let go
MOST_FILE = 20 << 20  # bytes of a picture or of latents
MOST_MODEL = 1 << 30
UPLOAD = "/ganlab/studio/upload"
KINDS = ("latent", "picture", "photo", "model")
MOST_ASKING = 128  # requests without WebSocket that may wait at a time
PATIENCE = 120.0  # seconds that a request without WebSocket waits for its answer


class StudioServer:
    """The studio behind HTTP. One object for a server."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._asking = 0

    def routes(self) -> list[BaseRoute]:
        """The labs' routes."""
        return [
            WebSocketRoute("/ganlab/studio/socket", self.socket),
            Route("/ganlab/studio/ask", self.ask, methods=["POST"]),
            Route(UPLOAD, self.upload, methods=["POST"]),
        ]

    async def socket(self, socket: WebSocket) -> None:
        """A page by WebSocket: questions in, answers out."""
        if foreign(socket.headers):
            await socket.close(REFUSED)
            return
        await socket.accept()
        outbox = Outbox(asyncio.get_running_loop())
        viewer = Viewer(outbox.put)
        sender = asyncio.create_task(outbox.empty_into(socket))
        try:
            while not outbox.full:
                await self._hear(viewer, await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass  # the tab was closed, or sent bytes
        finally:
            sender.cancel()
            self.studio.left(viewer)

    async def ask(self, request: Request) -> Response:
        """One question and all its answers, where WebSockets are blocked."""
        if foreign(request.headers):
            return PlainTextResponse(FOREIGN, 403)
        if self._asking >= MOST_ASKING:
            return PlainTextResponse("The server has too much to do right now; try again in a moment.", 503)
        self._asking += 1
        try:
            return await self._answer(request)
        finally:
            self._asking -= 1

    async def _answer(self, request: Request) -> Response:
        body = await read_body(request, LONGEST)
        if body is None:
            return PlainTextResponse("too long", 413)
        outbox = Outbox(asyncio.get_running_loop())
        viewer = Viewer(outbox.put)
        viewer.model = request.query_params.get("model", "")[:200]
        try:
            await self._hear(viewer, body.decode("utf-8", "replace"))
            answers = await asyncio.wait_for(outbox.until_last(), PATIENCE)
        except asyncio.TimeoutError:
            return PlainTextResponse("This took too long.", 503)
        finally:
            self.studio.left(viewer)
        out = b"".join(_counted(answer) for answer in answers)
        return Response(out, media_type="application/octet-stream", headers={"cache-control": "no-store"})

    async def upload(self, request: Request) -> Response:
        """A file in; latents, a recipe or a model's name, or one sentence, out."""
        kind = request.query_params.get("kind", "")
        if foreign(request.headers):
            return JSONResponse({"error": FOREIGN}, 403)
        if kind not in KINDS:
            return JSONResponse({"error": "Send latents, a picture or a model."}, 400)
        if kind == "model" and self.studio.catalogue.public:
            return JSONResponse({"error": "A public server takes no model files; run ganlab at home to open your own."})
        with tempfile.TemporaryDirectory(prefix="ganlab-upload-") as folder:
            name = request.query_params.get("name", "")[:200]
            path = Path(folder) / (re.sub(r"[^\w.-]+", "-", name).strip(".-")[-60:] or "upload")  # messages name it
            most = MOST_MODEL if kind == "model" else MOST_FILE
            if not await _stored(request, path, most):
                return JSONResponse({"error": f"This file is larger than {most >> 20} MB, or was cut off."}, 413)
            try:
                return JSONResponse(await asyncio.to_thread(self._take, kind, path, name))
            except Exception as error:
                return JSONResponse({"error": sentence(error)})

    def _take(self, kind: str, path: Path, name: str) -> dict[str, Any]:
        if kind == "latent" and not (name.lower().endswith(".pt") and self._is_model(path)):
            return {"latents": read_latents(path)}
        if kind == "photo":
            return {"photo": photo_of(path)}
        if kind == "picture":
            return {"recipe": Recipe.from_json(recipe_in(path.read_bytes())).to_dict(full=True)}
        return {"model": self.studio.catalogue.add(path, name), "models": self.studio.catalogue.menu()}

    def _is_model(self, path: Path) -> bool:
        """Whether a .pt file, which may hold latents too, holds a network."""
        from ganlab.weights import inspect

        try:
            return not self.studio.catalogue.public and any(network.loads for network in inspect(path).networks)
        except InvalidInput:
            return False

    async def _hear(self, viewer: Viewer, text: str) -> None:
        if len(text) > LONGEST:
            viewer.say(None, "error", text="This message is too long.")
            return
        try:
            message = json.loads(text) if len(text) < SHORT else await asyncio.to_thread(json.loads, text)
        except (ValueError, RecursionError):
            viewer.say(None, "error", text=UNKNOWN)
            return
        self.studio.hear(viewer, message)


class Outbox:
    """What waits for one browser, in order. Filled from any thread, emptied by the server's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.full = False
        self._loop = loop
        self._items: deque[str | bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._wake = asyncio.Event()

    def put(self, item: str | bytes) -> None:
        """Adds a message; a browser that never reads is let go."""
        with self._lock:
            self.full = self.full or self._bytes + len(item) > MOST_WAITING
            if not self.full:
                self._items.append(item)
                self._bytes += len(item)
        with contextlib.suppress(RuntimeError):  # the server's loop has ended
            self._loop.call_soon_threadsafe(self._wake.set)

    def take(self) -> list[str | bytes]:
        """All that waits."""
        with self._lock:
            out = list(self._items)
            self._items.clear()
            self._bytes = 0
        return out

    async def empty_into(self, socket: WebSocket) -> None:
        """Sends what waits, as it comes."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while not self.full:
                await self._wake.wait()
                self._wake.clear()
                for item in self.take():
                    await (socket.send_text(item) if isinstance(item, str) else socket.send_bytes(item))
            await socket.close()

    async def until_last(self) -> list[str | bytes]:
        """All messages up to the one that ends an answer."""
        out: list[str | bytes] = []
        while not out or not _is_last(out[-1]):
            await self._wake.wait()
            self._wake.clear()
            out += self.take()
        return out


def _is_last(item: str | bytes) -> bool:
    text = item if isinstance(item, str) else item[4 : 4 + int.from_bytes(item[:4], "little")].decode()
    return json.loads(text)["type"] not in ("progress", "tile")


def _counted(item: str | bytes) -> bytes:
    """One item of a plain answer: kind, 3 bytes of padding, length, content."""
    kind, body = (b"J", item.encode()) if isinstance(item, str) else (b"B", item)
    return kind + b"\0\0\0" + len(body).to_bytes(4, "little") + body


async def _stored(request: Request, path: Path, most: int) -> bool:
    """Writes the body to a file as it comes; False as soon as it is longer than `most`, or cut off."""
    size = 0
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    return False
                await asyncio.to_thread(file.write, chunk) if len(chunk) > SHORT else file.write(chunk)
    except ClientDisconnect:
        return False
    return True


def server(catalogue: Catalogue) -> StudioServer:
    """The studio with these models."""
    return StudioServer(Studio(catalogue, _memory))


def _memory() -> Any:
    from ganlab.synthesis import Memory

    return Memory()
