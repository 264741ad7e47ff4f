"""How every lab is launched: one port, no calls to anyone, bounded queues and bodies, our routes beside Gradio's."""

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr
import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps import studio_routes, zoo_routes
from apps.toy_routes import ToyServer
from apps.train_routes import TrainServer
from ganlab.serving import rooms
from ganlab.serving.models import server_catalogue

MOST_BODY = 24 << 20  # bytes of any request: a 20 MB upload and its wrapping
# a model file is written to the disk as it comes; the route itself bounds it, and refuses it in public
LARGER = {studio_routes.UPLOAD: studio_routes.MOST_MODEL + (1 << 20)}
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")  # the theme's own would come from the web
CSS = """
footer { display: none !important; }
.gradio-container, .gradio-container > .main {
  width: 100% !important; max-width: 1900px !important; margin: 0 auto !important;
}
.gradio-container:has(.studio) { overflow: clip !important; }  /* hidden, as Gradio has it, ends `position: sticky` */
.html-container { padding-inline: 0 !important; }
input[role="combobox"] { padding-inline-end: 2em !important; text-overflow: ellipsis; }  /* under its arrow */
.gradio-container .main.fillable { padding-inline: clamp(12px, 2.5vw, 32px) !important; }
nav.fillable {  /* the labs in one line, which can be swiped where it is longer than the page */
  max-width: none !important; justify-content: flex-start !important; flex-wrap: nowrap !important;
  gap: 0 !important; padding: 4px 16px; overflow-x: auto; white-space: nowrap;
}
nav.fillable a { font-size: 14px; padding: 4px 9px; color: var(--body-text-color) !important; opacity: 0.7; }
nav.fillable a.active { opacity: 1; }
"""


def launch(demo: gr.Blocks, **options: Any) -> Any:
    """Starts the server; `options` go to Gradio's `launch` and win over ours. Returns what it returns."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    demo.queue(max_size=64, default_concurrency_limit=1, api_open=False)
    studio = studio_routes.server(server_catalogue())
    train = TrainServer(studio.studio.catalogue)  # what is trained there can be opened here
    ours: dict[str, Any] = {
        "theme": gr.themes.Default(primary_hue="indigo", font=FONT, font_mono=("ui-monospace", "monospace")),
        "css": CSS,
        "app_kwargs": {
            "routes": [*ToyServer().routes(), *studio.routes(), *train.routes(), *zoo_routes.routes()],
            "middleware": [Middleware(BodyLimit, larger=LARGER)],
        },
        "ssr_mode": False,  # with it, routes of our own and WebSockets fail
        "max_file_size": "20mb",
        "state_session_capacity": 300,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": [],
    }
    rooms.warm_up()
    with _plain_sockets():
        return demo.launch(**{**ours, **options})


class BodyLimit:
    """Ends a request whose body is too long: Gradio bounds the size of files, not of JSON."""

    def __init__(self, app: ASGIApp, most: int = MOST_BODY, larger: Mapping[str, int] | None = None) -> None:
        self.app, self.most, self.larger = app, most, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As every ASGI app."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        most = self.larger.get(scope["path"], self.most)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b"This is too large."})
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                return {"type": "http.disconnect"}
            return message

        await self.app(scope, counted, send)


@contextlib.contextmanager
def _plain_sockets() -> Iterator[None]:
    """No compression of WebSocket messages: for frames of small integers it costs the server five times the CPU.

    Gradio's `launch` has no option for it, so the server's settings are given this default while it starts.
    """
    usual = uvicorn.Config
    uvicorn.Config = functools.partial(usual, ws_per_message_deflate=False)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        uvicorn.Config = usual  # type: ignore[misc]
