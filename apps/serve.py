"""How every lab is launched: one port, no calls to anyone, bounded queues, our own routes beside Gradio's."""

import os
from typing import Any

import gradio as gr

from apps.toy_routes import ToyServer

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")  # the theme's own would come from the web
CSS = """
footer { display: none !important; }
.gradio-container { max-width: 1500px !important; margin: 0 auto; }
"""


def launch(demo: gr.Blocks, **options: Any) -> Any:
    """Starts the server; `options` go to Gradio's `launch` and win over ours. Returns what it returns."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    demo.queue(max_size=64, default_concurrency_limit=1, api_open=False)
    ours: dict[str, Any] = {
        "theme": gr.themes.Default(primary_hue="indigo", font=FONT, font_mono=("ui-monospace", "monospace")),
        "css": CSS,
        "app_kwargs": {"routes": ToyServer().routes()},
        "ssr_mode": False,  # with it, routes of our own and WebSockets fail
        "max_file_size": "20mb",
        "state_session_capacity": 300,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": [],
        "quiet": False,
    }
    return demo.launch(**{**ours, **options})
