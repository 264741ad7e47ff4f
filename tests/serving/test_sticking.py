"""The equivariance lab: inputs that move, what sticks, and its sentences."""

import math
from typing import Any

import pytest
import torch

from ganlab import weights, zoo
from ganlab.config import InvalidInput
from ganlab.files import Cancelled
from ganlab.serving.models import Catalogue, open_model
from ganlab.serving.sticking import FRAMES, Place, Sticking
from ganlab.synthesis.moving import can_move, drawn, moved_constant, untrained

THREE, TWO = "StyleGAN3-T, untrained", "StyleGAN2, untrained"


@pytest.fixture(scope="module")
def lab() -> Sticking:
    return Sticking(Catalogue(open_model))


def unheard(what: str, done: int, of: int) -> None:
    pass


def test_a_constant_moves_by_its_cells_and_turns_by_its_corners() -> None:
    const = torch.arange(16.0).reshape(1, 4, 4)
    moved = moved_constant(const, 0.25, 0.0, 0.0)[0]
    assert torch.allclose(moved[:, 1:], const[0, :, :3], atol=1e-4), "one cell to the right"
    down = moved_constant(const, 0.0, 0.5, 0.0)[0]
    assert torch.allclose(down[2:], const[0, :2], atol=1e-4), "two cells down"
    assert torch.allclose(moved_constant(const, 0.0, 0.0, math.pi / 2)[0], const[0].rot90(-1), atol=1e-4), "clockwise"
    assert torch.allclose(moved_constant(const, 0.0, 0.0, 0.0), const, atol=1e-5)


def test_a_stylegan2_that_is_not_moved_is_as_it_was_and_keeps_its_constant() -> None:
    G: Any = weights.load(zoo.path_of("faces64"))
    ws = G.mapping(torch.randn(1, G.z_dim, generator=torch.Generator().manual_seed(0)), torch.eye(8)[:1])
    before = G.synthesis(ws, noise_mode="const")
    assert torch.allclose(drawn(G, ws, 0.0, 0.0, 0.0), before, atol=1e-3)
    assert float((drawn(G, ws, 0.2, 0.0, 0.0) - before).abs().mean()) > 0.05
    assert torch.equal(G.synthesis(ws, noise_mode="const"), before), "others draw with the same network"


def test_untrained_networks_have_contrast_and_repeat_themselves() -> None:
    for family in ("stylegan3-t", "stylegan2"):
        G = untrained(family, resolution=32)
        assert can_move(G)
        ws = G.mapping(torch.randn(4, 64, generator=torch.Generator().manual_seed(1)))
        images = drawn(G, ws, 0.0, 0.0, 0.0)
        assert images.shape == (4, 3, 32, 32) and 0.1 < float(images.std()) < 2
        assert torch.equal(drawn(untrained(family, resolution=32), ws, 0.0, 0.0, 0.0), images)


def test_a_stylegan3_goes_along_where_a_stylegan2_sticks(lab: Sticking) -> None:
    (t3, _), (t2, r2) = (lab.equivariance(model, 0, unheard) for model in (THREE, TWO))
    assert t3 > 40 and t3 > t2 + 20 and max(t2, r2) < 30


def test_lines_over_time(lab: Sticking) -> None:
    line = lab.line(TWO, 0, "walk", unheard)
    assert line.shape[0] * 64 == line.shape[1] * FRAMES and line.shape[2] == 3
    assert (line[0] != line[-1]).any()
    picture = lab.picture(TWO, 0, Place())
    times = picture.shape[0] // 64
    assert (lab.line(TWO, 0, "move", unheard)[0] == picture[32 * times]).all(), (
        "it begins with the picture's middle row"
    )


def test_menus_hold_each_family_on_its_side(lab: Sticking) -> None:
    three, two = lab.models("stylegan3"), lab.models("stylegan2")
    assert "faces64" in two and TWO in two and THREE in three and not set(two) & set(three)
    assert "stylegan-faces32" not in two


@pytest.mark.parametrize(
    ("model", "seed", "place", "told"),
    [
        ("", 0, Place(), "model: is missing"),
        (None, 0, Place(), "model: is missing"),
        ("nothing", 0, Place(), "not on this server"),
        ("stylegan-faces32", 0, Place(), "neither a StyleGAN3 nor a StyleGAN2"),
        (TWO, None, Place(), "seed: must be a number"),
        (TWO, 0, Place(right=5.0), "right: must be a number from -1 to 1"),
        (TWO, 0, Place()._replace(turn=None), "turn: must be a number"),
    ],
)
def test_bad_input_is_one_sentence(lab: Sticking, model: Any, seed: Any, place: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        lab.picture(model, seed, place)


def test_it_can_be_ended_and_knows_its_ways(lab: Sticking) -> None:
    def tick(what: str, done: int, of: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        lab.line(TWO, 0, "move", tick)
    with pytest.raises(InvalidInput, match="must be one of move, turn, walk"):
        lab.line(TWO, 0, "jump", unheard)
