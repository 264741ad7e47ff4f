"""Edits in W and in S: what they change and where, what leaves the picture alone, how a film fades them, refusals."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ganlab.config import InvalidInput
from ganlab.film import Film, Keyframe
from ganlab.networks import dcgan, lucidrains, r3gan, stylegan1, stylegan2, stylegan3
from ganlab.recipe import Edit, Mix, Recipe, Source, pack_channels, pack_latent
from ganlab.synthesis import Memory, Renderer

MAKERS: dict[str, Callable[[], Any]] = {
    "stylegan2": lambda: stylegan2.Generator(16, 0, 12, 32, 3, channel_base=256, channel_max=16, num_fp16_res=0),
    "resnet": lambda: stylegan2.Generator(16, 0, 12, 32, 3, channel_base=256, channel_max=16, architecture="resnet"),
    "stylegan1": lambda: stylegan1.Generator(16, 12, 32, 3, 256, 16, num_layers=2),
    "lucidrains": lambda: lucidrains.Generator(12, 32, 3, 4, 24, num_layers=2),
    "stylegan3": lambda: stylegan3.Generator(16, 0, 12, 32, 3, channel_base=256, channel_max=16, num_layers=6),
}


def made(name: str) -> Renderer:
    torch.manual_seed(0)
    G = MAKERS[name]()
    for key, value in G.state_dict().items():
        if key.endswith(("bias", "noise_strength", "w_avg", "const")):
            value.add_(torch.randn(value.shape) * 0.3)
    return Renderer(G, name)


RENDERERS = {name: made(name) for name in MAKERS}
FAMILY = pytest.mark.parametrize("family", RENDERERS)
BASE = Recipe(sources=(Source(3),), psi=0.8)


def w_edit(value: float = 0.5, **more: Any) -> Edit:
    return Edit("w", "w", pack_latent(np.full(12, value, np.float32)), **more)


def s_edit(*indices: int, value: float = 1.5, **more: Any) -> Edit:
    return Edit("s", "s", pack_channels(np.array(indices), np.full(len(indices), value, np.float32)), **more)


@FAMILY
def test_the_picture_is_the_modules_with_the_same_offsets(family: str) -> None:
    renderer = RENDERERS[family]
    offsets = torch.randn(1, renderer.space.channels, generator=torch.Generator().manual_seed(1)) * 0.5
    edit = Edit(space="s", direction=pack_channels(np.arange(renderer.space.channels), offsets[0].numpy()))
    ws = renderer.latents.ws(BASE)[None]
    with torch.no_grad():
        expected = renderer.G.synthesis(ws, noise_mode="const", offsets=offsets)[0]
        plain = renderer.G.synthesis(ws, noise_mode="const")[0]
    assert (renderer.image(replace(BASE, edits=(edit,))) - expected).abs().max() < 1e-4
    assert (expected - plain).abs().max() > 0.01
    many = renderer.images(ws.expand(3, -1, -1), offsets * torch.tensor([[1.0], [0.0], [1.0]]))
    assert (many - torch.stack([expected, plain, expected])).abs().max() < 1e-4
    both = [replace(BASE, edits=(edit,)), BASE]  # together, where one has offsets and the other has none
    for picture, alone in zip(renderer.pictures(both, exact=False), both):
        off = np.abs(picture.image.astype(int) - renderer.pictures([alone])[0].image.astype(int))
        assert off.max() <= 1


@FAMILY
def test_every_style_has_a_gradient(family: str) -> None:
    renderer = RENDERERS[family]
    offsets = torch.zeros(1, renderer.space.channels, requires_grad=True)
    ws = renderer.latents.ws(BASE)[None].clone()
    renderer.G.synthesis(ws.expand(2, -1, -1), noise_mode="const", offsets=offsets).square().mean().backward()
    assert offsets.grad is not None and (offsets.grad != 0).float().mean() > 0.95


@FAMILY
@pytest.mark.parametrize("kind", [w_edit, lambda **more: s_edit(0, 5, **more)], ids=["w", "s"])
def test_what_is_muted_or_has_no_strength_changes_nothing(family: str, kind: Callable[..., Edit]) -> None:
    renderer, memory = RENDERERS[family], Memory()
    plain = renderer.pictures([BASE], [memory])[0].image
    for edit in (kind(muted=True), kind(strength=0), kind(layers=())):
        picture = renderer.pictures([replace(BASE, edits=(edit,))], [memory])[0]
        assert picture.start_name == "nothing" and np.array_equal(picture.image, plain)
        assert np.array_equal(renderer.pictures([replace(BASE, edits=(edit,))])[0].image, plain)
    changed = replace(BASE, edits=(kind(),))
    assert not np.array_equal(renderer.pictures([changed])[0].image, plain)
    assert np.array_equal(renderer.pictures([changed], [memory])[0].image, renderer.pictures([changed])[0].image)
    assert np.array_equal(renderer.pictures([BASE], [memory])[0].image, plain)


@FAMILY
def test_only_the_layers_from_an_offset_on_are_computed(family: str) -> None:
    renderer = RENDERERS[family]
    for part in renderer.facts()["style_space"]:
        memory = Memory()
        renderer.pictures([BASE], [memory])
        edit = s_edit(part["first"] + part["channels"] - 1)
        for strength in (1, 2):
            change = replace(BASE, edits=(replace(edit, strength=strength),))
            picture = renderer.pictures([change], [memory])[0]
            assert picture.start == part["layer"] and picture.start_name == part["name"]
            assert np.array_equal(picture.image, renderer.pictures([change])[0].image)


@FAMILY
def test_styles_and_where_they_stand(family: str) -> None:
    renderer = RENDERERS[family]
    parts = renderer.facts()["style_space"]
    assert [p["first"] for p in parts] == np.cumsum([0, *[p["channels"] for p in parts]])[:-1].tolist()
    assert sum(p["channels"] for p in parts) == renderer.space.channels == len(renderer.styles(BASE))
    first = 1 if family == "stylegan3" else 0  # its input is moved by w, and has no style
    assert {p["row"] for p in parts} == set(range(first, renderer.engine.num_ws))
    assert [p["channels"] for p in parts] == [s.styles for s in renderer.steps if s.styles]
    made = torch.cat([affine(renderer.latents.ws(BASE)[[row]])[0] for affine, row in _affines(renderer)])
    assert torch.allclose(renderer.styles(BASE), made, atol=1e-6)
    moved = renderer.styles(replace(BASE, edits=(s_edit(2, strength=2),))) - renderer.styles(BASE)
    assert float(moved[2]) == pytest.approx(3, abs=1e-5) and int((moved != 0).sum()) == 1


def _affines(renderer: Renderer) -> list[tuple[Any, int]]:
    """What makes the styles, as the module names it, and its row of ws."""
    affines = renderer.G.synthesis.affines()
    starts = np.cumsum([0, *[len(affine.weight) for affine in affines]])
    return [(affine, int(renderer.space.rows[start])) for affine, start in zip(affines, starts)]


def test_edits_in_w() -> None:
    latents = RENDERERS["stylegan2"].latents
    ws = latents.ws(BASE)
    one = latents.ws(replace(BASE, edits=(w_edit(strength=2, layers=(1, 3)), w_edit(0.25))))
    step = torch.full((8, 12), 0.25)
    step[[1, 3]] += 1
    assert torch.allclose(one - ws, step, atol=1e-6)
    rows = np.random.default_rng(0).normal(size=(8, 12)).astype(np.float32)
    whole = latents.ws(replace(BASE, psi=0.1, edits=(Edit(direction=pack_latent(rows), strength=-1),)))
    assert torch.allclose(whole, latents.ws(replace(BASE, psi=0.1)) - torch.from_numpy(rows), atol=1e-6)


def test_layers_bound_an_edit_of_styles() -> None:
    space = RENDERERS["stylegan2"].space
    every = s_edit(*range(space.channels), layers=(2, 5))
    offsets = space.offsets(replace(BASE, edits=(every,)))
    assert offsets is not None and torch.equal(offsets != 0, (space.rows == 2) | (space.rows == 5))


@FAMILY
def test_a_film_fades_edits(family: str) -> None:
    """A moment between an edited picture and another has the part of its edits that it has of the picture."""
    renderer = RENDERERS[family]
    here = replace(BASE, edits=(s_edit(1, 40, strength=2), w_edit()))
    there = Recipe(sources=(Source(8),), edits=(s_edit(40, strength=-1), w_edit(muted=True)))
    film = Film((Keyframe(here), Keyframe(there)))
    for t in (0.0, 0.25, 0.8, 1.0):
        expected = torch.lerp(renderer.styles(here), renderer.styles(there), t)
        assert torch.allclose(renderer.styles(film.at(t)), expected, atol=1e-5)
    one, same = (renderer.image(r) for r in (film.at(0.0), Recipe(sources=(Source(recipe=here),))))
    assert torch.equal(one, same)


def test_a_film_in_z_fades_edits() -> None:
    renderer = RENDERERS["stylegan2"]
    film = Film((Keyframe(replace(BASE, edits=(s_edit(1, strength=2),))), Keyframe(BASE)), space="z_slerp")
    offset = [renderer.space.offsets(film.at(t)) for t in (0.0, 0.5, 0.9, 1.0)]
    assert [None if o is None else round(float(o[1]), 4) for o in offset] == [3, 1.5, 0.3, None]


def test_mixing_takes_the_styles_of_another_picture_with_its_edits() -> None:
    renderer = RENDERERS["stylegan2"]
    edited = Source(recipe=replace(BASE, edits=(s_edit(*range(renderer.space.channels)),)))
    styles = [renderer.styles(r) for r in (BASE, Recipe(sources=(edited,)))]
    mixed = renderer.styles(replace(BASE, mixes=(Mix(edited, (4, 5), 0.5),)))
    rows = renderer.space.rows
    inside = (rows == 4) | (rows == 5)
    assert torch.allclose(mixed, torch.where(inside, styles[0].lerp(styles[1], 0.5), styles[0]), atol=1e-5)
    back = renderer.styles(Recipe(sources=(edited,), mixes=(Mix(Source(recipe=BASE), (4,)),)))
    assert torch.allclose(back, torch.where(rows == 4, styles[0], styles[1]), atol=1e-5)


REFUSED = [
    (w_edit(layers=(8,)), "edits.1.layers: must be from 0 to 7"),
    (s_edit(1, layers=(30,)), "edits.1.layers: must be from 0 to 7"),
    (s_edit(60_000), "edits.1.direction: names style channel 60000, and this model has 160"),
    (Edit(direction=pack_latent(np.ones((3, 12), np.float32))), "edits.1.direction: has the shape 3 x 12"),
    (Edit(direction=pack_latent(np.ones(512, np.float32))), "this model needs 1 or 8 rows of 12"),
    (Edit(direction="evil"), "edits.1.direction: is damaged"),
    (Edit(space="s"), "edits.1.direction: is damaged"),
]


@pytest.mark.parametrize(("edit", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_does_not_fit_the_model_is_a_sentence(edit: Edit, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        RENDERERS["stylegan2"].pictures([replace(BASE, edits=(w_edit(), edit))])


@pytest.mark.parametrize("family", [dcgan.Generator, r3gan.Generator])
def test_a_model_without_styles_says_so(family: Any) -> None:
    renderer = Renderer(family(8, 0, 16, 3, 128, 16))
    facts = renderer.facts()
    assert facts["style_space"] is None and "no style space" in facts["no_style_space"]
    for use in (renderer.styles, lambda r: renderer.pictures([replace(r, edits=(s_edit(0),))])):
        with pytest.raises(InvalidInput, match="no style space"):
            use(BASE)
    edit = Edit(direction=pack_latent(np.ones(8, np.float32)))
    assert not torch.equal(renderer.image(BASE), renderer.image(replace(BASE, edits=(edit,))))
