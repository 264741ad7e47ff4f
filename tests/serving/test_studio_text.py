"""Texts that take their time, asked as a page asks: optimization and mappers, with a made-up embedding of colours."""

import base64
from pathlib import Path
from typing import Any

import pytest
import torch

from ganlab.serving.edits import NO_CLIP, Texts
from ganlab.serving.studio_text import WAYPOINTS, Waypoints
from ganlab.text.optimize import Moment
from tests.serving.test_studio import Tab
from tests.serving.test_studio_edits import ONE, PLAIN, Worded, painted, tab_of
from tests.text.colours import Colours

WORDS = {"neutral": "a thing", "target": "a red thing"}
HOW = {**WORDS, "steps": 12, "l2": 0.0}
RUN = {**WORDS, "steps": 6, "batch": 2, "lr": 0.3}
SEED = {"model": "tiny", "sources": [{"seed": 7}]}


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Tab:
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()  # imports much the first time, which is slow
    return tab_of(tmp_path_factory.mktemp("models"), Texts(lambda: "", Worded))


@pytest.fixture(scope="module")
def mapper(tab: Tab) -> str:
    """The name of a mapper that was trained."""
    told, _ = tab.ask(do="mapper_train", run=RUN, **ONE)
    assert told["type"] == "mapper" and told["target"] == "a red thing", told
    return str(told["mapper"])


def parts_of(tab: Tab, number: int, kind: str) -> list[tuple[dict[str, Any], bytes]]:
    return [(header, body) for header, body in tab.heard if header["id"] == number and header["type"] == kind]


@pytest.mark.parametrize("space", ["w", "s"])
def test_optimization_shows_its_way_and_answers_with_it(tab: Tab, space: str) -> None:
    told, _ = tab.ask(do="optimize", how={**HOW, "space": space}, recipe=SEED)
    assert told["type"] == "way" and told["steps"] == list(range(1, 13)) and told["cancelled"] is False
    assert [edit["space"] for edit in told["edits"]] == [space] * 12
    progress = [header for header, _ in parts_of(tab, told["id"], "progress")]
    assert [header["done"] for header in progress] == list(range(13))
    assert progress[-1]["terms"]["clip"] < progress[0]["terms"]["clip"]
    tiles = parts_of(tab, told["id"], "tile")
    assert len(tiles) == 13 and tiles[0][1][:2] == b"\xff\xd8"
    pictures = [painted(tab, **SEED, edits=edits) for edits in ([], told["edits"][:1], told["edits"][-1:])]
    assert len(set(pictures)) == 3


def test_optimization_is_stopped_and_lets_pictures_through(tab: Tab) -> None:
    number = tab.send(do="optimize", how={**HOW, "steps": 5000}, recipe=SEED)
    tab.until(lambda h: h["id"] == number and h.get("done", 0) >= 3)
    painted(tab)
    tab.send(do="cancel", what=number)
    told, _ = tab.until(lambda h: h["id"] == number and h["type"] == "way")
    assert told["cancelled"] is True and 3 <= told["steps"][-1] < 5000
    assert painted(tab, **SEED, edits=told["edits"][-1:]) != painted(tab, **SEED)


def test_of_a_long_way_some_points_are_kept() -> None:
    for steps in (1, 5, 20, 41, 300, 5000):
        way = Waypoints()
        for step in range(steps + 1):
            way.add(Moment(step, torch.zeros(()), 0.0, 0.0, 0.0, torch.zeros(())))
        kept = [moment.step for moment in way.moments()]
        assert kept == sorted(set(kept)) and kept[0] > 0 and kept[-1] == steps
        assert min(steps, WAYPOINTS // 2) <= len(kept) <= WAYPOINTS
    assert Waypoints().moments() == []


def test_a_mapper_is_trained_applied_saved_and_opened_again(tab: Tab, mapper: str) -> None:
    number = next(header["id"] for header, _ in tab.heard if header["type"] == "mapper")
    progress = [header for header, _ in parts_of(tab, number, "progress")]
    assert [header["done"] for header in progress] == list(range(7))
    assert set(progress[0]["terms"]) == {"clip", "distance", "identity"} and parts_of(tab, number, "tile")
    other = {"model": "tiny", "sources": [{"seed": 8}]}
    edits = tab.ask(do="mapper_apply", mapper=mapper, recipes=[SEED, other])[0]["edits"]
    assert edits[0]["direction"] != edits[1]["direction"] and edits[0]["name"] == "a red thing"
    assert painted(tab, **SEED, edits=edits[:1]) != painted(tab, **SEED)
    header, data = tab.ask(do="mapper_save", mapper=mapper, **ONE)
    assert header["name"] == "ganlab-mapper-a-red-thing.safetensors"
    told, _ = tab.ask(do="mapper_open", data=base64.b64encode(data).decode(), **ONE)
    assert (told["mapper"], told["groups"]) == (mapper, ["coarse", "middle", "fine"])
    elsewhere = {"recipe": {"model": "faces"}}  # another file with the same weights: another model
    refused, _ = tab.ask(do="mapper_open", data=base64.b64encode(data).decode(), **elsewhere)
    assert "holds a mapper of another model" in refused["text"]
    assert (
        "no longer on this server" in tab.ask(do="mapper_apply", mapper=mapper, recipes=[{"model": "faces"}])[0]["text"]
    )


def test_a_mapper_that_is_stopped_is_kept_as_it_is(tab: Tab) -> None:
    number = tab.send(do="mapper_train", run={**RUN, "steps": 5000}, **ONE)
    tab.until(lambda h: h["id"] == number and h.get("done", 0) >= 2)
    painted(tab)
    tab.send(do="cancel", what=number)
    told, _ = tab.until(lambda h: h["id"] == number and h["type"] in ("mapper", "done", "error"))
    assert told["type"] == "mapper" and told["cancelled"] is True and told["step"] >= 2
    assert tab.ask(do="mapper_apply", mapper=told["mapper"], recipes=[SEED])[0]["type"] == "edits"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"do": "optimize", "how": HOW, **PLAIN}, "no style space"),
        ({"do": "optimize", "how": None, **ONE}, "named settings"),
        ({"do": "optimize", "how": {**HOW, "steps": 10**6}, **ONE}, "from 1 to 5000"),
        ({"do": "optimize", "how": {**HOW, "space": "q"}, **ONE}, "not one of w, s"),
        ({"do": "optimize", "how": {**HOW, "target": " "}, **ONE}, "The target text is empty"),
        ({"do": "optimize", "how": {**HOW, "target": "😀"}, **ONE}, "no word that this model knows"),
        ({"do": "optimize", "how": {**HOW, "neutral": "😀"}, **ONE}, "The neutral text holds no word"),
        ({"do": "optimize", "how": {**HOW, "layers": [77]}, **ONE}, "from 0 to 5"),
        ({"do": "optimize", "how": {**HOW, "magic": 1}, **ONE}, "not a known setting"),
        ({"do": "mapper_train", "run": RUN, **PLAIN}, "no style space"),
        ({"do": "mapper_train", "run": {**RUN, "groups": []}, **ONE}, "at least one of coarse, middle and fine"),
        ({"do": "mapper_train", "run": {**RUN, "groups": ["x"]}, **ONE}, "not one of coarse"),
        ({"do": "mapper_train", "run": {**RUN, "target": "red " * 100}, **ONE}, "400 characters long"),
        ({"do": "mapper_apply", "mapper": "none", "recipes": [SEED]}, "no longer on this server"),
        ({"do": "mapper_apply", "mapper": None, "recipes": [SEED]}, "no longer on this server"),
        ({"do": "mapper_save", "mapper": ["x"], **ONE}, "no longer on this server"),
        ({"do": "mapper_open", "data": "?", **ONE}, "This file was damaged on its way"),
        ({"do": "mapper_open", "data": "", **ONE}, "This file is not a mapper"),
        ({"do": "mapper_open", **ONE}, "This file is not a mapper"),
        ({"do": "mapper_open", "data": base64.b64encode(b"\x80\x04pickle").decode(), **ONE}, "is not a mapper"),
    ],
)
def test_what_cannot_be_is_one_sentence(tab: Tab, message: dict[str, Any], says: str) -> None:
    told, _ = tab.ask(**message)
    assert told["type"] == "error" and says in told["text"] and told["text"].endswith("."), told


def test_too_many_pictures_at_once(tab: Tab, mapper: str) -> None:
    assert "1 to 24" in tab.ask(do="mapper_apply", mapper=mapper, recipes=[SEED] * 25)[0]["text"]


def test_without_a_clip_it_says_so(tmp_path: Path) -> None:
    tab = tab_of(tmp_path, Texts(lambda: NO_CLIP, Colours))
    for message in ({"do": "optimize", "how": HOW}, {"do": "mapper_train", "run": RUN}):
        assert tab.ask(**message, **ONE)[0]["text"].startswith("Text needs our own small CLIP")


def test_a_public_server_bounds_what_keeps_others_waiting(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_PUBLIC", "1")
    for message in (
        {"do": "optimize", "how": {**HOW, "steps": 2000}},
        {"do": "mapper_train", "run": {**RUN, "steps": 2000}},
    ):
        assert "at most 1000 on a public server" in tab.ask(**message, **ONE)[0]["text"]
