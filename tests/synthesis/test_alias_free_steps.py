"""StyleGAN3 in the labs: the module's picture, restarts at the layer that differs, rows named by what they can hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganlab.film import Film, Keyframe
from ganlab.networks import stylegan3
from ganlab.recipe import Mix, Noise, Place, Recipe, Source
from ganlab.synthesis import Memory, Renderer
from ganlab.synthesis.full import full
from ganlab.synthesis.winograd import AVAILABLE, Winograd

BASE = Recipe(sources=(Source(3),), psi=0.8)


def made() -> Renderer:
    torch.manual_seed(0)
    G = stylegan3.Generator(16, 0, 12, 64, 3, channel_base=512, channel_max=16, num_layers=8)
    for name, value in G.state_dict().items():
        if name.endswith(("bias", "w_avg")):
            value.add_(torch.randn(value.shape) * 0.3)
    return Renderer(G, "free")


RENDERER = made()


@torch.inference_mode()
def test_the_picture_is_the_modules() -> None:
    ws = RENDERER.latents.ws(BASE)[None]
    assert torch.allclose(RENDERER.image(BASE), RENDERER.G.synthesis(ws)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (replace(BASE, mixes=(Mix(Source(9), (0,)),)), "input"),
        (replace(BASE, mixes=(Mix(Source(9), (9,)),)), "64x64 torgb"),
        (replace(BASE, cutoff=4), "52x52 L3"),
        (replace(BASE, noise=Noise("none")), "nothing"),
    ],
)
def test_only_what_differs_is_computed_again(change: Recipe, start: str) -> None:
    memory = Memory()
    RENDERER.pictures([BASE], [memory])
    picture = RENDERER.pictures([change], [memory])[0]
    assert picture.start_name == start
    assert np.array_equal(picture.image, RENDERER.pictures([change])[0].image)


def test_rows_go_from_coarse_to_fine_as_their_cutoffs_do() -> None:
    facts = RENDERER.facts()
    bands = [row["band"] for row in facts["rows"]]
    assert bands == sorted(bands, key=["coarse", "middle", "fine"].index) and set(bands) == {"coarse", "middle", "fine"}
    assert facts["family"] == "StyleGAN3" and not facts["noises"]
    for layer in facts["layers"]:
        side = layer["resolution"]
        assert RENDERER.activations(BASE, layer["index"]).shape == (layer["channels"], side, side)


@torch.inference_mode()
def test_the_picture_moves_with_its_place() -> None:
    """A quarter turn of what R draws is the picture, turned; T and R follow a shift by whole pixels."""
    torch.manual_seed(0)
    settings = {"channel_base": 512, "channel_max": 16, "num_layers": 6, "conv_kernel": 1, "use_radial_filters": True}
    renderer = Renderer(stylegan3.Generator(16, 0, 12, 32, 3, **settings), "round")
    still, scale = renderer.image(BASE), float(renderer.image(BASE).std())
    turned = renderer.image(replace(BASE, place=Place(turn=90)))
    assert float((turned - still.rot90(-1, (1, 2))).abs().mean()) < 0.05 * scale
    right = renderer.image(replace(BASE, place=Place(right=4 / 32, down=-2 / 32)))
    assert float((right[:, :-2, 4:] - still[:, 2:, :-4]).abs().mean()) < 0.1 * scale
    assert float((right - still).abs().mean()) > 0.3 * scale


def test_a_place_is_only_drawn_again_where_it_matters() -> None:
    memory, moved = Memory(), replace(BASE, place=Place(turn=10))
    RENDERER.pictures([BASE], [memory])
    assert RENDERER.pictures([moved], [memory])[0].start_name == "input"
    assert RENDERER.facts()["moves"]
    both = RENDERER.pictures([BASE, moved], exact=False)
    assert not np.array_equal(both[0].image, both[1].image)
    way = Film((Keyframe(BASE), Keyframe(moved)), loop=False)
    turns = [way.at(part * way.seconds).place.turn for part in (0, 0.5, 1)]
    assert turns == pytest.approx([0, 5, 10], abs=0.5)


@pytest.mark.parametrize("size", [(36, 36), (37, 41), (2, 90)])
@pytest.mark.parametrize(("out", "tiled"), [(160, True), (24, False)])
def test_prepared_convolutions_are_the_plain_ones(out: int, tiled: bool, size: tuple[int, int]) -> None:
    rng = torch.Generator().manual_seed(0)
    weight, x = torch.randn(out, 170, 3, 3, generator=rng), torch.randn(2, 170, *size, generator=rng)
    styles = torch.rand(2, 170, generator=rng)
    prepared = full(weight)
    assert prepared is not None and isinstance(prepared.convolve, Winograd) == (tiled and AVAILABLE)
    expected = F.conv2d(x * styles[:, :, None, None], weight, padding=2)
    made = prepared(x, styles)
    assert made.shape == expected.shape and float((made - expected).norm() / expected.norm()) < 1e-5


def test_only_what_pays_is_prepared() -> None:
    assert full(torch.empty(64, 64, 1, 1)) is None and full(torch.empty(64, 64, 3, 3, device="meta")) is None
    large = full(torch.empty(600, 600, 3, 3))
    assert large is not None and not isinstance(large.convolve, Winograd), "four times the weights are kept"
