"""A running app and a real Chromium for the browser tests."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
SERVE = """if __name__ == "__main__":
    from apps.hub import build, launch

    launch(build(), server_port={port}, quiet=True)
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hub's address."""
    with serving(tmp_path_factory.mktemp("serve"), free_port()) as address:
        yield address


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """The hub in a process of its own, as in real life."""
    script = folder / "serve.py"
    script.write_text(SERVE.format(port=port))
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, str(script)], cwd=ROOT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: urllib.request.urlopen(address, timeout=2).status == 200, 90, "the app did not start")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _wait(holds: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.2)
    pytest.fail(what)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium: the system's if there is one, else Playwright's own."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def start_server(tmp_path: Path) -> Callable[..., "contextlib.AbstractContextManager[str]"]:
    """Starts one more server, on a given port or a free one, for tests that end it."""
    return lambda port=0: serving(tmp_path, port or free_port())


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages that fail the test on a console error, a script error or a request to another host."""
    pages: list[Page] = []
    problems: list[str] = []

    def page(url: str, width: int = 1366, height: int = 900, init: str = "") -> Page:
        new = chromium.new_page(viewport={"width": width, "height": height})
        if init:
            new.add_init_script(init)
        new.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        new.on("console", lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None)
        new.on(
            "request",
            lambda r: problems.append(f"request to {r.url}") if not r.url.startswith(LOCAL) else None,
        )
        new.goto(url)
        pages.append(new)
        return new

    yield page
    for opened in pages:
        opened.close()
    assert not problems, problems


LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:")
