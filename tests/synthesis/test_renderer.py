"""Recipes in, pictures out: what each part of a recipe does, restarts, batches, previews, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.networks.stylegan2 import Generator
from ganlab.recipe import ClassShare, Mix, Noise, Pin, Recipe, Source, Stroke, map_seed, pack_latent, pack_maps
from ganlab.synthesis import Cancelled, Memory, Renderer, open_renderer
from ganlab.synthesis.latents import slerp, z_of
from ganlab.synthesis.noise import NoiseMaps
from ganlab.synthesis.steps import NoiseInput


def model(c_dim: int = 0, **options: Any) -> Renderer:
    torch.manual_seed(0)
    options = {"channel_base": 1024, "channel_max": 16, "mapping_kwargs": {"num_layers": 2}, **options}
    G = Generator(16, c_dim, 16, 32, 3, num_fp16_res=0, **options)
    for layer in G.synthesis.layers():
        layer.noise_strength.data.fill_(0.3)
    G.mapping.w_avg.normal_(0, 0.5)
    return Renderer(G, "tiny", classes=["cat", "dog", "hen"][:c_dim])


PLAIN = model()
CLASSES = model(3)
BASE = Recipe(sources=(Source(3),), psi=0.8)


def pixels(recipe: Recipe, renderer: Renderer = PLAIN) -> np.ndarray:
    return renderer.pictures([recipe])[0].image


def differ(a: Recipe, b: Recipe, renderer: Renderer = PLAIN) -> bool:
    return not np.array_equal(pixels(a, renderer), pixels(b, renderer))


def test_the_picture_is_the_networks() -> None:
    G = PLAIN.G
    with torch.inference_mode():
        z = torch.from_numpy(np.random.RandomState(3).randn(1, 16)).float()
        image = G.synthesis(G.mapping(z, truncation_psi=0.8), noise_mode="const")
    expected = (image[0] * 127.5 + 128).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    off = np.abs(expected.astype(int) - pixels(BASE).astype(int))
    assert off.max() <= 1 and (off > 0).mean() < 0.001


CHANGES = [
    replace(BASE, sources=(Source(4),)),
    replace(BASE, sources=(Source(3, x=0.5),)),
    replace(BASE, sources=(Source(3), Source(5))),
    replace(BASE, sources=(Source(3), Source(4)), space="z_slerp"),
    replace(BASE, psi=0.3),
    replace(BASE, cutoff=2),
    replace(BASE, mixes=(Mix(Source(9), (6,)),)),
    replace(BASE, mixes=(Mix(Source(9), (6,), 0.5),)),
    replace(BASE, noise=Noise("none")),
    replace(BASE, noise=Noise("random", seed=1)),
    replace(BASE, noise=Noise("random", seed=2)),
    replace(BASE, noise=Noise(strength=(1, 1, 1, 1, 1, 1, 2))),
    replace(BASE, noise=Noise(strokes=(Stroke(0.2, 0.2, 0.2, seed=1),))),
    replace(BASE, noise=Noise(pins=(Pin(6, 5),))),
]


def test_every_part_of_a_recipe_matters() -> None:
    seen = [pixels(recipe).tobytes() for recipe in [BASE, *CHANGES]]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("k", range(len(CHANGES)))
def test_a_restart_gives_the_same_pixels(k: int) -> None:
    memory = Memory()
    PLAIN.pictures([BASE], [memory])
    again = PLAIN.pictures([BASE], [memory])[0]
    assert again.start_name == "nothing" and np.array_equal(again.image, pixels(BASE))
    changed = PLAIN.pictures([CHANGES[k]], [memory])[0]
    assert np.array_equal(changed.image, pixels(CHANGES[k]))
    assert np.array_equal(PLAIN.pictures([BASE], [memory])[0].image, pixels(BASE))


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (replace(BASE, mixes=(Mix(Source(9), (7,)),)), "32x32 torgb"),
        (replace(BASE, mixes=(Mix(Source(9), (6, 7)),)), "32x32 conv1"),
        (replace(BASE, mixes=(Mix(Source(9), (0,)),)), "4x4 conv1"),
        (replace(BASE, noise=Noise(strength=(1, 1, 1, 1, 1, 0.5))), "32x32 conv0"),
        (replace(BASE, noise=Noise(strokes=(Stroke(layer=4),))), "16x16 conv1"),
        (replace(BASE, cutoff=6), "32x32 conv1"),
    ],
)
def test_only_what_differs_is_computed(change: Recipe, start: str) -> None:
    memory = Memory()
    PLAIN.pictures([BASE], [memory])
    assert PLAIN.pictures([change], [memory])[0].start_name == start


def test_visitors_are_computed_together_and_keep_what_is_theirs() -> None:
    recipes = [BASE, *CHANGES[:5], BASE]
    memories = [Memory() for _ in recipes]
    for turn in range(3):
        turned = recipes[turn:] + recipes[:turn]
        made = PLAIN.pictures(turned, memories, exact=False)
        for picture, recipe in zip(made, turned):
            off = np.abs(picture.image.astype(int) - pixels(recipe).astype(int))
            assert off.max() <= 1 and (off > 0).mean() < 0.01
    exact = PLAIN.pictures([BASE], [memories[0]])[0]
    assert np.array_equal(exact.image, pixels(BASE))


def test_memory_of_another_model_is_not_used() -> None:
    memory, other = Memory(), model(channel_max=8)
    PLAIN.pictures([BASE], [memory])
    assert np.array_equal(other.pictures([BASE], [memory])[0].image, pixels(BASE, other))
    assert np.array_equal(PLAIN.pictures([BASE], [memory])[0].image, pixels(BASE))


def test_memory_that_a_batch_of_another_model_left_is_not_used() -> None:
    memories, other = [Memory(), Memory()], model(channel_max=8)
    PLAIN.pictures([BASE, CHANGES[0]], memories, exact=False)
    assert np.array_equal(other.pictures([BASE], memories[:1])[0].image, pixels(BASE, other))


def test_a_batch_leaves_copies_behind() -> None:
    memories = [Memory(), Memory()]
    for _ in range(2):  # into new memory, and into what is there
        PLAIN.pictures([BASE, CHANGES[0]], memories, exact=False)
        for memory in memories:
            assert all(t.untyped_storage().nbytes() == t.nbytes for t in memory.store.made.values())
    with pytest.raises(ValueError, match="one picture at a time"):
        PLAIN.pictures([BASE, CHANGES[0]], [memories[0]] * 2)


def test_a_picture_that_failed_leaves_nothing_wrong_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    PLAIN.pictures([BASE], [memory])
    run_one = PLAIN.engine.run_one

    def failing(given: Any, store: Any, i: int) -> None:
        if i == 6:
            raise MemoryError
        run_one(given, store, i)

    with monkeypatch.context() as patch:
        patch.setattr(PLAIN.engine, "run_one", failing)
        with pytest.raises(MemoryError):
            PLAIN.pictures([CHANGES[0]], [memory])
    assert np.array_equal(PLAIN.pictures([BASE], [memory])[0].image, pixels(BASE))


def test_an_early_preview_is_part_of_the_way() -> None:
    memory = Memory()
    early = PLAIN.pictures([BASE], [memory], preview=16)[0]
    assert early.preview and early.image.shape == (16, 16, 3)
    full = PLAIN.pictures([BASE], [memory])[0]
    assert not full.preview and full.start_name == "32x32 conv0" and np.array_equal(full.image, pixels(BASE))
    again = PLAIN.pictures([BASE], [memory], preview=16)[0]
    assert again.start_name == "nothing" and np.array_equal(again.image, early.image)
    assert not model(architecture="resnet").pictures([BASE], preview=16)[0].preview  # it has no early colours


def test_map_of_seeds() -> None:
    at = map_seed(3, 2, -1)
    here, there = (replace(BASE, sources=(source,)) for source in (Source(3, x=2, y=-1), Source(at)))
    assert np.array_equal(pixels(here), pixels(there))
    ws = [PLAIN.latents.ws(replace(BASE, psi=1, sources=(Source(3, x=x, y=y),))) for x in (0, 1) for y in (0, 1)]
    middle = PLAIN.latents.ws(replace(BASE, psi=1, sources=(Source(3, x=0.5, y=0.5),)))
    assert torch.allclose(middle, torch.stack(ws).mean(0), atol=1e-6)


def test_blends() -> None:
    a, b = (PLAIN.latents.ws(replace(BASE, sources=(Source(s),))) for s in (3, 4))
    blended = PLAIN.latents.ws(replace(BASE, sources=(Source(3, weight=1), Source(4, weight=3))))
    assert torch.allclose(blended, 0.25 * a + 0.75 * b, atol=1e-6)
    nested = Recipe(sources=(Source(recipe=replace(BASE, psi=0.5)),), psi=0.1)
    assert torch.equal(PLAIN.latents.ws(nested), PLAIN.latents.ws(replace(BASE, psi=0.5)))


def test_slerp_keeps_the_length_and_the_angle() -> None:
    a, b = z_of(1, 512), z_of(2, 512)
    middle = slerp(a, b, 0.5)
    assert abs(float(middle.norm() - (a.norm() + b.norm()) / 2)) < 1e-3
    quarter = slerp(a, b, 0.25)
    angles = [float(torch.arccos(torch.cosine_similarity(a, x, dim=0))) for x in (quarter, middle)]
    assert abs(angles[1] - 2 * angles[0]) < 1e-3
    assert torch.allclose(slerp(a, a, 0.3), a, atol=1e-4)


def test_uploaded_latents() -> None:
    ws = PLAIN.latents.ws(BASE)
    uploaded = replace(BASE, psi=1, sources=(Source(latent=pack_latent(ws.numpy())),))
    assert np.array_equal(pixels(uploaded), pixels(BASE))
    one = replace(BASE, psi=1, sources=(Source(latent=pack_latent(ws[0].numpy())),))
    assert np.array_equal(pixels(one), pixels(BASE))


def test_classes_and_their_centres() -> None:
    cat, dog, both = (
        replace(BASE, sources=(Source(3, classes=classes),))
        for classes in ((ClassShare(0),), (ClassShare(1),), (ClassShare(0, 0.5), ClassShare(1, 0.5)))
    )
    assert differ(cat, dog, CLASSES) and differ(cat, both, CLASSES) and differ(dog, both, CLASSES)
    assert differ(cat, replace(cat, center="class"), CLASSES)
    gone = replace(cat, psi=0.0, center="class")
    assert not differ(gone, replace(gone, sources=(Source(99, classes=(ClassShare(0),)),)), CLASSES)
    mean = torch.stack([CLASSES.latents._w_of(seed, (ClassShare(1),)) for seed in range(800)]).mean(0)
    center = CLASSES.latents.ws(replace(dog, psi=0.0, center="class"))[0]
    assert (mean - center).norm() < 0.2 * mean.norm() + 0.2


def test_noise_can_be_pinned_and_painted() -> None:
    with torch.inference_mode():
        maps = PLAIN.noise.map(Noise("random", 1, pins=(Pin(5, None),)), 5)
        assert torch.equal(maps, PLAIN.noise.inputs[5].const * 0.3)
        painted = PLAIN.noise.map(Noise(strokes=(Stroke(0.25, 0.25, 0.2, strength=0.0),)), 6)
        plain = PLAIN.noise.map(Noise(), 6)
    assert painted[8, 8] == 0 and torch.equal(painted[20:], plain[20:])
    none = Noise("none", strokes=(Stroke(0.25, 0.25, 0.2, seed=4),))
    spread = np.abs(
        pixels(replace(BASE, noise=none)).astype(int) - pixels(replace(BASE, noise=Noise("none"))).astype(int)
    )
    assert spread[6:10, 6:10].mean() > 3 * spread[24:, 24:].mean()


MAPS = [None, None, np.zeros((8, 8), np.float32), *[None] * 3, np.eye(32, dtype=np.float32)]  # of PLAIN


def test_a_recipe_carries_noise_maps_of_its_own() -> None:
    own = Noise(maps=pack_maps(MAPS))
    with torch.inference_mode():
        found, as_before = PLAIN.noise.map(own, 6), PLAIN.noise.map(own, 5)
        assert torch.allclose(found, 0.3 * torch.eye(32)) and torch.equal(as_before, PLAIN.noise.map(Noise(), 5))
        held = replace(own, mode="random", pins=(Pin(6),))
        assert torch.equal(PLAIN.noise.map(held, 6), found)  # held at what it carries
        half = replace(own, strength=(1, 1, 1, 1, 1, 1, 0.5), strokes=(Stroke(0.9, 0.1, 0.05, seed=1),))
        assert torch.allclose(PLAIN.noise.map(half, 6)[16:], found[16:] / 2)
    recipe = replace(BASE, noise=own)
    assert differ(recipe, BASE) and not differ(
        replace(recipe, noise=replace(own, mode="none")), replace(BASE, noise=Noise("none"))
    )
    memory = Memory(1 << 30)
    for step in (BASE, recipe, replace(recipe, noise=replace(own, maps=pack_maps(MAPS[:-1] + [None]))), recipe):
        assert np.array_equal(PLAIN.pictures([step], [memory])[0].image, pixels(step))


@torch.inference_mode()
def test_noise_is_drawn_in_parts_as_in_whole() -> None:
    maps = NoiseMaps([NoiseInput(256, torch.zeros(256, 256))])
    whole = maps._draw(7, 0)
    assert torch.equal(NoiseMaps(maps.inputs)._draw(7, 0, slice(60, 130), slice(128, 250)), whole[60:130, 128:250])
    assert abs(float(whole.mean())) < 0.02 and abs(float(whole.std()) - 1) < 0.02
    assert len({whole[y : y + 64, x : x + 64].sum().item() for y in range(0, 256, 64) for x in range(0, 256, 64)}) == 16
    strokes = (Stroke(0.1, 0.9, 0.3, 1), Stroke(0.2, 0.8, 0.2, 2, strength=-2), Stroke(1.5, -0.5, 0.1, 3))
    expected = torch.zeros(256, 256)
    at = (torch.arange(256) + 0.5) / 256
    for s in strokes:
        t = (2 - 2 * ((at - s.x) ** 2 + (at[:, None] - s.y) ** 2).sqrt() / s.radius).clamp(0, 1)
        expected = expected.lerp(s.strength * maps._draw(s.seed, 0), t * t * (3 - 2 * t))
    painted = maps.map(Noise(strokes=strokes), 0)
    assert painted is not None and torch.allclose(painted, expected, atol=1e-6)
    assert maps.map(Noise(strokes=strokes), 0) is painted
    assert not torch.equal(maps.map(Noise(strokes=strokes[:2]), 0), maps.map(Noise(strokes=strokes[:1]), 0))


def test_noise_map_shows_where_noise_works() -> None:
    seen: list[int] = []
    spread = PLAIN.noise_map(BASE, 8, lambda done, of: seen.append(done) is None)
    assert spread.shape == (32, 32) and (spread > 0).all() and seen == list(range(8))
    silent = replace(BASE, noise=Noise(strength=(0,) * 7))
    assert PLAIN.noise_map(silent, 4).max() < 1e-6
    with pytest.raises(Cancelled):
        PLAIN.noise_map(BASE, 8, lambda done, of: done < 3)


def test_layers_can_be_looked_into() -> None:
    for layer in PLAIN.facts()["layers"]:
        made = PLAIN.activations(BASE, layer["index"])
        assert made.shape == (layer["channels"], layer["resolution"], layer["resolution"])
    with pytest.raises(InvalidInput, match="layer: must be from 0 to"):
        PLAIN.activations(BASE, 99)


def test_facts_name_every_row_and_noise_input() -> None:
    facts = CLASSES.facts()
    assert [row["row"] for row in facts["rows"]] == list(range(facts["num_ws"]))
    assert [noise["index"] for noise in facts["noises"]] == list(range(7))
    assert {row["band"] for row in facts["rows"]} == {"coarse", "middle"} and facts["classes"] == ["cat", "dog", "hen"]


LONG = pack_latent(np.zeros((3, 16), np.float32))
REFUSED = [
    (replace(BASE, cutoff=20), "cutoff: must be from 0 to 8"),
    (replace(BASE, mixes=(Mix(Source(1), (12,)),)), "the layers of this model"),
    (replace(BASE, noise=Noise(pins=(Pin(9, 1),))), "it has 7"),
    (replace(BASE, noise=Noise(strokes=(Stroke(layer=30),))), "it has 7"),
    (replace(BASE, noise=Noise(maps=pack_maps(MAPS[:-1]))), "noise: holds maps that were found in another model"),
    (replace(BASE, noise=Noise(maps=pack_maps([*MAPS[:-1], np.eye(16, dtype=np.float32)]))), "found in another model"),
    (replace(BASE, noise=Noise(maps="8,4:AAAA")), "maps: of noise are damaged"),
    (replace(BASE, sources=(Source(1, classes=(ClassShare(0),)),)), "without classes"),
    (replace(BASE, sources=(Source(latent=LONG),)), "needs 1 or 8 rows of 16"),
    (replace(BASE, sources=(Source(latent="3x16:!!"),)), "damaged"),
]


@pytest.mark.parametrize(("recipe", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_does_not_fit_the_model_is_a_sentence(recipe: Recipe, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        PLAIN.pictures([recipe])


def test_a_recipe_of_another_model_is_told_apart() -> None:
    PLAIN.sha256 = "a" * 64
    try:
        with pytest.raises(InvalidInput, match="another model"):
            PLAIN.pictures([replace(BASE, sha256="b" * 64)])
    finally:
        PLAIN.sha256 = ""
    with pytest.raises(InvalidInput, match="number 7"):
        CLASSES.pictures([replace(BASE, sources=(Source(1, classes=(ClassShare(7),)),))])


@pytest.mark.parametrize(
    ("first", "expected"), [({"seed": 5}, {"seed": 5}), ({"seed": -1}, {}), ("evil", {}), (None, {})], ids=str
)
def test_a_file_may_name_its_first_picture(first: Any, expected: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    config = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 8, "img_channels": 3, "channel_base": 64}
    weights.save(path, Generator(**config), licence="free", about={"first": first}, config=config)  # type: ignore[arg-type]
    assert open_renderer(path).facts()["first"] == expected
