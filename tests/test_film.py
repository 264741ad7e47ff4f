"""Films: moments between keyframes, how edits and noise fade, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ganlab.config import InvalidInput
from ganlab.film import EASINGS, Film, Keyframe
from ganlab.recipe import Edit, Noise, Recipe, Source, pack_channels, pack_latent


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


RED = Edit("red hair", "s", pack_channels(np.array([3, 7]), np.array([1, -2], np.float32)), 2.0, (1, 2))
SMILE = Edit("smile", "w", pack_latent(np.ones(8, np.float32)), 1.0)


def test_edits_fade_between_keyframes_in_z() -> None:
    """In W the moment blends the finished pictures, edits with them: see tests/synthesis/test_edits.py."""
    one = Recipe(edits=(RED, SMILE, replace(SMILE, muted=True)))
    other = Recipe(sources=(Source(2),), edits=(replace(RED, strength=4.0), replace(RED, name="other")))
    film = Film((Keyframe(one), Keyframe(other)), space="z_slerp")
    assert film.at(0) == one and film.at(1) == other
    expected = (replace(RED, strength=2.5), replace(SMILE, strength=0.75), replace(RED, name="other", strength=0.5))
    assert film.at(0.25).edits == expected
    twice = Recipe(edits=(RED, RED))
    assert (
        Film((Keyframe(twice), Keyframe(Recipe())), space="z_lerp").at(0.5).edits == (replace(RED, strength=1.0),) * 2
    )
    in_w = Film((Keyframe(one), Keyframe(other))).at(0.25)
    assert in_w.edits == () and [source.recipe for source in in_w.sources] == [one, other]


def test_more_edits_than_fit_are_refused_before_a_film_is_shown() -> None:
    some, others = (Recipe(edits=tuple(replace(SMILE, name=f"{k}{i}") for i in range(9))) for k in "ab")
    Film((Keyframe(some), Keyframe(some)), space="z_slerp").at(0.5)
    Film((Keyframe(some), Keyframe(others))).at(0.5)
    with pytest.raises(InvalidInput, match=r"keyframes\.0: and the next have too many edits to fade in Z"):
        Film((Keyframe(some), Keyframe(others)), space="z_slerp")


def test_json_both_ways() -> None:
    film = Film((Keyframe(Recipe(edits=(RED,)), 2, "smooth"), Keyframe(Recipe())), curve="cubic", loop=False)
    assert Film.from_json(film.to_json()) == film


def test_a_moment_can_become_a_keyframe() -> None:
    film = Film(keys(1, 2))
    inner = Film((Keyframe(film.at(0.5)), Keyframe(Recipe())))
    assert Recipe.from_json(inner.at(0.5).to_json()) == inner.at(0.5)


def nested(depth: int) -> str:
    return '{"sources":[{"recipe":' * depth + "{}" + "}]}" * depth


def crowd(levels: int, **leaf: float) -> dict[str, Any]:
    """16 sources, each of them 16 sources, and so on."""
    return {"sources": [leaf if levels == 1 else {"recipe": crowd(levels - 1, **leaf)}] * 16}


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
