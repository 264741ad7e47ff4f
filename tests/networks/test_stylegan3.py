"""StyleGAN3 against what the official code gave for weights that follow a rule, its counts, and what it is for."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from ganlab import weights
from ganlab.metrics.equivariance import decibels, eq_r, eq_t
from ganlab.networks import stylegan2
from ganlab.networks.stylegan3 import Generator, placed
from tests.goldens import FOLDER, path_of

CASES = [path.stem for path in sorted(FOLDER.glob("stylegan3-*.npz"))]
R: dict[str, Any] = {"conv_kernel": 1, "use_radial_filters": True}
SMALL: dict[str, Any] = {"channel_base": 512, "channel_max": 16, "num_layers": 6}
LIMIT = 1e-4  # relative L2 error


def off(made: torch.Tensor, expected: Any) -> float:
    expected = torch.as_tensor(expected)
    return float((made - expected).norm() / expected.norm())


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_goldens(case: str) -> None:
    golden = np.load(FOLDER / f"{case}.npz")
    G = weights.load(path_of(case))
    assert isinstance(G, Generator)
    z = torch.from_numpy(golden["z"]).float()
    ws = G.mapping(z)
    truncated = G.mapping(z[:1], truncation_psi=0.6, truncation_cutoff=4)
    mixed = torch.cat([ws[:1, :3], ws[1:2, 3:]], 1)
    made = {
        "ws": ws[:, 0],
        "ws_trunc": truncated,
        "img": G.synthesis(ws[:2]),
        "img_trunc": G.synthesis(truncated),
        "img_mix": G.synthesis(mixed),
    }
    errors = {name: off(value, golden[name]) for name, value in made.items()}
    assert max(errors.values()) < LIMIT, errors
    kwargs = json.loads(bytes(golden["kwargs"]))
    assert all(kwargs[name] == value for name, value in G.init_kwargs.items())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("resolution", "base", "more", "count"),
    [
        (256, 16384, {}, 23_320_443),
        (256, 32768, {}, 28_472_133),
        (1024, 32768, {}, 22_313_167),
        (256, 32768, {"channel_max": 1024, **R}, 15_779_565),
        (256, 65536, {"channel_max": 1024, **R}, 18_816_387),
        (1024, 65536, {"channel_max": 1024, **R}, 15_093_151),
    ],
)
def test_parameter_counts_are_the_official_ones(resolution: int, base: int, more: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        G = Generator(512, 0, 512, resolution, 3, channel_base=base, **more)
    assert sum(p.numel() for p in G.parameters()) == count
    assert G.num_ws == 16


def small(**more: Any) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Generator(32, 0, 32, 32, 3, **SMALL, **more).eval()


@pytest.mark.parametrize(("more", "turns"), [({}, False), (R, True)], ids=["T", "R"])
@torch.inference_mode()
def test_pictures_move_with_their_input(more: dict[str, Any], turns: bool) -> None:
    """Both kinds when it is shifted, R alone when it is turned: even with random weights."""
    G = small(**more)
    ws = G.mapping(torch.randn(2, 32, generator=torch.Generator().manual_seed(0)))
    scale = float(G.synthesis(ws).std())

    def draw(right: float, down: float, turn: float) -> torch.Tensor:
        return G.synthesis(ws, transform=placed(right, down, turn)[None]) / scale  # type: ignore[no-any-return]

    rng = torch.Generator().manual_seed(0)
    assert decibels(eq_t(draw, 3, rng)) > 25
    turned = decibels(eq_r(draw, 3, rng))
    assert (turned > 20) is turns, turned


@torch.inference_mode()
def test_details_of_stylegan2_stick_to_the_pixels() -> None:
    """A yardstick that cannot tell a fixed grid from one that moves would be none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        G = stylegan2.Generator(32, 0, 32, 32, 3, channel_base=512, channel_max=16).eval()
    images = G.synthesis(G.mapping(torch.randn(2, 32, generator=torch.Generator().manual_seed(0))), "none")
    assert decibels(eq_t(lambda right, down, turn: images, 3, torch.Generator().manual_seed(0))) < 20


def test_every_parameter_learns_and_magnitudes_follow() -> None:
    G = small().train()
    before = [float(layer.magnitude_ema) for layer in G.synthesis.layers()]
    G(torch.randn(2, 32, generator=torch.Generator().manual_seed(0))).square().mean().backward()
    for name, parameter in G.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name
    assert all(float(layer.magnitude_ema) != old for layer, old in zip(G.synthesis.layers(), before))


def test_a_transform_is_the_inverse_of_the_move() -> None:
    point = torch.tensor([0.3, 0.1, 1.0])
    turn = math.pi / 2
    moved = torch.tensor([-0.1 + 0.05, 0.3 - 0.02, 1.0])  # a quarter clockwise, y down, then shifted
    assert torch.allclose(placed(0.05, -0.02, turn) @ moved, point, atol=1e-6)
    with pytest.raises(ValueError, match="needs 8"):
        small().synthesis(torch.zeros(1, 5, 32))
