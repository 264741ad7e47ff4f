"""Recipes: JSON both ways, packed latents and directions, and what is refused."""

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ganlab.config import InvalidInput, from_link, to_link
from ganlab.recipe import (
    LONGEST_LATENT,
    MOST_CHANNELS,
    ClassShare,
    Edit,
    Mix,
    Noise,
    Pin,
    Recipe,
    Source,
    Stroke,
    pack_channels,
    pack_latent,
    pack_maps,
    unpack_channels,
    unpack_latent,
    unpack_maps,
)
from ganlab.render.pictures import png, recipe_in

FULL = Recipe(
    model="faces",
    sha256="0" * 64,
    sources=(Source(5, x=0.5, y=-1.5, classes=(ClassShare(2, 0.3),)), Source(recipe=Recipe(psi=1), weight=-0.5)),
    psi=-0.5,
    cutoff=4,
    center="class",
    mixes=(Mix(Source(latent=pack_latent(np.ones((2, 3), np.float32))), (1, 2), 0.5),),
    noise=Noise(
        "random", 3, (1, 0.5), (Pin(1, 4), Pin(2)), (Stroke(0.1, 0.2),), pack_maps([None, np.eye(4, dtype=np.float32)])
    ),
    edits=(
        Edit("smile", direction=pack_latent(np.ones(3, np.float32)), strength=-1.5, layers=(0, 2)),
        Edit("red hair", "s", pack_channels(np.array([5, 2]), np.array([0.5, -1], np.float32)), 2, muted=True),
    ),
)


def test_json_both_ways() -> None:
    assert Recipe.from_json(FULL.to_json()) == FULL
    assert Recipe().to_json() == "{}"
    assert from_link(Recipe, to_link(FULL)) == FULL
    picture = np.zeros((4, 4, 3), np.uint8)
    assert Recipe.from_json(recipe_in(png(picture, FULL.to_json()))) == FULL


BAD: list[tuple[Any, str]] = [
    ({"psi": float("nan")}, "psi: must be a number from -1 to 2"),
    ({"psi": 3}, "psi"),
    ({"sources": []}, "at least one"),
    ({"sources": [{"weight": 1}, {"weight": -1}]}, "sum to zero"),
    ({"sources": [{"seed": -1}]}, "sources.0.seed"),
    ({"sources": [{}] * 17}, "at most 16"),
    ({"space": "z_slerp", "sources": [{}, {"latent": "1x1:AAAAAA=="}]}, "no z of its own"),
    ({"space": "z_lerp", "sources": [{}, {"weight": -0.5}]}, "no z of its own"),
    ({"noise": {"strokes": [{}] * 201}}, "at most 200"),
    ({"noise": {"mode": "loud"}}, "not one of const, none, random"),
    ({"model": "x" * 1000}, "model"),
    ({"noise": {"strokes": [{"radius": 0.3}] * 70}}, "noise.strokes: cover the picture more than 24 times over"),
    ({"center": "class", "sources": [{"classes": [{"index": i} for i in range(9)]}]}, "at most 8 classes"),
    ({"edits": [{}] * 17}, "at most 16"),
    ({"edits": [{"strength": 1e9}]}, "edits.0.strength"),
    ({"edits": [{"space": "z"}]}, "edits.0.space.* is not one of w, s"),
    ({"edits": [{"layers": [-1]}]}, "edits.0.layers"),
    ({"edits": [{"layers": 3}]}, "edits.0.layers.* must be a list"),
    ({"edits": [{"direction": "A" * (LONGEST_LATENT // 2 + 1)}] * 2}, "edits: are too large together"),
    ({"exec": "rm"}, "not a known setting"),
    ({"mixes": [{"layers": [-1]}]}, "mixes.0.layers"),
    ([], "object"),
]


@pytest.mark.parametrize(("data", "says"), BAD, ids=[says for _, says in BAD])
def test_bad_recipes_name_the_field(data: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Recipe.from_dict(data)


def nested(depth: int) -> str:
    return '{"sources":[{"recipe":' * depth + "{}" + "}]}" * depth


@pytest.mark.parametrize("depth", [4, 300, 3000])
def test_recipes_are_not_nested_without_end(depth: int) -> None:
    Recipe.from_json(nested(3))
    with pytest.raises(InvalidInput):
        Recipe.from_json(nested(depth))


def crowd(levels: int, **leaf: float) -> dict[str, Any]:
    """16 sources, each of them 16 sources, and so on."""
    return {"sources": [leaf if levels == 1 else {"recipe": crowd(levels - 1, **leaf)}] * 16}


def test_a_recipe_asks_for_a_bounded_number_of_seeds() -> None:
    assert Recipe.from_dict(crowd(2)).points == 256
    assert Recipe.from_dict(crowd(1, x=0.5)).points == 32 and Recipe.from_dict(crowd(1, x=0.5, y=0.5)).points == 64
    with pytest.raises(InvalidInput, match="name more than 1,000 seeds"):
        Recipe.from_dict(crowd(2, x=0.5, y=0.5))
    with pytest.raises(InvalidInput, match=r"sources: has 80,000 items"):
        Recipe.from_json('{"sources":[' + ",".join(["{}"] * 80_000) + "]}")


def test_latents_survive_packing() -> None:
    ws = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    assert np.array_equal(unpack_latent(pack_latent(ws)), ws)
    for bad in ("", "2x2:AAAA", "0x4:", "-1x-1:AAAAAA==", "99x1:" + "AAAAAAAA" * 70, pack_latent(ws * np.nan)):
        with pytest.raises(InvalidInput, match="latent"):
            unpack_latent(bad)


def test_noise_maps_survive_packing() -> None:
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(side, side)).astype(np.float32) for side in (4, 128)]
    first, none, last = unpack_maps(pack_maps([maps[0], None, maps[1]]))
    assert first is not None and last is not None and none is None
    for before, after in zip(maps, (first, last)):
        assert np.abs(before.clip(-3.9, 3.9) - after).max() <= 1 / 64 + 0.07 * (np.abs(before).max() > 3.9)
    sides = (4, *(side for side in (8, 16, 32, 64, 128) for _ in "ab"))
    largest = pack_maps([*(np.zeros((side, side), np.float32) for side in sides), *[None] * 6])
    assert Noise(maps=largest).maps == largest  # those of a model of 1,024 px fit
    with pytest.raises(ValueError, match="at most 128 x 128"):
        pack_maps([np.zeros((256, 256), np.float32)])
    for bad in ("", ":", "4", "4:", "4:AAAA", "x:AAAA", "-4:" + "A" * 24, "2,2:AAAA", "9999999999:AAAA", "0,4:\u00e9"):
        with pytest.raises(InvalidInput, match="maps: of noise are damaged"):
            unpack_maps(bad)


def test_an_old_recipe_is_as_short_as_it_was() -> None:
    assert "edits" not in replace(FULL, edits=()).to_dict() and Recipe.from_json('{"psi":0.5}').edits == ()
    assert replace(FULL, edits=(Edit(),)).to_dict()["edits"] == [{}]


@pytest.mark.parametrize("count", [0, 1, 500])
def test_offsets_of_channels_survive_packing(count: int) -> None:
    rng = np.random.default_rng(count)
    indices, values = rng.permutation(9088)[:count], rng.normal(size=count).astype(np.float32)
    back, found = unpack_channels(pack_channels(indices, values))
    order = np.argsort(indices)
    assert np.array_equal(back, indices[order]) and np.array_equal(found, values[order])


def channels(*pairs: tuple[int, float]) -> str:
    """Packed as they stand, in whatever order."""
    body = np.array([i for i, _ in pairs], "<u4").tobytes() + np.array([v for _, v in pairs], "<f4").tobytes()
    return f"{len(pairs)}:{base64.b64encode(body).decode()}"


HOSTILE = {
    "": "damaged",
    "1": "damaged",
    "x:AAAA": "damaged",
    "-1:": "damaged",
    "2:AAAAAAAAAAA=": "damaged",
    "1:AAAA": "damaged",
    "1:\u00e9": "damaged",
    f"{'9' * 5000}:": "damaged",
    "1000000000:AAAAAAAAAAA=": "damaged",
    channels((3, 1), (3, 1)): "twice",
    channels((3, 1), (2, 1)): "out of order",
    channels((MOST_CHANNELS, 1)): "far too many",
    channels((2**32 - 1, 1)): "far too many",
    channels((1, float("nan"))): "not finite",
    channels((1, float("inf"))): "not finite",
    channels((1, 1e7)): "far too large",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_channels_are_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput, match=f"direction: .*{HOSTILE[text]}"):
        Edit(space="s", direction=text).channels()
    with pytest.raises(InvalidInput, match="direction: is damaged; choose the edit again"):
        Edit(direction=text).rows()
