"""ProGAN: what is there at each level, how a resolution fades in, and a training that grows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ganlab import weights
from ganlab.networks.progan import Discriminator, Generator
from ganlab.presets.images import image_preset
from ganlab.recipe import Recipe, Source
from ganlab.synthesis import open_renderer
from ganlab.training.image_loop import ImageTraining

SMALL: dict[str, Any] = {"channel_base": 128, "channel_max": 8}


def nets() -> tuple[Generator, Discriminator]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        G, D = Generator(8, 0, 32, 3, **SMALL), Discriminator(0, 32, 3, **SMALL)
    return G.eval().requires_grad_(False), D.eval().requires_grad_(False)


def latents(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("level", "side"), [(0.0, 4), (1.0, 8), (2.0, 16), (3.0, 32), (99.0, 32), (-1.0, 4)])
def test_pictures_are_of_the_level_and_enlarged(level: float, side: int) -> None:
    G, _ = nets()
    G.grow(level)
    images = G(latents())
    assert images.shape == (2, 3, 32, 32)
    small = F.avg_pool2d(images, 32 // side)
    assert torch.allclose(F.interpolate(small, scale_factor=32 // side), images, atol=1e-6)
    if side < 32:
        assert (
            float(F.interpolate(F.avg_pool2d(images, 64 // side), scale_factor=64 // side).sub(images).abs().max())
            > 1e-4
        )


def test_a_resolution_fades_in() -> None:
    G, D = nets()
    made, said = {}, {}
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    for level in (1.0, 1.001, 1.25, 1.5, 2.0):
        for net in (G, D):
            net.grow(level)
        made[level], said[level] = G(latents()), D(x)
    assert torch.allclose(made[1.0], made[1.001], atol=0.01) and torch.allclose(said[1.0], said[1.001], atol=0.02)
    assert torch.allclose(made[1.25], torch.lerp(made[1.0], made[2.0], 0.25), atol=1e-5)
    assert torch.allclose(made[1.5], torch.lerp(made[1.0], made[2.0], 0.5), atol=1e-5)
    assert not torch.allclose(said[1.5], said[2.0], atol=1e-3)


def test_d_sees_no_more_than_its_level() -> None:
    _, D = nets()
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    fine = x - F.interpolate(F.avg_pool2d(x, 4), scale_factor=4)  # nothing of it is left at 8 px
    D.grow(1.0)
    assert torch.allclose(D(x), D(x + 3 * fine), atol=1e-5)
    D.grow(3.0)
    assert not torch.allclose(D(x), D(x + 3 * fine), atol=1e-2)


def test_a_training_grows_and_its_pictures_open_in_the_labs(tmp_path: Path) -> None:
    run = image_preset("progan-32")
    small = {"batch": 4, "z_dim": 8, "grow_kimg": 0.008, **SMALL}  # two steps to settle, two to fade in
    training = ImageTraining(replace(run, gan=replace(run.gan, **small)))
    start, levels = training.state(), []
    for _ in range(15):
        levels.append((float(training.gan.G.synthesis.level), float(training.gan.D.level)))
        training.step()
    assert all(g == d for g, d in levels)
    assert [g for g, _ in levels[:9]] == [0, 0, 0, 0.5, 1, 1, 1, 1.5, 2] and levels[-1][0] == 3
    state = training.state()
    names = [name for name in state if name[:2] in ("G.", "D.") and "filter" not in name and "w_avg" not in name]
    still = [name for name in names if torch.equal(start[name], state[name])]
    assert not still, "all have had their time; the last bias for the drift of D's logits"
    training.gan.ema.grow(1.5)
    path = tmp_path / "half.safetensors"
    weights.save(path, training.gan.ema, licence="Apache-2.0", about={"title": "half"}, config=training.gan.g_arguments)
    assert float(weights.load(path).synthesis.level) == 1.5
    renderer, recipe = open_renderer(path), Recipe(sources=(Source(5),), psi=1)
    drawn = renderer.G.synthesis(renderer.latents.ws(recipe)[None])[0]
    torch.testing.assert_close(renderer.image(recipe), drawn, rtol=1e-3, atol=1e-3)


def test_it_goes_on_at_its_level() -> None:
    run = image_preset("progan-32")
    run = replace(run, gan=replace(run.gan, batch=4, z_dim=8, grow_kimg=0.008, **SMALL))
    whole = ImageTraining(run)
    for _ in range(4):
        whole.step()
    other = ImageTraining(run)
    other.gan.load(whole.gan.state(), 4)
    assert float(other.gan.G.synthesis.level) == float(whole.gan.G.synthesis.level) == 1
