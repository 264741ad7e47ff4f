"""Figures of edits in the editing lab, with a small model and a made-up embedding in CLIP's place."""

from pathlib import Path
from typing import Any

import pytest

from ganlab.recipe import ClassShare, Mix, Recipe, Source
from ganlab.serving.edits import NO_CLIP, Texts
from ganlab.serving.studio_quality import _others, _said
from ganlab.text import HOWS
from ganlab.text.strength import OTHERS, STRENGTHS, betas
from tests.serving.test_studio import Tab
from tests.serving.test_studio_edits import ONE, PLAIN, RED, Worded, edit_of, learnt_tab, tab_of


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Tab:
    return learnt_tab(tmp_path_factory)


def recipes(*edits: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"model": "tiny", "sources": [{"seed": seed}], "edits": list(edits)} for seed in range(6)]


def test_a_text_edit_is_measured_with_it_and_without(tab: Tab) -> None:
    found = tab.ask(do="text", **RED)[0]
    edit = edit_of(found["direction"], 3.0)
    told, _ = tab.ask(do="quality", recipes=recipes(edit), at=0, neutral="a thing")
    assert told["figures"]["pictures"] == 6 and told["figures"]["similarity"] > 0.3
    assert told["figures"]["flipped"] is None  # no faces: nobody can read attributes from these
    assert sum(layer["channels"] for layer in told["moved"]) == found["channels"]
    assert max(layer["part"] for layer in told["moved"]) == 1
    back, _ = tab.ask(do="quality", recipes=recipes({**edit, "strength": -3.0}), at=0, neutral="a thing")
    assert back["figures"]["similarity"] < -0.3
    muted, _ = tab.ask(do="quality", recipes=recipes({**edit, "muted": True}), at=0, neutral="a thing")
    assert muted["figures"] == told["figures"]  # what it would do


def test_a_text_is_as_strong_as_suits_the_picture(tab: Tab) -> None:
    found = tab.ask(do="fit", **RED, how="any")[0]
    assert found["type"] == "fit" and found["how"] in HOWS and found["strength"] in STRENGTHS, found
    wish, tried = {**RED, "how": found["how"]}, betas(found["how"], RED.get("beta", 0.1))
    assert found["direction"] in [tab.ask(do="text", **{**wish, "beta": beta})[0]["direction"] for beta in tried]

    def measured(strength: float) -> dict[str, Any]:
        edit = edit_of(found["direction"], strength)
        return tab.ask(do="quality", recipes=recipes(edit)[:1], at=0, neutral="a thing")[0]["figures"]

    assert measured(found["strength"])["similarity"] == pytest.approx(found["similarity"], abs=0.02)
    assert found["similarity"] > 0.3
    twice = tab.ask(do="fit", **{**RED, "recipe": recipes(edit_of(found["direction"], found["strength"]))[0]})[0]
    assert twice["type"] == "fit"  # behind an edit that is there


def test_a_fit_takes_those_ways_of_learning_that_beta_leaves_channels(tab: Tab) -> None:
    wishes = {how: tab.ask(do="text", **{**RED, "how": how, "beta": 0.99})[0] for how in HOWS}
    left = {how for how, told in wishes.items() if told["type"] == "text"}
    assert left and left != set(HOWS), wishes
    found = tab.ask(do="fit", **{**RED, "beta": 0.99, "how": "any"})[0]
    assert found["type"] == "fit" and found["how"] in left, found
    (none,) = set(HOWS) - left
    assert "leaves no channel" in tab.ask(do="fit", **{**RED, "beta": 0.99, "how": none})[0]["text"]


def test_a_fit_says_how_far_it_is(tab: Tab) -> None:
    before = len(tab.parts("progress"))
    tab.ask(do="fit", **RED, how="any")
    told = tab.parts("progress")[before:]
    assert len(told) > 5 and told[-1]["done"] == told[-1]["of"] and told[0]["done"] < told[0]["of"]


def test_a_fit_is_tried_on_other_pictures_of_the_class() -> None:
    first = Source(5, classes=(ClassShare(1),), latent="")
    mixed = Recipe(sources=(first,), psi=0.5, mixes=(Mix(Source(9), (0,)),))
    others = _others(mixed)
    assert len({one.sources[0].seed for one in (mixed, *others)}) == 1 + OTHERS
    assert all(one.sources[0].classes == first.classes and not one.mixes and one.psi == 0.5 for one in others)


def test_an_edit_of_styles_says_which_layers_it_moves(tab: Tab) -> None:
    edit = {**edit_of(tab.ask(do="text", **RED)[0]["direction"], 3.0), "layers": [1]}
    told, _ = tab.ask(do="quality", recipes=recipes(edit), at=0, neutral="a thing")
    assert 0 < sum(layer["part"] > 0 for layer in told["moved"]) < len(told["moved"]) / 2


def test_the_others_of_a_stack_stay(tab: Tab) -> None:
    edit = edit_of(tab.ask(do="text", **RED)[0]["direction"], 3.0)
    nothing = {**edit, "strength": 0.0, "name": "a blue thing"}
    told, _ = tab.ask(do="quality", recipes=recipes(edit, nothing), at=1, neutral="a thing")
    assert told["figures"]["similarity"] == 0


def test_edits_of_one_text_are_measured_together_and_one_s_own_picture_by_itself(tab: Tab) -> None:
    edit = edit_of(tab.ask(do="text", **RED)[0]["direction"], 3.0)
    half, second = {**edit, "strength": 2.0}, {**edit, "strength": 1.0}
    others = recipes(half, second)
    told, _ = tab.ask(do="quality", recipes=others[:-1], own=others[-1], at=1, neutral="a thing")
    whole, _ = tab.ask(do="quality", recipes=recipes(edit)[:-1], own=recipes(edit)[-1], at=0, neutral="a thing")
    for figures in ("figures", "own"):
        assert told[figures]["similarity"] == pytest.approx(whole[figures]["similarity"], abs=0.01), figures
    assert (told["own"]["pictures"], told["figures"]["pictures"]) == (1, len(others) - 1)


def test_every_channel_that_moves_is_a_tick(tab: Tab) -> None:
    edit = edit_of(tab.ask(do="text", **RED)[0]["direction"], 3.0)
    moved = tab.ask(do="quality", recipes=recipes(edit), at=0, neutral="a thing")[0]["moved"]
    ticks = [tick for layer in moved for tick in layer["ticks"]]
    assert len(ticks) == sum(layer["channels"] for layer in moved) > 0
    assert all(0 <= place < 1 and -1 <= value <= 1 for place, value in ticks)
    assert max(abs(value) for _, value in ticks) == 1


def test_an_edit_of_w_says_which_layers_it_moves(tab: Tab) -> None:
    direction = tab.ask(do="directions", kind="sefa", layers=[1], **ONE)[0]["directions"][0]
    told, _ = tab.ask(do="quality", recipes=recipes(edit_of(direction, 2.0)), at=0)
    assert [layer["part"] for layer in told["moved"]][:3] == [0, 1, 0]
    assert told["figures"]["similarity"] is None  # its name is no text


def test_models_without_styles_and_without_a_clip(tab: Tab, tmp_path: Path) -> None:
    direction = tab.ask(do="directions", kind="pca", **PLAIN)[0]["directions"][0]
    plain = [{**one, "model": "plain"} for one in recipes(edit_of(direction, 2.0))]
    told, _ = tab.ask(do="quality", recipes=plain, at=0)
    assert told["type"] == "quality" and told["moved"]
    without = tab_of(tmp_path, Texts(lambda: NO_CLIP, Worded))
    direction = without.ask(do="directions", kind="pca", **ONE)[0]["directions"][0]
    told, _ = without.ask(do="quality", recipes=recipes(edit_of(direction, 2.0)), at=0)
    assert told["figures"] is None and told["moved"]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"recipes": recipes(), "at": 0}, "the number of an edit"),
        ({"recipes": recipes(), "at": "x"}, "the number of an edit"),
        ({"recipes": [], "at": 0}, "1 to 24 pictures"),
        ({"recipes": "x", "at": 0}, "1 to 24 pictures"),
        ({"do": "fit", **RED, "target": " "}, "target text is empty"),
        ({"do": "fit", **RED, "how": "x"}, "must be one of together, expected, apart"),
        ({"do": "fit", **RED, "recipe": {"model": "plain"}}, "know the model's channels first"),
    ],
)
def test_what_cannot_be_is_one_sentence(tab: Tab, message: dict[str, Any], says: str) -> None:
    tab.ask(do="render", recipe={"model": "tiny"})
    told, _ = tab.ask(**{"do": "quality", **message})
    assert told["type"] == "error" and says in told["text"], told


def test_the_text_in_a_name() -> None:
    for name, said in {
        "a red thing": "a red thing",
        "PCA 3: long hair, or backwards bald": "long hair",
        "SeFa 2, layers 1, 2: bangs": "bangs",
        "SeFa 2: less beard": "",
        "PCA 12": "",
    }.items():
        assert _said(name) == said
