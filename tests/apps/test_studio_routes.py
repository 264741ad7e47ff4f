"""The image labs' routes over HTTP, without a browser: sockets, plain requests, uploads, what is refused."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from apps import hub, latent_lab, mixing_lab, noise_lab, studio, studio_routes, text_lab, truncation_lab
from apps.serve import LARGER, BodyLimit
from apps.studio_routes import Outbox, StudioServer
from ganlab import weights
from ganlab.recipe import Recipe
from ganlab.render.pictures import png
from ganlab.serving.models import Catalogue
from ganlab.serving.studio import Studio
from tests.fake_painter import FakePainter
from tests.tiny_models import write_model
from tests.weights import foreign

LABS = (latent_lab, truncation_lab, mixing_lab, noise_lab, text_lab)


def client_of(folder: Path, public: bool = False) -> TestClient:
    (folder / "fake.safetensors").write_bytes(b"x")
    catalogue = Catalogue(lambda model: FakePainter(model.name, 32), folder, public, folder / "none")
    server = StudioServer(Studio(catalogue, dict))
    return TestClient(Starlette(routes=server.routes(), middleware=[Middleware(BodyLimit, larger=LARGER)]))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as client:
        yield client


def opened(data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:4], "little")
    return dict(json.loads(data[4 : 4 + size]))


def test_a_socket_answers(client: TestClient) -> None:
    with client.websocket_connect("/ganlab/studio/socket") as line:
        line.send_text('{"id": 1, "do": "open", "model": ""}')
        assert json.loads(line.receive_text())["facts"]["name"] == "fake"
        line.send_text('{"id": 2, "do": "render", "recipe": {}}')
        assert opened(line.receive_bytes())["w"] == 32


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "null", '{"id":1}', "\0", '{"id":1,"do":"render","x":NaN}'])
def test_garbage_does_not_end_the_line(client: TestClient, text: str) -> None:
    with client.websocket_connect("/ganlab/studio/socket") as line:
        line.send_text(text)
        assert json.loads(line.receive_text())["type"] == "error"
        line.send_text('{"id": 2, "do": "render", "recipe": {}}')
        assert opened(line.receive_bytes())["type"] == "picture"


def test_without_sockets(client: TestClient) -> None:
    question = json.dumps({"id": 5, "do": "many", "recipes": [{}, {"psi": 0.1}], "side": 16})
    body = client.post("/ganlab/studio/ask?model=fake", content=question).content
    kinds, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at + 4 : at + 8], "little")
        kinds.append(chr(body[at]))
        at += 8 + size
    assert kinds == ["B", "B", "J"]
    assert client.post("/ganlab/studio/ask", content="x" * (13 << 20)).status_code == 413


def test_uploads(client: TestClient) -> None:
    out = io.BytesIO()
    np.save(out, np.zeros((2, 32), np.float32))
    latents = client.post("/ganlab/studio/upload?kind=latent", content=out.getvalue()).json()["latents"]
    assert [text.split(":")[0] for text in latents] == ["1x32", "1x32"]
    picture = png(np.zeros((8, 8, 3), np.uint8), Recipe("fake", psi=0.25).to_json())
    recipe = client.post("/ganlab/studio/upload?kind=picture", content=picture).json()["recipe"]
    assert Recipe.from_dict(recipe) == Recipe("fake", psi=0.25)
    told = client.post("/ganlab/studio/upload?kind=model&name=new.safetensors", content=b"x" * (25 << 20)).json()
    assert told["model"] == "new"  # larger than any other body may be


def test_a_pt_file_is_latents_or_a_model(client: TestClient, tmp_path: Path) -> None:
    rosinality = {"g_ema": foreign.rosinality(weights.load(write_model(tmp_path)).state_dict())}
    for name, content, key in (("w.pt", {"latent": torch.zeros(2, 8, 32)}, "latents"), ("g.pt", rosinality, "model")):
        torch.save(content, tmp_path / name)
        url = f"/ganlab/studio/upload?kind=latent&name={name}"
        assert key in client.post(url, content=(tmp_path / name).read_bytes()).json()


def test_what_a_browser_does_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> Outbox:
        outbox = Outbox(asyncio.get_running_loop())
        for _ in range(50):
            outbox.put(b"x" * 10)
        return outbox

    monkeypatch.setattr(studio_routes, "MOST_WAITING", 100)
    outbox = asyncio.run(fill())
    assert outbox.full and sum(map(len, outbox.take())) <= 100


def test_requests_without_sockets_are_bounded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio_routes, "MOST_ASKING", 0)
    assert client.post("/ganlab/studio/ask", content='{"id": 1, "do": "models"}').status_code == 503
    monkeypatch.setattr(studio_routes, "MOST_ASKING", 1)
    for _ in range(3):
        assert client.post("/ganlab/studio/ask", content='{"id": 1, "do": "models"}').status_code == 200


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("picture", b"", "not a PNG"),
        ("picture", png(np.zeros((8, 8, 3), np.uint8)), "This picture carries no recipe"),
        ("picture", png(np.zeros((8, 8, 3), np.uint8), '{"psi": 99}'), "psi"),
        ("latent", b"", "empty"),
        ("latent", b"no latents", "known"),
        ("model", b"", "model"),
        ("virus", b"", "Send latents"),
    ],
)
def test_bad_uploads_get_a_sentence(client: TestClient, kind: str, content: bytes, says: str) -> None:
    answer = client.post(f"/ganlab/studio/upload?kind={kind}", content=content).json()
    assert says.lower() in answer["error"].lower()


def test_other_bodies_stay_bounded(client: TestClient) -> None:
    assert client.post("/ganlab/studio/upload?kind=latent", content=b"x" * (21 << 20)).status_code == 413


def test_a_public_server_takes_no_model(tmp_path: Path) -> None:
    with client_of(tmp_path, public=True) as client:
        told = client.post("/ganlab/studio/upload?kind=model&name=a.safetensors", content=b"x").json()
        assert "public" in told["error"]


def test_a_foreign_page_gets_nothing(client: TestClient) -> None:
    headers = {"origin": "https://elsewhere.example"}
    with pytest.raises(WebSocketDisconnect):
        with client.websocket_connect("/ganlab/studio/socket", headers=headers) as line:
            line.receive_text()
    for path in ("ask", "upload?kind=latent"):
        assert client.post(f"/ganlab/studio/{path}", content="{}", headers=headers).status_code == 403


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_builds_alone(lab: Any) -> None:
    assert lab.build().blocks
    assert studio.schema(lab.PAGE, ())["labs"] == []
    script = studio.script(lab.PAGE)
    assert f"class {lab.PAGE.panel} " in script and "http://" not in script and "https://" not in script


def test_the_hub_has_all_five() -> None:
    image_labs = ["latent", "truncation", "mixing", "noise", "text"]
    assert [lab.path for lab in hub.LABS if lab.path in image_labs] == image_labs
    assert all(len(row["path"]) for row in studio.schema(latent_lab.PAGE, hub.IMAGE_LABS)["labs"])


def test_scripts_are_short() -> None:
    for path in studio.WEB.glob("*.js"):
        assert len(path.read_text().splitlines()) <= 400, path.name
