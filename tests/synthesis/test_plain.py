"""StyleGAN and lucidrains' networks in the labs: the module's picture, every part of a recipe, restarts, noise."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganlab.config import InvalidInput
from ganlab.networks import lucidrains, stylegan1, stylegan2
from ganlab.recipe import ClassShare, Mix, Noise, Pin, Recipe, Source, Stroke, pack_latent
from ganlab.synthesis import Memory, Renderer
from ganlab.synthesis.engine import DTYPES
from ganlab.synthesis.latents import Latents, z_of
from ganlab.synthesis.noise import NoiseMaps
from ganlab.synthesis.renderer import ENGINES
from ganlab.synthesis.store import Store
from ganlab.weights.families import FAMILIES


def random(G: Any) -> Any:
    """The same network with nothing left at zero."""
    for name, value in G.state_dict().items():
        if name.endswith(("bias", "noise_strength", "w_avg", "const")):
            value.add_(torch.randn(value.shape) * 0.3)
    return G


def first(**more: Any) -> Renderer:
    torch.manual_seed(0)
    return Renderer(random(stylegan1.Generator(16, 12, 32, 3, 256, 16, num_layers=2)), "first", **more)


def lucid(**more: Any) -> Renderer:
    torch.manual_seed(0)
    return Renderer(random(lucidrains.Generator(12, 32, 3, 4, 24, num_layers=2)), "lucid", **more)


MADE: dict[str, tuple[Callable[..., Renderer], Renderer]] = {
    "stylegan1": (first, first()),
    "lucidrains": (lucid, lucid()),
}
FAMILY = pytest.mark.parametrize("family", MADE)
BASE = Recipe(sources=(Source(3),), psi=0.8)
CHANGES = {
    "seed": replace(BASE, sources=(Source(4),)),
    "place": replace(BASE, sources=(Source(3, x=0.5),)),
    "blend": replace(BASE, sources=(Source(3), Source(5))),
    "slerp": replace(BASE, sources=(Source(3), Source(5)), space="z_slerp"),
    "psi": replace(BASE, psi=0.3),
    "cutoff": replace(BASE, cutoff=2),
    "mix": replace(BASE, mixes=(Mix(Source(9), (3,)),)),
    "half a mix": replace(BASE, mixes=(Mix(Source(9), (3,), 0.5),)),
    "no noise": replace(BASE, noise=Noise("none")),
    "noise": replace(BASE, noise=Noise("random", seed=1)),
    "another noise": replace(BASE, noise=Noise("random", seed=2)),
    "strength": replace(BASE, noise=Noise(strength=(1, 1, 1, 3))),
    "stroke": replace(BASE, noise=Noise(strokes=(Stroke(0.2, 0.2, 0.3, seed=1, strength=3),))),
    "pin": replace(BASE, noise=Noise(pins=(Pin(3, 5),))),
}


def pixels(renderer: Renderer, recipe: Recipe) -> np.ndarray:
    return renderer.pictures([recipe])[0].image


@FAMILY
@pytest.mark.parametrize("mode", ["const", "none"])
@torch.inference_mode()
def test_the_picture_is_the_modules(family: str, mode: str) -> None:
    renderer = MADE[family][1]
    expected = renderer.G(z_of(3, renderer.G.z_dim)[None], truncation_psi=0.8, noise_mode=mode)[0]
    made = renderer.image(replace(BASE, noise=Noise(mode)))
    assert made.shape == expected.shape and (made - expected).abs().max() < 1e-4


@FAMILY
def test_every_part_of_a_recipe_matters(family: str) -> None:
    seen = {name: pixels(MADE[family][1], recipe).tobytes() for name, recipe in {"": BASE, **CHANGES}.items()}
    assert len(set(seen.values())) == len(seen)


@FAMILY
@pytest.mark.parametrize("change", ["no noise", "noise", "strength", "stroke", "pin"])
@torch.inference_mode()
def test_the_module_makes_it_too_with_what_surrounds_its_latents(family: str, change: str) -> None:
    renderer, recipe = MADE[family][1], CHANGES[change]
    made = renderer.G.synthesis(renderer.lower(recipe).ws[None].repeat(2, 1, 1), **renderer.surroundings(recipe))
    assert (made - renderer.image(recipe)).abs().max() < 1e-4


@FAMILY
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("limit", [1 << 30, 20_000], ids=["all kept", "little kept"])
def test_a_restart_gives_the_same_pixels(family: str, change: str, limit: int) -> None:
    renderer, memory = MADE[family][1], Memory(limit)
    for recipe in (BASE, CHANGES[change], BASE):
        assert np.array_equal(renderer.pictures([recipe], [memory])[0].image, pixels(renderer, recipe))


@pytest.mark.parametrize(
    ("family", "change", "start"),
    [
        ("stylegan1", replace(BASE, mixes=(Mix(Source(9), (7,)),)), "32x32 conv1"),
        ("stylegan1", replace(BASE, mixes=(Mix(Source(9), (0,)),)), "4x4 const"),
        ("stylegan1", replace(BASE, noise=Noise(pins=(Pin(4, 1),))), "16x16 conv0"),
        ("lucidrains", replace(BASE, mixes=(Mix(Source(9), (2,)),)), "16x16 block"),
        ("lucidrains", replace(BASE, noise=Noise(strokes=(Stroke(layer=3),))), "32x32 block"),
        ("lucidrains", replace(BASE, cutoff=1), "8x8 block"),
        ("stylegan1", BASE, "nothing"),
        ("lucidrains", BASE, "nothing"),
    ],
)
def test_only_what_differs_is_computed(family: str, change: Recipe, start: str) -> None:
    renderer, memory = MADE[family][1], Memory()
    renderer.pictures([BASE], [memory])
    assert renderer.pictures([change], [memory])[0].start_name == start


@FAMILY
def test_visitors_are_computed_together(family: str) -> None:
    renderer, recipes = MADE[family][1], [BASE, *CHANGES.values()]
    memories = [Memory() for _ in recipes]
    for _ in range(2):
        recipes = recipes[1:] + recipes[:1]
        for picture, recipe in zip(renderer.pictures(recipes, memories, exact=False), recipes):
            off = np.abs(picture.image.astype(int) - pixels(renderer, recipe).astype(int))
            assert off.max() <= 1 and (off > 0).mean() < 0.01


def test_early_colours_are_the_familys_own() -> None:
    assert not MADE["stylegan1"][1].pictures([BASE], preview=16)[0].preview
    early = MADE["lucidrains"][1].pictures([BASE], preview=16)[0]
    assert early.preview and early.image.shape == (16, 16, 3)


ROWS = {
    "stylegan1": [f"{s}x{s} {n}" for s in (4, 8, 16, 32) for n in ("conv0" if s > 4 else "const", "conv1")],
    "lucidrains": [f"{s}x{s} block" for s in (4, 8, 16, 32)],
}


@FAMILY
def test_facts_are_complete(family: str) -> None:
    make, renderer = MADE[family]
    facts = make(title="A title").facts()
    assert facts.keys() == renderer.facts().keys() and facts["title"] == "A title"
    assert facts["family"] == FAMILIES[family].title and facts["resolution"] == 32 and facts["c_dim"] == 0
    assert [row["name"] for row in facts["rows"]] == [n["name"] for n in facts["noises"]] == ROWS[family]
    assert (
        [row["row"] for row in facts["rows"]] == [n["index"] for n in facts["noises"]] == list(range(facts["num_ws"]))
    )
    assert all(noise["strength"] > 0 for noise in facts["noises"])
    for layer in facts["layers"]:
        made = renderer.activations(BASE, layer["index"])
        assert made.shape == (layer["channels"], layer["resolution"], layer["resolution"])


@FAMILY
def test_noise_map_and_paint_are_in_their_place(family: str) -> None:
    renderer = MADE[family][1]
    assert (renderer.noise_map(BASE, 4) > 0).all()
    silent = replace(BASE, noise=Noise(strength=(0,) * len(renderer.noise.inputs)))
    assert renderer.noise_map(silent, 2).max() < 1e-6
    last = len(renderer.noise.inputs) - 1
    painted = replace(BASE, noise=Noise("none", strokes=(Stroke(0.25, 0.75, 0.2, seed=4, strength=2, layer=last),)))
    changed = (renderer.image(painted) - renderer.image(replace(BASE, noise=Noise("none")))).abs().sum(0)
    assert changed[20:28, 4:12].mean() > 3 * changed[4:12, 20:28].mean()  # right at the bottom left, not turned round


@FAMILY
@torch.inference_mode()
def test_random_noise_is_drawn_as_in_training(family: str) -> None:
    drawn = MADE[family][1].noise.map(Noise("random", 1), 3)
    assert drawn is not None and (bool((drawn < 0).any()) == (family == "stylegan1"))


REFUSED = [
    (replace(BASE, cutoff=20), "cutoff: must be from 0 to"),
    (replace(BASE, mixes=(Mix(Source(1), (12,)),)), "the layers of this model"),
    (replace(BASE, noise=Noise(pins=(Pin(9, 1),))), "names layers that this model does not have"),
    (replace(BASE, sources=(Source(1, classes=(ClassShare(0),)),)), "without classes"),
    (replace(BASE, sources=(Source(latent=pack_latent(np.zeros((3, 12), np.float32))),)), "this model needs 1 or"),
]


@FAMILY
@pytest.mark.parametrize(("recipe", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_does_not_fit_is_a_sentence(family: str, recipe: Recipe, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        MADE[family][1].pictures([recipe])


GENERATORS: list[tuple[Callable[[], Any], str]] = [
    *[
        (partial(stylegan2.Generator, 16, 0, 16, 32, 3, channel_base=512, channel_max=16, num_fp16_res=2), p)
        for p in DTYPES
    ],
    (partial(stylegan2.Generator, 16, 0, 16, 32, 3, channel_base=512, channel_max=16, architecture="resnet"), "fp16"),
    (partial(stylegan1.Generator, 16, 12, 32, 3, 256, 16, num_layers=2), "fp16"),
    (partial(lucidrains.Generator, 12, 32, 3, 4, 24, num_layers=2), "fp16"),
]


@pytest.mark.parametrize(("make", "precision"), GENERATORS)
@torch.inference_mode()
def test_nothing_is_left_on_another_device(make: Callable[[], Any], precision: str) -> None:
    """Tensors without values, which refuse to meet those of another device: what a machine without a GPU can tell."""
    with FakeTensorMode():
        with torch.device("cuda"):
            G = make().requires_grad_(False)
        engine = ENGINES[type(G)](G.synthesis, precision, "cuda")
        ws = Latents(G.mapping, G.z_dim, G.c_dim, G.w_dim, G.num_ws).ws(replace(CHANGES["mix"], center="mean"))
        assert ws.device.type == "cpu"
        noises = NoiseMaps(engine.noises)
        for name in ("psi", "noise", "stroke"):
            maps = [noises.map(CHANGES[name].noise, i) for i in range(len(engine.noises))]
            assert {m.device.type for m in maps if m is not None} == {"cuda"}
            offsets = torch.zeros(2, sum(step.styles for step in engine.steps))
            image = engine.run(ws.expand(2, -1, -1), maps, Store(device="cuda"), offsets=offsets)
            assert image.device.type == "cuda" and image.dtype == torch.float32


def test_another_network_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is a Linear, which the labs cannot render"):
        Renderer(nn.Linear(1, 1))
