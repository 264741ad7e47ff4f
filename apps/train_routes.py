"""The training lab's own routes beside Gradio's: uploads, the start of a training, its moments, its generator."""

import asyncio
import json
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from apps.origin import FOREIGN, foreign, read_body
from apps.room_routes import RoomServer, hello, message
from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, open_images
from ganlab.render.pictures import webp
from ganlab.render.sheet import sheet
from ganlab.serving.image_choice import available, chosen
from ganlab.serving.image_rooms import ImageRoom, ImageRooms
from ganlab.serving.image_script import as_python
from ganlab.serving.image_trainer import sentence
from ganlab.serving.limits import ImageLimits, image_limits_from_environment
from ganlab.serving.models import Catalogue
from ganlab.serving.rooms import Full, Room, Viewer

MOST_FILE = 20 << 20  # bytes of an uploaded file
MOST_WISH = 64 << 10  # bytes of a wish for a training
STRIP = 8  # pictures that show what is in a set
KEPT = {"cache-control": "private, max-age=3600"}


class TrainServer(RoomServer):
    """The trainings behind HTTP. One object for a server."""

    lab = "train"

    def __init__(self, catalogue: Catalogue, limits: ImageLimits | None = None) -> None:
        super().__init__()
        self.limits = limits or image_limits_from_environment()
        self.rooms = ImageRooms(self.limits, catalogue)
        self._strips: dict[str, bytes] = {}
        self._drawing = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        """The lab's routes."""
        return [
            *super().routes(),
            Route("/ganlab/train/upload", self.upload, methods=["POST"]),
            Route("/ganlab/train/start", self.start, methods=["POST"]),
            Route("/ganlab/train/strip", self.strip),
            Route("/ganlab/train/moment", self.moment),
            Route("/ganlab/train/generator", self.generator),
        ]

    async def upload(self, request: Request) -> Response:
        """One file of a set of images in; the set's name and how much is in it, or one sentence, out."""
        if foreign(request.headers):
            return JSONResponse({"error": FOREIGN}, 403)
        filename = request.query_params.get("name", "")[:200]
        body = await read_body(request, MOST_FILE)
        if body is None:
            text = f"“{filename[:60]}” is larger than {MOST_FILE >> 20} MB; take a smaller one, or several zips."
            return JSONResponse({"error": text}, 413)
        uploads = self.rooms.uploads
        name = uploads.open(request.query_params.get("set", ""))
        try:
            await asyncio.to_thread(uploads.add, name, filename, body)
        except InvalidInput as error:
            return JSONResponse({"error": sentence(error), "set": name})
        return JSONResponse({"set": name, "count": uploads.sets[name].count})

    async def start(self, request: Request) -> Response:
        """A wish in; a training's address and key, or one sentence, out."""
        if foreign(request.headers):
            return JSONResponse({"error": FOREIGN}, 403)
        body = await read_body(request, MOST_WISH)
        try:
            wish = json.loads(body or b"")
        except (ValueError, RecursionError):
            wish = None
        if not isinstance(wish, dict):
            return JSONResponse({"error": "This message was not understood."}, 400)
        uploaded = self.rooms.uploads.sets.get(str(wish.get("set", "")))
        try:
            if wish.get("data") == "folder" and not wish.get("run") and uploaded is None:
                raise InvalidInput("images", "are missing: choose some of your own first, at least two")
            run = await asyncio.to_thread(chosen, wish, self.limits, uploaded.count if uploaded else None)
            room = self.rooms.open(run, uploaded if run.data.name == "folder" else None)
        except InvalidInput as error:
            return JSONResponse({"error": sentence(error)})
        except Full as full:
            return JSONResponse({"error": f"{full}."})
        return JSONResponse({"room": room.id, "key": room.key})

    async def strip(self, request: Request) -> Response:
        """A few images of a set, side by side."""
        name = request.query_params.get("data", "")
        if name not in available():
            return PlainTextResponse("not found", 404)
        async with self._drawing:
            if name not in self._strips:
                try:
                    self._strips[name] = await asyncio.to_thread(_strip, name)
                except InvalidInput as error:
                    return PlainTextResponse(sentence(error), 404)
        return Response(self._strips[name], media_type="image/webp", headers=KEPT)

    async def moment(self, request: Request) -> Response:
        """The grid of an earlier step."""
        found = None
        room = self.rooms.by_id.get(request.query_params.get("room", ""))
        branch, step = (_number(request, name) for name in ("branch", "step"))
        if room is not None and branch is not None and step is not None:
            found = room.record.moment(branch, step)
        if found is None:
            return PlainTextResponse("not found", 404)
        return Response(found[1], media_type="image/webp", headers={**KEPT, "x-step": str(found[0])})

    async def generator(self, request: Request) -> Response:
        """A saved generator as safetensors, for the owner."""
        room = self.rooms.by_id.get(request.query_params.get("room", ""))
        key = request.query_params.get("key", "")
        branch, step = _number(request, "branch"), _number(request, "step")
        if room is None or branch is None or step is None or not _is_key(room, key):
            return PlainTextResponse("not found", 404)
        folder = room.record.saved.get((branch, step))
        path = next(iter(folder.glob("generator-*.safetensors")), None) if folder else None
        if path is None:
            return PlainTextResponse("This moment is no longer kept; choose another one.", 404)
        return FileResponse(path, media_type="application/octet-stream", filename=f"ganlab-step-{step}.safetensors")

    async def _enter(self, query: dict[str, str], viewer: Viewer) -> tuple[Room, bool]:
        room = self.rooms.by_id.get(query.get("room", ""))
        if room is None:
            raise Full("This training is no longer on the server; start a new one")
        owner = _is_key(room, query.get("key", ""))
        viewer.tell(hello(room, owner, False))
        room.join(viewer)
        return room, owner

    async def _obey(self, room: Room, viewer: Viewer, command: dict[str, Any]) -> None:
        assert isinstance(room, ImageRoom)
        if command.get("do") == "python":
            run = room.record.run
            viewer.tell(json.dumps({"type": "python", "text": as_python(run, room.record.step)}))
        elif command.get("do") in ("save", "hello"):
            viewer.tell(message("error", "This message was not understood."))
        else:
            self.rooms.obey(room, viewer, command)

    def _left(self, room: Room, viewer: Viewer) -> None:
        assert isinstance(room, ImageRoom)
        self.rooms.left(room, viewer)


def _strip(name: str) -> bytes:
    found = open_images(ImageData(name, resolution=32, limit=STRIP))
    images = found.train.get(range(min(STRIP, len(found.train))))[0]
    return webp(sheet((images.float() - 128) / 127.5, STRIP))


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _is_key(room: Room, key: str) -> bool:
    return secrets.compare_digest(key.encode(), room.key.encode())
