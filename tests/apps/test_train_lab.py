"""The training lab's page and routes, without a browser."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from apps import hub, train_lab
from apps.train_routes import TrainServer
from ganlab.config import to_link
from ganlab.data.images import ImageData
from ganlab.presets.image_table import IMAGE_PRESETS
from ganlab.presets.images import image_preset
from ganlab.run_images import ImageRun
from ganlab.serving.limits import ImageLimits
from ganlab.serving.models import Catalogue
from tests.fake_painter import FakePainter

HOSTILE = ImageRun(ImageData("folder", path="/etc"), image_preset("dcgan-32").gan)
FOREIGN = {"origin": "https://elsewhere.example"}


@pytest.fixture
def server(tmp_path: Path) -> TrainServer:
    catalogue = Catalogue(lambda model: FakePainter(model.name, 16), public=True, shipped=tmp_path)
    return TrainServer(catalogue, ImageLimits(most_rooms=1, upload_bytes=1 << 20))


@pytest.fixture
def client(server: TrainServer) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=server.routes())) as client:
        yield client


def test_the_page_holds_every_preset_and_names_no_other_host() -> None:
    schema = train_lab.schema()
    assert set(schema["presets"]) == set(IMAGE_PRESETS)
    assert {row["name"] for row in schema["data"]} >= {"faces", "digits", "folder"}
    assert schema["first"] in IMAGE_PRESETS
    assert all(field["live"] for field in schema["knobs"])
    page = train_lab.script() + "".join((train_lab.WEB / f"train_lab.{kind}").read_text() for kind in ("html", "css"))
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert any(lab.path == "train" for lab in hub.LABS)
    assert train_lab.build().blocks


def test_uploads_give_a_set_or_a_sentence(client: TestClient) -> None:
    first = client.post("/ganlab/train/upload?name=a.png", content=b"picture").json()
    second = client.post(f"/ganlab/train/upload?name=b.png&set={first['set']}", content=b"picture").json()
    assert (second["set"], second["count"]) == (first["set"], 2)
    assert "empty" in client.post("/ganlab/train/upload?name=c.png", content=b"").json()["error"]
    assert "no room" in client.post("/ganlab/train/upload?name=c.png", content=b"x" * (1 << 20)).json()["error"]
    assert "larger than" in client.post("/ganlab/train/upload?name=c.png", content=b"x" * (21 << 20)).json()["error"]
    assert client.post("/ganlab/train/upload?name=a.png", content=b"x", headers=FOREIGN).status_code == 403


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("not json", "not understood"),
        ("[" * 9000, "not understood"),
        ("[]", "not understood"),
        ('{"preset": "none"}', "there is no"),
        ('{"preset": "dcgan", "data": "folder", "resolution": 32, "batch": 8}', "choose some of your own"),
        (
            json.dumps({"run": to_link(ImageRun(ImageData("folder", path="/etc"), image_preset("dcgan-32").gan))}),
            "may not",
        ),
    ],
)
def test_what_cannot_start_gets_a_sentence(client: TestClient, wish: str, says: str) -> None:
    answer = client.post("/ganlab/train/start", content=wish).json()
    assert says in answer["error"]
    assert "room" not in answer


def test_a_strip_shows_a_set_and_nothing_else(client: TestClient) -> None:
    assert client.get("/ganlab/train/strip?data=digits").headers["content-type"] == "image/webp"
    for name in ("folder", "hub", "../x", ""):
        assert client.get(f"/ganlab/train/strip?data={name}").status_code == 404


def test_only_the_owner_of_a_training_commands_it_and_others_watch(client: TestClient, server: TrainServer) -> None:
    wish = {"preset": "stylegan2-quick", "data": "digits", "resolution": 32, "batch": 8, "count": 20}
    assert client.post("/ganlab/train/start", content=json.dumps(wish), headers=FOREIGN).status_code == 403
    made = client.post("/ganlab/train/start", content=json.dumps(wish)).json()
    room = server.rooms.by_id[made["room"]]
    with client.websocket_connect(f"/ganlab/train/socket?room={made['room']}") as watcher:
        assert json.loads(watcher.receive_text())["key"] is None
        watcher.send_text('{"do":"stop"}')
        while "You are watching" not in str(watcher.receive()):
            pass
    with client.websocket_connect(f"/ganlab/train/socket?room={made['room']}&key={made['key']}") as owner:
        assert json.loads(owner.receive_text())["key"] == made["key"]
        full = client.post("/ganlab/train/start", content=json.dumps(wish)).json()
        assert "trainings at most" in full["error"]
        owner.send_text('{"do":"python"}')
        while "ImageTraining(run)" not in str(owner.receive()):
            pass
        owner.send_text('{"do":"stop"}')
        while '"ended' not in str(owner.receive()):
            pass
    end = time.monotonic() + 20  # its process is told, and ends
    while room.running and time.monotonic() < end:
        time.sleep(0.05)
    assert not room.running
    address = f"room={made['room']}&key={made['key']}&branch=0&step=0"
    assert client.get(f"/ganlab/train/generator?{address}").status_code == 404
    assert client.get(f"/ganlab/train/moment?room={made['room']}&branch=x&step=0").status_code == 404


def test_an_ended_training_and_foreign_pages_are_refused(client: TestClient) -> None:
    with client.websocket_connect("/ganlab/train/socket?room=gone&key=x") as line:
        assert "no longer on the server" in line.receive_text()
    with pytest.raises(WebSocketDisconnect):
        with client.websocket_connect("/ganlab/train/socket", headers=FOREIGN) as line:
            line.receive_text()
