"""Recipes and films: JSON both ways, moments between keyframes, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ganlab.config import InvalidInput
from ganlab.recipe import (
    EASINGS,
    ClassShare,
    Film,
    Keyframe,
    Mix,
    Noise,
    Pin,
    Recipe,
    Source,
    Stroke,
    pack_latent,
    unpack_latent,
)

FULL = Recipe(
    model="faces",
    sha256="0" * 64,
    sources=(Source(5, x=0.5, y=-1.5, classes=(ClassShare(2, 0.3),)), Source(recipe=Recipe(psi=1), weight=-0.5)),
    psi=-0.5,
    cutoff=4,
    center="class",
    mixes=(Mix(Source(latent=pack_latent(np.ones((2, 3), np.float32))), (1, 2), 0.5),),
    noise=Noise("random", 3, (1, 0.5), (Pin(1, 4), Pin(2)), (Stroke(0.1, 0.2),)),
)


def test_json_both_ways() -> None:
    assert Recipe.from_json(FULL.to_json()) == FULL
    assert Recipe().to_json() == "{}"
    film = Film((Keyframe(FULL, 2, "smooth"), Keyframe(Recipe(model="faces"))), curve="cubic", loop=False)
    assert Film.from_json(film.to_json()) == film


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


def keys(*seeds: int, **options: Any) -> tuple[Keyframe, ...]:
    return tuple(Keyframe(Recipe(sources=(Source(seed),)), **options) for seed in seeds)


def parts(recipe: Recipe) -> dict[int, float]:
    """Seed of each keyframe -> its weight in a moment."""
    return {s.recipe.sources[0].seed: s.weight for s in recipe.sources if s.recipe is not None}


def test_a_film_goes_through_its_keyframes() -> None:
    film = Film(keys(1, 2, 3))
    assert film.seconds == 3 and len(film.times(10)) == 30
    assert [film.at(t).sources[0].seed for t in (0, 1, 2, 3)] == [1, 2, 3, 1]
    assert parts(film.at(0.25)) == {1: 0.75, 2: 0.25} and parts(film.at(2.5)) == {3: 0.5, 1: 0.5}
    straight = replace(film, loop=False)
    assert straight.seconds == 2 and len(straight.times(10)) == 21 and straight.at(99).sources[0].seed == 3


@pytest.mark.parametrize("loop", [True, False])
def test_a_cubic_way_is_smooth(loop: bool) -> None:
    """On keyframes along a line at even times it is that line; velocity is continuous at uneven ones."""
    film = Film(
        tuple(replace(k, seconds=s) for k, s in zip(keys(1, 2, 3, 4), (1.0, 0.5, 2.0, 1.0))), curve="cubic", loop=loop
    )

    def at(t: float) -> np.ndarray:
        weights = parts(film.at(t)) or {film.at(t).sources[0].seed: 1.0}
        assert abs(sum(weights.values()) - 1) < 1e-9
        return np.array([weights.get(seed, 0.0) for seed in (1, 2, 3, 4)])

    for t in (1.0, 1.5):
        before, after = (at(t) - at(t - 1e-4)) / 1e-4, (at(t + 1e-4) - at(t)) / 1e-4
        assert np.abs(before - after).max() < 1e-2


@pytest.mark.parametrize("easing", EASINGS)
def test_easings_start_and_end_at_keyframes(easing: str) -> None:
    film = Film(keys(1, 2, easing=easing), loop=False)
    assert film.at(0).sources[0].seed == 1
    if easing != "hold":
        assert film.at(1).sources[0].seed == 2
        moments = [parts(film.at(t)).get(2, 0.0) for t in (0.2, 0.5, 0.8)]
        assert moments == sorted(moments) and 0 < moments[1] < 1
    else:
        assert film.at(0.99).sources[0].seed == 1 and film.at(1).sources[0].seed == 2


def test_a_way_in_z_blends_seeds() -> None:
    moment = Film(keys(1, 2), space="z_slerp").at(0.25)
    assert moment.space == "z_slerp" and [(s.seed, s.weight) for s in moment.sources] == [(1, 0.75), (2, 0.25)]


def test_noise_fades_between_keyframes() -> None:
    quiet, loud = Recipe(noise=Noise("none")), Recipe(noise=Noise(strength=(2.0,)))
    moment = Film((Keyframe(quiet), Keyframe(loud))).at(0.75)
    assert moment.noise.mode == "const" and moment.noise.strength[:2] == (1.5, 0.75)
    early = Film((Keyframe(quiet), Keyframe(loud))).at(0.25)
    assert early.noise.mode == "const" and early.noise.strength[:2] == (0.5, 0.25)


def test_a_moment_can_become_a_keyframe() -> None:
    film = Film(keys(1, 2))
    inner = Film((Keyframe(film.at(0.5)), Keyframe(Recipe())))
    assert Recipe.from_json(inner.at(0.5).to_json()) == inner.at(0.5)


BAD_FILMS: list[tuple[Any, str]] = [
    ({"keyframes": []}, "add the current picture"),
    ({"keyframes": [{}] * 10_000}, "at most 100"),
    ({"keyframes": [{"recipe": {"model": "a"}}, {"recipe": {"model": "b"}}]}, "different models"),
    ({"keyframes": [{"seconds": 0}]}, "seconds"),
    ({"keyframes": [{"recipe": json.loads(nested(3))}, {}]}, "keyframes.0: holds recipes nested too deep"),
    ({"keyframes": [{}, {"recipe": crowd(2)}]}, "keyframes.1: is blended from too many seeds"),
    ({"keyframes": [{"recipe": {"sources": [{}, {}]}}], "space": "z_slerp"}, "choose W"),
]


@pytest.mark.parametrize(("data", "says"), BAD_FILMS, ids=[says for _, says in BAD_FILMS])
def test_bad_films_are_a_sentence(data: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Film.from_json(json.dumps(data))
