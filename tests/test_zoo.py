"""Downloads, against a server on this machine that does what real ones do: cut off, redirect, move, lie."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ganlab import zoo
from ganlab.config import InvalidInput

BODY = bytes(range(256)) * 20_000  # 5 MB
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY; `seen` lists the Range header of each request."""

    seen: list[str | None]
    cut = 0  # bytes after which the connection ends, once
    body = BODY


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(self.headers.get("Range"))
        if self.path == "/moved.pkl":
            return self.send_error(404)
        if self.path == "/redirect.pkl":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return None
        first = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        ranged = first > 0 and self.path != "/whole.pkl"
        body = self.server.body[first:] if ranged else self.server.body
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/page.pkl" else "application/octet-stream")
        self.send_header("Content-Length", str(10**13) if self.path == "/huge.pkl" else str(len(body)))
        self.end_headers()
        cut, self.server.cut = self.server.cut, 0
        self.wfile.write(body[:cut] if cut else body)
        return None

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    with Server(("127.0.0.1", 0), Handler) as served:
        served.seen = []
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


def listed(monkeypatch: pytest.MonkeyPatch, server: Server, path: str, sha256: str | None = DIGEST) -> str:
    url = f"http://127.0.0.1:{server.server_port}/{path}.pkl"
    monkeypatch.setitem(zoo.ZOO, "model", zoo.ZooRow("A model", url, 64, "free", 5, sha256=sha256))
    return "model"


def test_a_model_is_fetched_once_with_progress(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = listed(monkeypatch, server, "plain")
    steps: list[tuple[int, int | None]] = []
    with pytest.raises(InvalidInput, match="python -m ganlab download model"):
        zoo.path_of(name)
    path = zoo.download(name, lambda done, of: steps.append((done, of)) is None)
    assert path.read_bytes() == BODY and zoo.path_of(name) == path == zoo.downloaded(name)
    assert steps[-1] == (len(BODY), len(BODY)) and len(steps) > 2
    zoo.download(name)
    assert len(server.seen) == 1


def test_a_cut_off_download_is_resumed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = listed(monkeypatch, server, "plain")
    server.cut = 3_000_000
    with pytest.raises(InvalidInput, match="what has arrived already is kept"):
        zoo.download(name)
    assert zoo.download(name).read_bytes() == BODY
    assert server.seen == [None, "bytes=3000000-"]


def test_a_server_that_knows_no_ranges_sends_all_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = listed(monkeypatch, server, "whole")
    server.cut = 3_000_000
    with pytest.raises(InvalidInput):
        zoo.download(name)
    assert zoo.download(name).read_bytes() == BODY


def test_a_cancelled_download_goes_on_where_it_stopped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = listed(monkeypatch, server, "plain")
    with pytest.raises(zoo.Cancelled):
        zoo.download(name, lambda done, of: done < 2_000_000)
    assert zoo.downloaded(name) is None
    assert zoo.download(name).read_bytes() == BODY
    assert server.seen[1] is not None


def test_the_first_download_pins_the_checksum(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = listed(monkeypatch, server, "plain", sha256=None)
    path = zoo.download(name)
    assert json.loads((path.parent / zoo.PINS).read_text()) == {name: DIGEST}
    path.unlink()
    server.body = BODY[:-1] + b"?"
    with pytest.raises(InvalidInput, match="its checksum differs"):
        zoo.download(name)
    assert not list(path.parent.glob("*.pkl"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("moved", "answers 404"),
        ("page", "a web page instead of a model"),
        ("huge", "too large"),
        ("redirect", "answers 302"),
    ],
)
def test_what_is_not_a_model_gets_a_sentence(
    server: Server, monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    name = listed(monkeypatch, server, path)
    with pytest.raises(InvalidInput, match=says):
        zoo.download(name)
    assert zoo.downloaded(name) is None


def test_offline_is_one_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = listed(monkeypatch, server, "plain")
    server.shutdown()
    server.server_close()
    with pytest.raises(InvalidInput, match=r"no connection to 127\.0\.0\.1\. Go online and try again"):
        zoo.download(name)


def test_unknown_names_are_told_what_there_is(server: Server) -> None:
    for ask in (zoo.path_of, zoo.download):
        with pytest.raises(InvalidInput, match="ffhq-256"):
            ask("no-such-model")


@pytest.mark.parametrize("name", zoo.ZOO)
def test_rows_are_complete(name: str) -> None:
    row = zoo.ZOO[name]
    assert row.url.startswith("https://") and row.title and row.licence
    assert row.resolution & (row.resolution - 1) == 0
    assert zoo._target(name).parent == zoo.folder()
