"""A picture of one's own, asked for as the editing lab's page asks: drawn, uploaded, looked for, stopped, refused."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from apps.studio_routes import UPLOAD, StudioServer
from ganlab.config import InvalidInput
from ganlab.features.faces import load_classifier
from ganlab.latents.inversion import Inversion
from ganlab.recipe import Recipe, unpack_latent
from ganlab.serving import studio_invert
from ganlab.serving.edits import Texts
from ganlab.serving.models import Catalogue, Model, Painter
from ganlab.serving.studio import Studio
from ganlab.serving.studio_invert import PHOTO_SIDE, in_words, photo_of
from ganlab.synthesis import Memory, open_renderer
from ganlab.text.clip import load_clip
from tests.fake_painter import FakePainter
from tests.serving.test_studio import Tab
from tests.tiny_models import write_model

FACES = {"recipe": {"model": "faces"}}
PLAIN = {"recipe": {"model": "plain"}}
SHORT = Inversion(steps=12, starts=10).to_dict()


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    for name in ("faces", "plain"):
        write_model(tmp_path, name)

    def load(model: Model) -> Painter:
        assert model.path is not None
        renderer = open_renderer(model.path, model.name)
        if model.name == "faces":
            renderer.G.about = {"data": "Cartoon faces, drawn without end"}
        return renderer

    tab = Tab(Studio(Catalogue(load, tmp_path, shipped=tmp_path / "none"), Memory))
    yield tab
    tab.studio.left(tab.viewer)


def data_url(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def opened(photo: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(photo.partition(",")[2])))


def test_a_drawn_face_is_looked_for_and_becomes_a_recipe(tab: Tab) -> None:
    assert tab.ask(do="inversion", **FACES)[0]["faces"] is True
    assert tab.ask(do="inversion", **PLAIN)[0]["faces"] is False
    photo = tab.ask(do="draw", index=3, **FACES)[0]["photo"]
    assert photo == tab.ask(do="draw", index=3, **FACES)[0]["photo"] != tab.ask(do="draw", index=4, **FACES)[0]["photo"]
    assert opened(photo).size == (32, 32)
    told, _ = tab.ask(do="invert", photo=photo, how=SHORT, **FACES)
    assert told["type"] == "inverted" and told["stopped"] is False, told
    assert "Off by" in told["text"] and told["error"] > 0
    assert "Compared by pixels and by what the classifier of faces sees." in told["text"]
    recipe = Recipe.from_dict(told["recipe"])
    assert (recipe.model, recipe.psi) == ("faces", 1.0) and unpack_latent(recipe.sources[0].latent).shape == (8, 32)
    assert tab.ask(do="render", recipe=told["recipe"])[0]["type"] == "picture"
    tiles = [(header, body) for header, body in tab.heard if header["type"] == "tile"]
    last, body = tiles[-1]
    assert (last["done"], last["of"]) == (12, 12) and last["error"] == told["error"] and last["terms"]["perceptual"] > 0
    assert Image.open(io.BytesIO(body)).size == (32, 32) and any(p.get("trying") for p in tab.parts("progress"))


def test_any_model_takes_any_picture(tab: Tab) -> None:
    told, _ = tab.ask(
        do="invert", photo=data_url(Image.new("RGBA", (40, 9))), how={**SHORT, "space": "w", "noise": True}, **PLAIN
    )
    assert unpack_latent(told["recipe"]["sources"][0]["latent"]).shape == (1, 32)
    assert tab.parts("tile")[-1]["terms"]["perceptual"] == 0


@pytest.mark.parametrize("helps", [True, False])
def test_noise_that_was_found_is_kept_where_it_helps(tab: Tab, monkeypatch: pytest.MonkeyPatch, helps: bool) -> None:
    monkeypatch.setattr(studio_invert, "GAIN", 10.0 if helps else 0.0)
    photo = data_url(Image.effect_noise((32, 32), 60))
    told, _ = tab.ask(do="invert", photo=photo, how={**SHORT, "noise": True}, **PLAIN)
    maps = told["recipe"]["noise"]["maps"]
    assert maps.startswith("4,8,8,16,16,32,32:") if helps else maps == ""
    said = "Without the noise that was found" if helps else "brings it no nearer, so it was left out"
    assert said in told["text"]
    assert tab.ask(do="render", recipe=told["recipe"])[0]["type"] == "picture"


def test_a_clip_or_inception_at_hand_looks_along(tab: Tab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tab.studio.editing, "texts", Texts(lambda: "", load_clip, lambda: True))
    told, _ = tab.ask(do="invert", photo=data_url(Image.new("RGB", (40, 40), "red")), how=SHORT, **PLAIN)
    assert "by pixels and by what CLIP sees" in told["text"]
    assert tab.parts("tile")[-1]["terms"]["perceptual"] > 0
    (tmp_path / "here").touch()
    monkeypatch.setattr("ganlab.features.inception.weights_path", lambda: tmp_path / "here")
    monkeypatch.setattr("ganlab.features.inception.load_inception", lambda path: load_classifier())
    told, _ = tab.ask(do="invert", photo=data_url(Image.new("RGB", (40, 40), "red")), how=SHORT, **PLAIN)
    assert "by what Inception sees" in told["text"]


def test_a_stop_keeps_the_best_so_far_and_lets_pictures_through(tab: Tab) -> None:
    photo = data_url(Image.new("RGB", (32, 32), "red"))
    number = tab.send(do="invert", photo=photo, how={"steps": 5000, "starts": 5}, **PLAIN)
    tab.until(lambda h: h["id"] == number and h["type"] == "tile")
    assert tab.ask(do="render", **PLAIN)[0]["type"] == "picture"
    tab.send(do="cancel", what=number)
    told, _ = tab.until(lambda h: h["id"] == number and h["type"] not in ("progress", "tile"))
    assert told["type"] == "inverted" and told["stopped"] is True
    assert tab.ask(do="render", recipe=told["recipe"])[0]["type"] == "picture"


def test_a_stop_before_the_first_step_leaves_nothing(tab: Tab) -> None:
    photo = data_url(Image.new("RGB", (32, 32)))
    number = tab.send(do="invert", photo=photo, how={"starts": 4000}, **PLAIN)
    tab.until(lambda h: h["id"] == number and h["type"] == "progress")
    tab.send(do="cancel", what=number)
    told, _ = tab.until(lambda h: h["id"] == number and h["type"] not in ("progress", "tile"))
    assert told["type"] == "done" and told["cancelled"] is True


PDF = base64.b64encode(b"%PDF-1.7 ...").decode()
RED = data_url(Image.new("RGB", (8, 8), "red"))


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({}, "This picture is missing: choose a file, or draw a face."),
        ({"photo": 7}, "This picture is missing"),
        ({"photo": "data:image/png;base64,AAA!"}, "This picture was damaged on its way"),
        ({"photo": f"data:application/pdf;base64,{PDF}"}, "This picture is a PDF document"),
        ({"photo": "data:,"}, "This picture is empty"),
        ({"photo": "x," + "A" * (5 << 20)}, "This picture is too large"),
        ({"photo": data_url(Image.new("1", (17000, 9)))}, "This picture has 17,000 x 9 pixels"),
        ({"photo": RED, "how": {"steps": 10**6}}, "must be a whole number from 1 to 5000"),
        ({"photo": RED, "how": {"space": "z"}}, "is not one of w, w+"),
        ({"photo": RED, "how": []}, "must be an object"),
        ({"do": "draw", "index": -1}, "must be a number from 0"),
    ],
)
def test_what_cannot_be_is_one_sentence(tab: Tab, message: dict[str, Any], says: str) -> None:
    told, _ = tab.ask(**{"do": "invert", **PLAIN, **message})
    assert told["type"] == "error" and says in told["text"] and told["text"].endswith("."), told


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
@pytest.mark.parametrize("size", [(64, 64), (700, 1300), (3, 1)])
def test_an_upload_is_kept_as_a_small_square(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    Image.new(mode, size).save(tmp_path / "a.png")
    image = opened(photo_of(tmp_path / "a.png"))
    assert image.size == (min(*size, PHOTO_SIDE),) * 2 and image.mode in ("L", "RGB")


def test_a_square_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (np.asarray(opened(photo_of(tmp_path / "a.png"))) == pixels).all()


@pytest.mark.parametrize(
    ("data", "says"), [(b"", "is empty"), (b"%PDF-1.4", "is a PDF"), (b"\xff\xd8\xff", "readable")]
)
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InvalidInput, match=says):
        photo_of(tmp_path / "a.png")


def test_an_upload_comes_back_as_a_photo(tmp_path: Path) -> None:
    studio = Studio(Catalogue(lambda model: FakePainter(model.name), tmp_path, shipped=tmp_path / "none"), dict)
    client = TestClient(Starlette(routes=StudioServer(studio).routes()))
    sent = base64.b64decode(RED.partition(",")[2])
    photo = client.post(f"{UPLOAD}?kind=photo&name=me.png", content=sent).json()["photo"]
    assert opened(photo).getpixel((4, 4)) == (255, 0, 0)
    told = client.post(f"{UPLOAD}?kind=photo&name=paper.pdf", content=b"%PDF-1.7").json()
    assert told == {"error": "This picture is a PDF document; save its page as a PNG or JPEG picture first."}


def test_words_follow_the_error() -> None:
    said = [in_words(error, 0.5) for error in (0.05, 0.15, 0.3, 0.6)]
    assert len({text.partition(".")[0] for text in said}) == 4
    assert said[1].startswith("A good likeness. Off by 7.5% of the range") and "by 25.0%" in said[1]
