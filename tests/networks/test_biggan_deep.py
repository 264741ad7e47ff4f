"""BigGAN-deep: the paper's sizes, shortcuts and inputs; labs draw what its modules draw."""

import pytest
import torch
from torch import nn

from ganlab.networks import biggan
from ganlab.networks.biggan_deep import Discriminator, DiscriminatorBlock, Generator, GeneratorBlock
from ganlab.recipe import ClassShare, Recipe, Source
from ganlab.synthesis.renderer import Renderer

SMALL = {"channel_base": 256, "channel_max": 32}


def made(**more: bool) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(16, 3, 32, 3, embedded=5, **SMALL, **more).eval().requires_grad_(False)


def test_parameters_of_the_papers_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """G at 128 px has 50.4 million with the 125 colours that the published file makes and throws away."""
    monkeypatch.setattr(biggan, "start", lambda net: None)  # takes its time, also where there are no numbers
    with torch.device("meta"):
        G = Generator(128, 1000, 128, 3, channel_base=128 * 128, channel_max=128 * 16)
    thrown_away = (128 - 3) * (128 * 9 + 1)
    assert round((sum(p.numel() for p in G.parameters()) + thrown_away) / 1e6, 1) == 50.4
    assert G.synthesis.channels == [2048, 2048, 1024, 512, 256, 128]


@pytest.mark.parametrize("up", [False, True])
def test_a_block_of_g_keeps_the_first_channels(up: bool) -> None:
    block = GeneratorBlock(8, 4, 3, up).eval().requires_grad_(False)
    block.convs[-1].weight.zero_()  # type: ignore[operator, union-attr]
    block.convs[-1].bias.zero_()  # type: ignore[operator, union-attr]
    block.convs[-1].normalized = lambda: torch.zeros(4, 2, 1, 1)  # type: ignore[method-assign, union-attr]
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = x[:, :4].repeat_interleave(2, 2).repeat_interleave(2, 3) if up else x[:, :4]
    assert torch.equal(block(x, torch.zeros(2, 3)), expected)


def test_a_block_of_d_adds_channels() -> None:
    block = DiscriminatorBlock(4, 8, down=True).eval().requires_grad_(False)
    block.convs[-1].normalized = lambda: torch.zeros(8, 2, 1, 1)  # type: ignore[method-assign, union-attr]
    block.convs[-1].bias.zero_()  # type: ignore[operator, union-attr]
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    out = block(x)
    assert out.shape == (2, 8, 4, 4) and torch.allclose(out[:, :4], nn.functional.avg_pool2d(x, 2))


def test_every_block_reads_all_of_z_and_the_class() -> None:
    G = made()
    ws = G.mapping(torch.randn(1, 16, generator=torch.Generator().manual_seed(0)), torch.eye(3)[:1])
    assert ws.shape == (1, 4, 21)
    base = G.synthesis(ws)
    for row in range(4):
        for k in (0, 15, 16, 20):
            moved = ws.clone()
            moved[:, row, k] += 1
            assert not torch.equal(G.synthesis(moved), base), (row, k)


def test_d_knows_the_class() -> None:
    D = Discriminator(3, 32, 3, **SMALL).eval()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(D(x, torch.eye(3)[:1]), D(x, torch.eye(3)[1:2]))
    with pytest.raises(ValueError, match="class labels"):
        D(x)


@torch.inference_mode()
def test_labs_draw_the_modules_picture() -> None:
    renderer = Renderer(made(), "deep", classes=("a", "b", "c"))
    recipe = Recipe(sources=(Source(3, classes=(ClassShare(1),)),), psi=1)
    ws = renderer.latents.ws(recipe)[None]
    assert torch.allclose(renderer.image(recipe), renderer.G.synthesis(ws)[0], atol=1e-3)  # sums in another order
