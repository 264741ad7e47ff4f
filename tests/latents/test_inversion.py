"""Pictures that a model made are found again, and a user's files are read or refused with a sentence."""

import io
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganlab import weights
from ganlab.config import InvalidInput
from ganlab.data.faces import faces
from ganlab.features.faces import load_classifier
from ganlab.latents import inversion
from ganlab.latents.inversion import (
    Error,
    Inversion,
    Moment,
    average_of,
    error_of,
    inverted,
    read_target,
    recipe_of,
    source_of,
)
from ganlab.networks import dcgan, lucidrains
from ganlab.networks.stylegan2 import Generator
from ganlab.recipe import Edit, Noise, Recipe, Source, unpack_latent
from ganlab.synthesis import Cancelled, Renderer
from tests.tiny_models import write_model

HOW = Inversion("w", steps=40, starts=200)
PLUS = Inversion("w+", steps=40, starts=200)
OTHER = Recipe(sources=(Source(seed=5),), psi=1.0)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """A model with classes whose pictures stay in range."""
    G = weights.load(write_model(tmp_path_factory.mktemp("model"), resolution=16, classes=3))
    for name, parameter in G.named_parameters():
        if "torgb.weight" in name:
            parameter.data *= 0.4
    return Renderer(G, "tiny")


def run(renderer: Renderer, image: Tensor, how: Inversion = HOW) -> list[Moment]:
    return list(inverted(renderer, image, how))


@pytest.mark.parametrize("how", [HOW, PLUS])
def test_a_picture_of_the_model_is_found_again(renderer: Renderer, how: Inversion) -> None:
    target = renderer.image(OTHER)
    moments = run(renderer, target, how)
    assert [m.step for m in moments] == list(range(41))
    assert moments[-1].error.rmse < error_of(renderer, target, average_of(renderer)).rmse / 3
    losses = [m.perceptual + m.pixel for m in moments]
    best = moments[int(np.argmin(losses))]
    torch.testing.assert_close(moments[-1].latents, best.latents)  # the best step is kept, whatever came after
    recipe = recipe_of(moments[-1])
    assert recipe.psi == 1.0 and len(unpack_latent(recipe.sources[0].latent)) == (1 if how is HOW else 6)
    torch.testing.assert_close(renderer.image(recipe), moments[-1].image, rtol=1e-3, atol=1e-3)
    found = error_of(renderer, target, recipe)
    assert found.rmse == pytest.approx(moments[-1].error.rmse, abs=1e-3)


def test_a_w_for_each_layer_comes_nearer_and_the_same_call_gives_the_same(renderer: Renderer) -> None:
    image = torch.linspace(-1, 1, 16).expand(3, 16, 16).contiguous()  # nothing that it makes
    one, each = (run(renderer, image, how)[-1] for how in (HOW, PLUS))
    assert each.error.rmse < one.error.rmse
    again = run(renderer, image, PLUS)[-1]
    assert torch.equal(again.latents, each.latents) and again.error == each.error


def test_noise_maps_help_and_stay_like_noise(renderer: Renderer) -> None:
    image = renderer.image(OTHER) + 0.2 * torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))
    without = run(renderer, image)[-1]
    moments = run(renderer, image, Inversion("w", noise=True, steps=40, starts=200, structure=10.0))
    last = moments[-1]
    assert last.error.rmse < without.error.rmse and without.maps == () and moments[0].noise > 0
    assert [len(n) for n in last.maps if n is not None] == [4, 8, 8, 16, 16]
    for n in last.maps:
        assert n is not None and abs(float(n.mean())) < 0.01 and float(n.square().mean()) == pytest.approx(1, abs=0.01)
    recipe = recipe_of(last, Recipe("tiny", edits=(Edit("a", muted=True),)))
    assert error_of(renderer, image, recipe).rmse == pytest.approx(last.error.rmse, abs=2e-3)  # rounded to 1/32
    assert error_of(renderer, image, replace(recipe, noise=Noise())).rmse > last.error.rmse + 0.01
    assert Recipe.from_json(recipe.to_json()) == recipe and recipe.edits[0].name == "a"


def test_noise_finer_than_a_recipe_carries_stays_the_models(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inversion, "LARGEST_MAP", 8)
    image = renderer.image(OTHER)
    last = run(renderer, image, Inversion("w", noise=True, steps=3, starts=3, structure=10.0))[-1]
    assert [None if n is None else len(n) for n in last.maps] == [4, 8, 8, None, None]
    torch.testing.assert_close(renderer.image(recipe_of(last)), last.image, atol=0.05, rtol=0.05)


def test_the_rest_of_a_recipe_is_kept(renderer: Renderer) -> None:
    (moment,) = islice(inverted(renderer, renderer.image(OTHER), HOW), 1)
    base = Recipe("tiny", psi=0.5, cutoff=2, edits=(Edit("a"),))
    made = recipe_of(moment, base)
    assert (made.model, made.edits, made.psi, made.cutoff) == ("tiny", base.edits, 1.0, None)
    assert made.sources == (source_of(moment),)


def test_features_of_faces_are_compared() -> None:
    torch.manual_seed(0)
    renderer = Renderer(Generator(16, 0, 16, 32, 3, channel_base=256, channel_max=16), "tiny")
    image = faces(7, [0], 32)[0][0].float() / 127.5 - 1
    maps = load_classifier().maps
    first, *_, last = inverted(renderer, image, Inversion("w+", steps=15, starts=10), maps)
    assert 0 < last.error.perceptual < first.error.perceptual and last.perceptual < first.perceptual
    assert run(renderer, image, Inversion(steps=1, starts=0))[0].error.perceptual == 0
    assert error_of(renderer, image, average_of(renderer), maps).perceptual > last.error.perceptual


def test_families_without_styles_are_searched_in_z() -> None:
    torch.manual_seed(0)
    plain = Renderer(dcgan.Generator(8, 0, 16, 3, 256, 16), "dcgan")
    target = plain.image(OTHER)
    last = run(plain, target, Inversion("w+", steps=40, starts=40))[-1]
    assert last.error.rmse < error_of(plain, target, average_of(plain)).rmse
    torch.testing.assert_close(plain.image(recipe_of(last)), last.image, rtol=1e-3, atol=1e-3)
    with pytest.raises(InvalidInput, match="noise: cannot be moved: this model takes none"):
        run(plain, target, Inversion(noise=True))


def test_lucidrains_are_searched_but_for_their_noise() -> None:
    torch.manual_seed(0)
    shared = Renderer(lucidrains.Generator(16, 16, 3, 2, 32, 2), "other")
    target = shared.image(OTHER)
    assert run(shared, target, Inversion(steps=5, starts=5))[-1].error.rmse >= 0
    with pytest.raises(InvalidInput, match="all layers of this model share one"):
        run(shared, target, Inversion(noise=True))


def test_it_can_be_stopped_and_refuses_what_does_not_fit(renderer: Renderer) -> None:
    image = renderer.image(OTHER)
    with pytest.raises(Cancelled):
        next(inverted(renderer, image, HOW, tick=lambda done, of: False))
    for wrong in (image[:1], image[:, :8], torch.full_like(image, torch.nan)):
        with pytest.raises(InvalidInput, match="image: must be of 3 x 16 x 16 finite numbers"):
            run(renderer, wrong)


def png(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


DEEP = Image.fromarray(np.linspace(0, 65535, 40 * 20).reshape(20, 40).astype(np.uint16))
CLEAR = Image.new("RGBA", (30, 50), (255, 0, 0, 0))


@pytest.mark.parametrize(
    ("data", "corner"),
    [
        (png(Image.new("RGB", (16, 16), "white")), 1.0),
        (png(Image.new("L", (300, 17))), -1.0),
        (png(CLEAR), 1.0),  # on white
        (png(DEEP), None),
        (png(Image.new("P", (5, 5))), -1.0),
        (png(Image.new("CMYK", (64, 64)), "JPEG"), 1.0),
    ],
)
def test_pictures_of_any_kind_become_targets(renderer: Renderer, data: bytes, corner: float | None) -> None:
    target = read_target(data, renderer)
    assert target.shape == (3, 16, 16) and -1 <= float(target.min()) <= float(target.max()) <= 1
    assert corner is None or float(target[0, 0, 0]) == pytest.approx(corner, abs=0.02)


def test_a_grey_model_sees_grey() -> None:
    grey = Renderer(Generator(16, 0, 16, 16, 1, channel_base=256, channel_max=16), "grey")
    target = read_target(png(Image.new("RGB", (40, 40), "white")), grey)
    assert target.shape == (1, 16, 16) and float(target.min()) == 1
    assert run(grey, target, Inversion(steps=3, starts=4))[-1].error != Error(0, 0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7 and so on", "is a PDF document"),
        (b"GIF89a" + bytes(40), "is not a readable PNG"),
        (png(Image.new("RGB", (64, 64)))[:60], "is not a readable PNG"),
        (png(Image.new("1", (17000, 4))), "at most 40 megapixels"),
        (bytes(21 << 20), "at most 20 MB"),
    ],
)
def test_what_is_no_picture_is_refused(renderer: Renderer, data: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        read_target(data, renderer)
    assert caught.value.field == "picture"
