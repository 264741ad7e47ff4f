"""SAGAN and BigGAN: official counts, weights of spectral norm one, parts of z where they belong, the labs' picture."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ganlab.networks import biggan
from ganlab.networks.biggan import Discriminator, Generator, SelfAttention, truncated_normal
from ganlab.nn.norms import SpectralConv2d, SpectralLinear
from ganlab.recipe import ClassShare, Mix, Noise, Recipe, Source
from ganlab.synthesis import Memory, Renderer
from ganlab.synthesis.latents import z_of

SMALL: dict[str, Any] = {"channel_base": 128, "channel_max": 16}


def made(z_dim: int = 16, c_dim: int = 3, **more: Any) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        G = Generator(z_dim, c_dim, 32, 3, **{**SMALL, "embedded": 5, **more})
        for name, value in G.state_dict().items():  # nothing left as it begins
            if name.endswith(("gamma", "gain.weight", "shift.weight", "running_mean")):
                value.copy_(0.5 * torch.randn(value.shape))
    return G.eval().requires_grad_(False)


def test_parameter_counts_are_the_official_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(biggan, "start", lambda net: None)  # takes its time, also where there are no numbers
    with torch.device("meta"):
        G, D = Generator(120, 1000, 128, 3, 96 * 128, 10**6), Discriminator(1000, 128, 3, 96 * 128, 10**6)
    assert sum(p.numel() for p in G.parameters()) == 70_433_988
    assert sum(p.numel() for p in D.parameters()) == 87_982_370


@pytest.mark.parametrize("net", [made(), Discriminator(3, 32, 3, **SMALL).requires_grad_(False)], ids=["G", "D"])
def test_weights_have_spectral_norm_one(net: Any) -> None:
    rng = torch.Generator().manual_seed(0)
    layers = [m for m in net.modules() if isinstance(m, SpectralConv2d | SpectralLinear)]
    assert len(layers) > 8
    for layer in layers:
        layer.weight.data.mul_(3).add_(0.05 * torch.randn(layer.weight.shape, generator=rng))
    net.power_iterate(1000)
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.normalized().flatten(1), 2)) == pytest.approx(1, abs=0.01)


def test_without_numbers_nothing_is_iterated() -> None:
    """A network that is built for a file's weights opens without delay."""
    layer = SpectralLinear(4, 4).to("meta")
    layer.power_iterate(10**9)
    assert layer.u.is_meta


def test_attention_is_the_papers() -> None:
    layer = SelfAttention(16).eval().requires_grad_(False)
    layer.gamma.fill_(0.7)
    x = torch.randn(2, 16, 8, 8)
    q, k, v = (conv(x) for conv in (layer.query, layer.key, layer.value))
    k, v = F.max_pool2d(k, 2).flatten(2), F.max_pool2d(v, 2).flatten(2)
    weights = (q.flatten(2).transpose(1, 2) @ k).softmax(2)  # [n, places, places at half size]
    expected = x + 0.7 * layer.out((v @ weights.transpose(1, 2)).unflatten(2, (8, 8)))
    off = (layer(x) - expected).norm() / expected.norm()  # before a first power iteration numbers are large
    assert float(off) < 1e-5


def test_each_block_reads_its_own_part_of_z() -> None:
    G = made()
    ws = G.mapping(torch.randn(1, 16), torch.eye(3)[:1])
    assert ws.shape == (1, 4, 16 + 5)
    base = G.synthesis(ws)
    for row, part in enumerate(G.synthesis.parts):
        for k in range(16):
            moved = ws.clone()
            moved[:, row, k] += 1
            read = part.start <= k < part.stop
            assert torch.equal(G.synthesis(moved), base) is not read, (row, k)
    plain = made(skip_z=False)
    assert plain.synthesis.parts[0] == slice(0, 16) and plain.w_dim == 16 + 3


def test_truncation_is_of_z_and_classes_are_needed() -> None:
    G = made()
    z, c = torch.randn(2, 16), torch.eye(3)[:2]
    ws = G.mapping(z, c, truncation_psi=0.5, truncation_cutoff=2)
    near = truncated_normal(z, 0.5)
    assert torch.allclose(ws[:, :2, :16], near[:, None].expand(-1, 2, -1)) and torch.equal(ws[:, 3, :16], z)
    assert torch.allclose(ws[0, :, 16:], G.mapping.embed(c)[0].expand(4, -1))  # type: ignore[operator]
    assert G.mapping.w_avg.shape == (21,) and not G.mapping.w_avg[:16].any()  # type: ignore[union-attr, index]
    with pytest.raises(ValueError, match="class labels"):
        G.mapping(z)
    with pytest.raises(ValueError, match="class labels"):
        Discriminator(3, 32, 3, **SMALL)(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("psi", [0.02, 0.25, 0.5, 0.75])
def test_truncated_z_is_of_a_normal_distribution_that_ends(psi: float) -> None:
    z = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0)).double()
    found, end = truncated_normal(z, psi), 2 * psi
    assert found.abs().max() <= end and torch.equal(found[:, 0].argsort(), z[:, 0].argsort())
    drawn = z[z.abs() <= end]  # the paper's way: what lies beyond is drawn anew
    for level in (0.05, 0.3, 0.5, 0.9):
        assert abs(found.quantile(level) - drawn.quantile(level)) < 0.02 * end
    assert found.std() == pytest.approx(float(drawn.std()), rel=0.02)
    assert torch.allclose(truncated_normal(z, -psi), -found)


def test_truncation_moves_smoothly_from_the_mean_and_ends_at_one() -> None:
    z = torch.randn(4, 16)
    assert not truncated_normal(z, 0.0).any() and torch.equal(truncated_normal(z, 1.0), z)
    assert torch.equal(truncated_normal(z, 1.5), 1.5 * z)
    steps = [truncated_normal(z, psi) for psi in (0.1, 0.101, 0.102)]
    assert (steps[0] - steps[1]).abs().max() < 0.01 and steps[0].isfinite().all()
    assert truncated_normal(torch.full((1, 1), 40.0), 0.5).item() == pytest.approx(1.0)  # of an upload, say


@torch.inference_mode()
def test_labs_truncate_as_the_module_does() -> None:
    renderer = Renderer(made(), "big", classes=("a", "b", "c"))
    recipe = Recipe(sources=(Source(3, classes=(ClassShare(1),)),), psi=0.4, cutoff=2, center="class")
    expected = renderer.G.mapping(z_of(3, 16)[None], torch.eye(3)[1:2], 0.4, 2)[0]
    assert torch.allclose(renderer.latents.ws(recipe), expected, atol=0.02)  # the class's mean is of 4,096 draws


@pytest.mark.parametrize("skip_z", [True, False])
@torch.inference_mode()
def test_labs_draw_the_modules_picture_and_begin_where_it_differs(skip_z: bool) -> None:
    renderer = Renderer(made(skip_z=skip_z), "big", classes=("a", "b", "c"))
    base = Recipe(sources=(Source(3, classes=(ClassShare(1),)),), psi=1)
    ws = renderer.latents.ws(base)[None]
    assert torch.allclose(renderer.image(base), renderer.G.synthesis(ws)[0], atol=1e-3)  # sums in another order
    memory = Memory()
    renderer.pictures([base], [memory])
    mixed = Recipe(sources=base.sources, psi=1, mixes=(Mix(Source(9, classes=(ClassShare(2),)), (2,)),))
    assert renderer.pictures([mixed], [memory])[0].start_name == "16x16 block"
    silent = Recipe(sources=base.sources, psi=1, mixes=mixed.mixes, noise=Noise("none"))
    assert renderer.pictures([silent], [memory])[0].start_name == "nothing"
    assert [row["name"] for row in renderer.facts()["rows"]] == [f"{s}x{s} block" for s in (4, 8, 16, 32)]
    assert "no style space" in renderer.facts()["no_style_space"]
