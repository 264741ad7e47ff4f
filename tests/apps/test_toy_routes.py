"""The lab's routes over HTTP, without a browser: uploads, the way without WebSockets, what is refused."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from apps.serve import BodyLimit
from apps.toy_routes import ToyServer
from ganlab.serving.limits import Limits


@pytest.fixture
def client() -> Iterator[TestClient]:
    server = ToyServer(Limits(most_rooms=2))
    app = Starlette(routes=server.routes(), middleware=[Middleware(BodyLimit)])
    with TestClient(app) as client:
        yield client


def items(body: bytes) -> list[Any]:
    """The messages of a poll's answer; None for a binary one."""
    out, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at + 4 : at + 8], "little")
        out.append(json.loads(body[at + 8 : at + 8 + size]) if body[at : at + 1] == b"J" else None)
        at += 8 + size
    return out


def test_a_csv_becomes_data(client: TestClient) -> None:
    rows = "x,y\n" + "\n".join(f"{i},{i * i}" for i in range(50))
    answer = client.post("/ganlab/toy/upload?kind=points", content=rows).json()
    assert answer["data"]["name"] == "points"


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("points", b"", "empty"),
        ("points", b"x\n1\n2\n", "column"),
        ("points", b"hello world, this is text", "number"),
        ("points", b"1,2\n3,nan\n", "line 2"),
        ("picture", b"", "empty"),
        ("picture", b"GIF89a", "PNG"),
        ("malware", b"1,2", "points or a picture"),
    ],
)
def test_bad_uploads_get_a_sentence(client: TestClient, kind: str, content: bytes, says: str) -> None:
    answer = client.post(f"/ganlab/toy/upload?kind={kind}", content=content)
    assert says in answer.json()["error"]


def test_oversized_bodies_are_refused(client: TestClient) -> None:
    too_large = b"1,2\n" * (6 << 20)
    assert client.post("/ganlab/toy/upload?kind=points", content=too_large).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"1,2\n" * (256 << 10)

    assert client.post("/ganlab/toy/upload?kind=points", content=endless()).status_code == 413


def test_polling_opens_a_room_and_commands_reach_it(client: TestClient) -> None:
    first = client.get("/ganlab/toy/poll")
    viewer = first.headers["x-viewer"]
    hello = items(first.content)[0]
    assert hello["type"] == "hello"
    assert hello["key"]
    client.post(f"/ganlab/toy/send?viewer={viewer}", content='{"do":"play"}')
    seen: list[Any] = []
    end = time.monotonic() + 20
    while time.monotonic() < end and seen.count(None) < 3:
        seen += items(client.get(f"/ganlab/toy/poll?viewer={viewer}").content)
    assert seen.count(None) >= 3  # frames
    assert any(item and item["type"] == "state" and item["playing"] for item in seen)
    for wrong in ("not json", "[]", '{"do":"hello"}', "[" * 5000):
        client.post(f"/ganlab/toy/send?viewer={viewer}", content=wrong)
    told = items(client.get(f"/ganlab/toy/poll?viewer={viewer}").content)
    assert sum(bool(item) and item["type"] == "error" for item in told) == 4


def test_only_the_owner_commands(client: TestClient) -> None:
    with client.websocket_connect("/ganlab/toy/socket") as owner:
        hello = json.loads(owner.receive_text())
        with client.websocket_connect(f"/ganlab/toy/socket?room={hello['room']}&key=guess") as other:
            greeting = json.loads(other.receive_text())
            assert greeting["room"] == hello["room"]
            assert greeting["key"] is None
            other.send_text('{"do":"play"}')
            for _ in range(20):
                data = other.receive()
                if "text" in data and json.loads(data["text"])["type"] == "error":
                    break
            else:
                pytest.fail("the watcher was not told")


def test_a_strange_key_only_watches_and_leaves_nothing_behind(client: TestClient) -> None:
    with client.websocket_connect("/ganlab/toy/socket") as owner:
        room = json.loads(owner.receive_text())["room"]
        with client.websocket_connect(f"/ganlab/toy/socket?room={room}&key=%C3%A9") as other:
            assert json.loads(other.receive_text())["key"] is None
    time.sleep(1.5)
    with client.websocket_connect(f"/ganlab/toy/socket?room={room}") as late:
        assert "has ended" in late.receive_text()


def test_a_full_server_and_an_ended_run_say_so(client: TestClient) -> None:
    with client.websocket_connect("/ganlab/toy/socket"), client.websocket_connect("/ganlab/toy/socket"):
        with client.websocket_connect("/ganlab/toy/socket") as third:
            assert "places on this server are taken" in third.receive_text()
            with pytest.raises(WebSocketDisconnect):
                third.receive_text()
    with client.websocket_connect("/ganlab/toy/socket?room=ended") as late:
        assert "has ended" in late.receive_text()


def test_a_foreign_page_cannot_open_rooms(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect):
        with client.websocket_connect("/ganlab/toy/socket", headers={"origin": "https://elsewhere.example"}) as line:
            line.receive_text()
    answer = client.post(
        "/ganlab/toy/upload?kind=points", content="1,2", headers={"origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403
