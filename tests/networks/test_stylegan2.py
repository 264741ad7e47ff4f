"""StyleGAN2 against what the official code gave for weights that follow a rule, and what its options do."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlab.networks.stylegan2 import Discriminator, Generator
from tests.goldens import FOLDER, by_rule

CASES = [path.stem for path in sorted(FOLDER.glob("stylegan2-*.npz"))]
SMALL: dict[str, Any] = {"channel_base": 512, "channel_max": 16, "mapping_kwargs": {"num_layers": 2}}
LIMIT = 1e-4  # relative L2 error


def filled(network: torch.nn.Module) -> Any:
    state = network.state_dict()
    for name, value in state.items():
        by = by_rule(name, tuple(value.shape))
        state[name] = value if by is None else by
    network.load_state_dict(state, strict=True)
    return network.eval()


def golden(case: str) -> tuple[Generator, Discriminator, dict[str, Any]]:
    arrays = dict(np.load(FOLDER / f"{case}.npz"))
    kwargs = json.loads(arrays.pop("kwargs").tobytes())
    kwargs.pop("class_name")
    shared = {k: kwargs[k] for k in ("c_dim", "img_resolution", "img_channels", "channel_base", "channel_max")}
    tensors = {name: torch.from_numpy(array).float() for name, array in arrays.items()}
    return filled(Generator(**kwargs)), filled(Discriminator(**shared)), tensors


def outputs(G: Generator, D: Discriminator, z: Tensor, c: Tensor) -> dict[str, Tensor]:
    """Every array that a golden file holds."""
    ws = G.mapping(z, c)
    truncated = G.mapping(z[:1], c[:1], truncation_psi=0.6, truncation_cutoff=4)
    mixed = torch.cat([ws[:1, :3], ws[1:2, 3:]], 1)
    return {
        "ws": ws[:, 0],
        "ws_trunc": truncated,
        "img": G.synthesis(ws[:2], noise_mode="const"),
        "img_trunc": G.synthesis(truncated, noise_mode="const"),
        "img_mix": G.synthesis(mixed, noise_mode="const"),
        "img_nonoise": G.synthesis(ws[:1], noise_mode="none"),
        "d": D(G.synthesis(ws, noise_mode="const").clamp(-1, 1), c),
    }


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_goldens(case: str) -> None:
    G, D, expected = golden(case)
    made = outputs(G, D, expected.pop("z"), expected.pop("c"))
    assert set(made) == set(expected)
    errors = {name: float((made[name] - want).norm() / want.norm()) for name, want in expected.items()}
    assert max(errors.values()) < LIMIT, errors


@pytest.mark.parametrize(
    ("resolution", "base", "g", "d"),
    [
        (256, 16384, 24_767_458, 24_001_089),
        (256, 32768, 30_034_338, 28_864_129),
        (512, 32768, 30_276_583, 28_982_849),
        (1024, 32768, 30_370_060, 29_012_513),
    ],
)
def test_parameter_counts_are_the_official_ones(resolution: int, base: int, g: int, d: int) -> None:
    with torch.device("meta"):
        G = Generator(512, 0, 512, resolution, 3, channel_base=base)
        D = Discriminator(0, resolution, 3, channel_base=base)
    assert sum(p.numel() for p in G.parameters()) == g
    assert sum(p.numel() for p in D.parameters()) == d
    assert G.num_ws == 2 * int(np.log2(resolution)) - 2


@pytest.mark.parametrize("architecture", ["orig", "skip", "resnet"])
@pytest.mark.parametrize(("channels", "c_dim"), [(1, 0), (3, 7), (4, 0)])
def test_every_parameter_learns(architecture: str, channels: int, c_dim: int) -> None:
    torch.manual_seed(0)
    G = Generator(8, c_dim, 8, 32, channels, architecture=architecture, **SMALL)
    D = Discriminator(c_dim, 32, channels, architecture=architecture, channel_base=512, channel_max=16)
    c = torch.eye(c_dim)[torch.arange(6) % max(c_dim, 1)] if c_dim else None
    image = G(torch.randn(6, 8), c)
    assert image.shape == (6, channels, 32, 32)
    logits = D(image, c)
    assert logits.shape == (6, 1)
    logits.sum().backward()
    still = [
        name
        for network in (G, D)
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    # zero noise strength passes no gradient on only where it is zero itself: the strength itself must learn
    assert not still, still


@torch.inference_mode()
def test_class_matters_to_both() -> None:
    torch.manual_seed(0)
    G = Generator(8, 3, 8, 16, 3, **SMALL)
    D = Discriminator(3, 16, 3, channel_base=512, channel_max=16)
    c = torch.eye(3)[[0, 1]]
    images = G(torch.randn(1, 8).repeat(2, 1), c, noise_mode="const")
    assert (images[0] - images[1]).abs().mean() > 0.05
    image = images[:1]
    assert abs(float(D(image, c[:1]) - D(image, c[1:]))) > 1e-3


def test_a_conditional_model_asks_for_its_class() -> None:
    G = Generator(8, 3, 8, 16, 3, **SMALL)
    with pytest.raises(ValueError, match=r"class labels \[N, 3\]"):
        G.mapping(torch.randn(1, 8), None)


@torch.inference_mode()
def test_noise_modes() -> None:
    G, _, expected = golden("stylegan2-64")
    ws = G.mapping(expected["z"][:1])
    const = [G.synthesis(ws, noise_mode="const") for _ in range(2)]
    assert torch.equal(*const)
    draws = [G.synthesis(ws, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    maps = [layer.noise_const for layer in G.synthesis.layers()]
    assert torch.equal(G.synthesis(ws, noise=maps), const[0])
    with pytest.raises(ValueError, match="const, none, random"):
        G.synthesis(ws, noise_mode="loud")
    with pytest.raises(ValueError, match="10"):
        G.synthesis(ws[:, :4], noise_mode="const")


@torch.inference_mode()
def test_truncation_goes_to_the_average() -> None:
    G, _, expected = golden("stylegan2-64")
    ws = G.mapping(expected["z"], truncation_psi=0.0)
    assert torch.allclose(ws, G.mapping.w_avg.expand_as(ws))
    cut = G.mapping(expected["z"], truncation_psi=0.0, truncation_cutoff=3)
    assert torch.equal(cut[:, 3:], G.mapping(expected["z"])[:, 3:]) and torch.equal(cut[:, :3], ws[:, :3])


def test_w_avg_follows_training() -> None:
    G = Generator(8, 0, 8, 16, 3, **SMALL)
    for _ in range(2000):
        w = G.mapping(torch.randn(64, 8), update_emas=True)
    assert (G.mapping.w_avg - w[:, 0].mean(0)).abs().max() < 0.3
    assert float(G.mapping.w_avg.abs().sum()) > 0


def test_older_files_name_their_options_in_one_dict() -> None:
    """StyleGAN2-ADA passes synthesis_kwargs, the later code names each; what is left out differs."""
    old = Generator(8, 0, 8, 32, 3, synthesis_kwargs={"channel_base": 512, "num_fp16_res": 2})
    new = Generator(8, 0, 8, 32, 3, channel_base=512, num_fp16_res=2)
    assert [b.use_fp16 for b in old.synthesis.blocks()] == [b.use_fp16 for b in new.synthesis.blocks()]
    assert old.synthesis.b8.conv0.conv_clamp is None and new.synthesis.b8.conv0.conv_clamp == 256


def test_sides_that_are_no_power_of_two_are_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Generator(8, 0, 8, 48, 3)
