"""The editing lab's questions: directions and texts, with a small model and a made-up embedding in CLIP's place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from ganlab.features.faces import Head
from ganlab.networks import dcgan
from ganlab.serving import edits
from ganlab.serving.edits import NO_CLIP, Editing, Texts
from ganlab.serving.models import Catalogue, Model, Painter
from ganlab.serving.studio import Studio
from ganlab.synthesis import Memory, Renderer, open_renderer
from ganlab.text import HOWS
from ganlab.text.words import Vocabulary
from tests.serving.test_studio import Tab
from tests.text.colours import Colours
from tests.tiny_models import write_model

ONE = {"recipe": {"model": "tiny"}}
PLAIN = {"recipe": {"model": "plain"}}
RED = {"neutral": "a thing", "target": "a red thing", "beta": 0.1, **ONE}


class Worded(Colours):
    """Knows which words it knows, as our own CLIP does."""

    vocabulary = Vocabulary(("a", "thing", "red", "green"), 8)

    def hint(self, text: str) -> str:
        return self.vocabulary.hint(text)


class Bright:
    """Reads how bright a picture is."""

    heads = (Head("brightness"),)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return {"brightness": images.mean((1, 2, 3))}


def tab_of(folder: Path, texts: Texts) -> Tab:
    for name in ("tiny", "faces"):
        write_model(folder, name, resolution=16)
    (folder / "plain.safetensors").write_bytes(b"x")

    def load(model: Model) -> Painter:
        if model.name == "plain":
            return Renderer(dcgan.Generator(8, 0, 16, 3, 256, 16), "plain", "p" * 64)
        assert model.path is not None
        renderer = open_renderer(model.path, model.name)
        if model.name == "faces":
            renderer.G.about = {"data": "Cartoon faces, drawn without end"}
        return renderer

    catalogue = Catalogue(load, folder, shipped=folder / "none")
    return Tab(Studio(catalogue, Memory, Editing(texts, Bright)))


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    tab = tab_of(tmp_path, Texts(lambda: "", Worded))
    yield tab
    tab.studio.left(tab.viewer)


def learnt_tab(tmp_path_factory: pytest.TempPathFactory) -> Tab:
    """A tab whose model texts can move."""
    tab = tab_of(tmp_path_factory.mktemp("models"), Texts(lambda: "", Worded))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        for how in HOWS:
            tab.ask(do="learn", how=how, **ONE)
    return tab


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Tab:
    return learnt_tab(tmp_path_factory)


def painted(tab: Tab, **recipe: Any) -> bytes:
    told, picture = tab.ask(do="render", recipe={"model": "tiny", **recipe})
    assert told["type"] == "picture", told
    return picture


def edit_of(direction: dict[str, Any], strength: float) -> dict[str, Any]:
    kept = {name: direction[name] for name in ("name", "space", "layers")}
    return {**kept, "direction": direction["vector"], "strength": strength}


@pytest.mark.parametrize("more", [{"kind": "pca"}, {"kind": "sefa"}, {"kind": "sefa", "layers": [0, 1]}])
def test_directions_are_made_once_and_change_the_picture(tab: Tab, more: dict[str, Any]) -> None:
    told, _ = tab.ask(do="directions", **more, **ONE)
    found = told["directions"]
    assert len(found) == 16 and found[0]["score"] >= found[-1]["score"]
    assert found[0]["layers"] == more.get("layers")
    moved = painted(tab, edits=[edit_of(found[0], 3.0)])
    assert moved != painted(tab) == painted(tab, edits=[{**edit_of(found[0], 3.0), "muted": True}])
    progress = len(tab.parts("progress"))
    assert tab.ask(do="directions", **more, **ONE)[0]["directions"] == found
    assert len(tab.parts("progress")) == progress  # it was there
    assert tab.ask(do="editing", **ONE)[0]["directions"] == found


def test_attributes_are_read_from_pictures_of_faces(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "PICTURES", 160)
    faces = {"recipe": {"model": "faces"}}
    assert tab.ask(do="editing", **faces)[0]["offers"]["boundary"] == ""
    (found,) = tab.ask(do="directions", kind="boundary", **faces)[0]["directions"]
    assert (found["name"], found["kind"]) == ("brightness", "boundary") and found["score"] > 0.6
    assert tab.parts("progress")[-1]["of"] == 160


def test_a_text_becomes_an_edit(learnt: Tab) -> None:
    tab = learnt
    assert tab.parts("progress")[-1]["of"] > 10 and tab.ask(do="editing", **ONE)[0]["ready"] == list(HOWS)
    told, _ = tab.ask(do="text", **{**RED, "target": "a red thingg"})
    assert told["direction"]["space"] == "s" and told["direction"]["name"] == "a red thingg" and told["channels"] > 0
    assert "did you mean “thing”" in told["hint"]
    assert painted(tab, edits=[edit_of(told["direction"], 4.0)]) != painted(tab)
    assert tab.ask(do="text", **{**RED, "beta": 0.6})[0]["channels"] < told["channels"]
    apart = tab.ask(do="text", **RED, how="apart")[0]["direction"]["vector"]
    assert apart != tab.ask(do="text", **RED, how="together")[0]["direction"]["vector"]


def test_learning_can_be_cancelled_and_lets_pictures_through(tab: Tab) -> None:
    number = tab.send(do="learn", **ONE)
    tab.until(lambda h: h["type"] == "progress")
    painted(tab)
    tab.send(do="cancel", what=number)
    assert tab.until(lambda h: h["id"] == number and h["type"] not in ("progress", "tile"))[0]["cancelled"] is True
    assert tab.ask(do="editing", **ONE)[0]["ready"] == []
    assert "Learn this model" in tab.ask(do="text", **RED)[0]["text"]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"do": "directions", "kind": "magic", **ONE}, "must be one of boundary, pca, sefa"),
        ({"do": "directions", **ONE}, "must be one of"),
        ({"do": "directions", "kind": "sefa", "layers": [77], **ONE}, "from 0 to"),
        ({"do": "directions", "kind": "sefa", "layers": ["x"], **ONE}, "whole numbers"),
        ({"do": "directions", "kind": "boundary", **ONE}, "has no attributes"),
        ({"do": "directions", "kind": "sefa", **PLAIN}, "no style space"),
        ({"do": "learn", **PLAIN}, "no style space"),
        ({"do": "text", **RED, "target": ""}, "The target text is empty"),
        ({"do": "text", **RED, "neutral": " "}, "The neutral text is empty"),
        ({"do": "text", **RED, "target": "red " * 2500}, "10,000 characters long"),
        ({"do": "text", **RED, "target": "😀"}, "no word that this model knows"),
        ({"do": "text", **RED, "target": "ein roter Hut"}, "no word that this model knows"),
        ({"do": "text", **RED, "target": "a thing"}, "says the same"),
        ({"do": "text", **RED, "target": 7}, "must be a text"),
        ({"do": "text", **RED, "beta": 0.999, "how": "apart"}, "Beta leaves no channel"),
        ({"do": "text", **RED, "how": "magic"}, "must be one of together, expected, apart"),
        ({"do": "text", **RED, "beta": -1}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(learnt: Tab, message: dict[str, Any], says: str) -> None:
    told, _ = learnt.ask(**message)
    assert told["type"] == "error" and says in told["text"] and told["text"].endswith("."), told
    assert painted(learnt)


def test_what_a_model_offers(tab: Tab, tmp_path: Path) -> None:
    styled = tab.ask(do="editing", **ONE)[0]["offers"]
    plain = tab.ask(do="editing", **PLAIN)[0]["offers"]
    assert (styled["pca"], styled["sefa"], styled["text"], plain["pca"]) == ("", "", "", "")
    assert "cartoon faces" in styled["boundary"]
    assert "no style space" in plain["sefa"] and "no style space" in plain["text"]
    assert tab.ask(do="directions", kind="pca", **PLAIN)[0]["type"] == "directions"


def test_without_a_clip_the_rest_works(tmp_path: Path) -> None:
    tab = tab_of(tmp_path, Texts(lambda: NO_CLIP, Colours))
    assert "train-clip" in tab.ask(do="editing", **ONE)[0]["offers"]["text"]
    for job in ("learn", "text"):
        assert tab.ask(do=job, **RED)[0]["text"].startswith("Text needs our own small CLIP")
    assert tab.ask(do="directions", kind="pca", **ONE)[0]["type"] == "directions"


def test_a_file_of_directions_is_opened_if_it_is_this_model_s(tab: Tab) -> None:
    found = tab.ask(do="directions", kind="sefa", **ONE)[0]["directions"][:3]
    sha256 = tab.ask(do="open", model="tiny")[0]["facts"]["sha256"]
    text = json.dumps({"model": "tiny", "sha256": sha256, "directions": found})
    assert tab.ask(do="directions_open", text=text, **ONE)[0]["directions"] == found
    wrong = {
        "": "is none of directions that this page has saved",
        '{"a": 1}': "is none of directions that this page has saved",
        json.dumps({"directions": found, "sha256": "ab" * 32, "model": "other"}): "directions of another model (other)",
        json.dumps({"directions": [{**found[0], "vector": "1x3:AAAAAAAAAAAAAAAA"}]}): "whose direction",
        json.dumps(
            {"directions": [{"name": "bad", "space": "s", "vector": "1:!!"}]}
        ): "“bad”, whose direction is damaged",
        "[" * 3000: "is none of directions that this page has saved",
    }
    for given, said in wrong.items():
        told = tab.ask(do="directions_open", text=given, **ONE)[0]
        assert told["type"] == "error" and said in told["text"], told
    assert tab.ask(do="directions_open", **ONE)[0]["type"] == "error"
