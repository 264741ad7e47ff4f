"""ViTGAN and TransGAN: what keeps D smooth by direct formulas, modulation by w, files, the labs' picture, training."""

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab import weights
from ganlab.data.images import ImageData
from ganlab.networks import transgan, vitgan
from ganlab.networks.vitgan import (
    HEADS,
    DotAttention,
    L2Attention,
    ModulatedLinear,
    PatchDecoder,
    RescaledLinear,
    SelfModulatedNorm,
)
from ganlab.presets.images import image_preset
from ganlab.recipe import ClassShare, Mix, Noise, Recipe, Source
from ganlab.run_images import ImageRun
from ganlab.synthesis import Memory, Renderer
from ganlab.training.image_loop import ImageTraining, train_images
from tests.tiny_models import TINY

BOTH = pytest.mark.parametrize("family", [vitgan, transgan], ids=["vitgan", "transgan"])
SMALL: dict[str, Any] = {"channel_base": 512, "channel_max": 16}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def made(kind: type[Any], *args: int, **more: Any) -> Any:
    """A network whose parameters are nowhere as they begin, so that nothing is hidden by a zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = kind(*args, **{**SMALL, **more})
    for i, value in enumerate(net.parameters()):
        value.data.add_(0.1 * draw(*value.shape, seed=i))
    return net


def run_of(name: str, **more: Any) -> ImageRun:
    run = image_preset(f"{name}-32")
    return replace(
        run, data=ImageData("digits", resolution=16, labels="class"), gan=replace(run.gan, **{**TINY, **more})
    )


@BOTH
@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("resolution", [16, 32, 64])
def test_shapes(family: ModuleType, resolution: int, c_dim: int) -> None:
    G = made(family.Generator, 12, c_dim, resolution, 3, channel_max=8).requires_grad_(False)
    D = made(family.Discriminator, c_dim, resolution, 3, channel_max=8).requires_grad_(False)
    z, c = draw(2, 12), torch.eye(3)[:2] if c_dim else None
    ws = G.mapping(z, c)
    assert ws.shape == (2, G.num_ws, G.w_dim) and G.synthesis.num_ws == G.num_ws
    img = G(z, c)
    assert img.shape == (2, 3, resolution, resolution) and 0.1 < img.std() < 10
    assert torch.equal(img, G.synthesis(ws, noise_mode="const")) and D(img, c).shape == (2, 1)
    if family is vitgan:
        assert G.num_ws == len(G.synthesis.blocks) + 1 and G.synthesis.side == 8
        assert D.patches(img).shape[1] == len(D.positions) - 1 == 64


@BOTH
def test_every_parameter_gets_a_gradient_and_the_class_matters(family: ModuleType) -> None:
    G, D = made(family.Generator, 12, 3, 32, 3), made(family.Discriminator, 3, 32, 3)
    z, c = draw(2, 12), torch.eye(3)
    img = G(z, c[:2])
    logits = D(img, c[:2])
    logits.square().sum().backward()
    for net in (G, D):
        assert not [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not torch.allclose(G(z, c[1:]), img) and not torch.allclose(D(img, c[1:]), logits)
    for net, given in ((G, z), (D, img)):
        with pytest.raises(ValueError, match="class labels"):
            net(given)


@BOTH
def test_d_can_be_differentiated_twice(family: ModuleType) -> None:
    D, img = made(family.Discriminator, 0, 16, 3), draw(2, 3, 16, 16).requires_grad_()
    (slope,) = torch.autograd.grad(D(img).sum(), img, create_graph=True)
    slope.square().sum().backward()
    assert all(block.attention.value.weight.grad.any() for block in D.blocks)


def test_patches_overlap() -> None:
    D, plain = made(vitgan.Discriminator, 0, 32, 3), made(transgan.Discriminator, 0, 32, 3)
    assert (D.patch, D.overlap, plain.overlap) == (4, 2, 0)
    img = draw(1, 3, 32, 32)
    padded = F.pad(img, (2, 2, 2, 2))
    for row, column in ((0, 0), (3, 5), (7, 7)):
        y, x = 4 * row, 4 * column
        assert torch.equal(D.patches(img)[0, 8 * row + column], padded[0, :, y : y + 8, x : x + 8].flatten())
        assert torch.equal(plain.patches(img)[0, 8 * row + column], img[0, :, y : y + 4, x : x + 4].flatten())
    counts = (F.fold(net.patches(torch.ones_like(img)).mT, 32, 4 + 2 * o, padding=o, stride=4) for net, o in
              ((D, 2), (plain, 0)))  # fmt: skip
    smooth, once = counts
    assert (smooth[..., 2:-2, 2:-2] == 4).all() and (once == 1).all()  # patches that hold each pixel


def test_attention_is_by_squared_distances() -> None:
    layer, x = made_layer(L2Attention), draw(2, 5, 16)
    logits, heads = layer.logits(x), layer.query(x).unflatten(2, (HEADS, 4))
    values, expected = layer.value(x).unflatten(2, (HEADS, 4)), torch.empty(2, 5, HEADS, 4)
    for n in range(2):
        for h in range(HEADS):
            direct = torch.stack([-(heads[n, :, h] - heads[n, j, h]).square().sum(1) for j in range(5)], 1) / math.sqrt(
                4
            )
            torch.testing.assert_close(logits[n, h], direct, rtol=1e-4, atol=1e-4)
            expected[n, :, h] = direct.softmax(1) @ values[n, :, h]
    torch.testing.assert_close(layer(x), layer.out(expected.flatten(2)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [DotAttention, transgan.FusedAttention])
def test_plain_attention_is_the_papers(kind: type[DotAttention]) -> None:
    layer, x = made_layer(kind), draw(2, 5, 16)
    q, k, v = (f(x).unflatten(2, (HEADS, 4)) for f in (layer.query, layer.key, layer.value))
    shares = (torch.einsum("nihd,njhd->nhij", q, k) / 2).softmax(3)
    expected = layer.out(torch.einsum("nhij,njhd->nihd", shares, v).flatten(2))
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def made_layer(kind: type[Any], *args: Any) -> Any:
    """A layer of 16 features with drawn weights."""
    layer = kind(16, *args)
    for i, value in enumerate(layer.parameters()):
        value.data.copy_(0.4 * draw(*value.shape, seed=i))
    return layer.requires_grad_(False)


def test_layers_keep_the_spectral_norm_they_begin_with() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        D = vitgan.Discriminator(3, 32, 3, **SMALL).requires_grad_(False)
    layers = [m for m in D.modules() if isinstance(m, RescaledLinear)]
    assert len(layers) == 3 + 5 * len(D.blocks) and not [m for m in transgan.Discriminator(3, 32, 3).modules()
                                                          if isinstance(m, RescaledLinear)]  # fmt: skip
    before = [float(torch.linalg.matrix_norm(layer.weight, 2)) for layer in layers]
    assert max(before) > 1.2 * min(before)
    for i, layer in enumerate(layers):
        torch.testing.assert_close(layer.normalized(), layer.weight)  # nothing is changed yet
        layer.weight.mul_(3).add_(0.2 * draw(*layer.weight.shape, seed=i))
    D.power_iterate(300)
    for layer, norm in zip(layers, before):
        assert float(torch.linalg.matrix_norm(layer.normalized(), 2)) == pytest.approx(norm, rel=0.01)


def test_attention_begins_with_more_than_the_token_itself() -> None:
    D = vitgan.Discriminator(0, 32, 3).requires_grad_(False)
    shares = D.blocks[0].attention.logits(F.layer_norm(draw(2, 65, 256), (256,))).softmax(3)
    assert shares.diagonal(dim1=2, dim2=3).mean() < 0.1


def test_w_modulates_the_layer_norm() -> None:
    norm, x, w = made_layer(SelfModulatedNorm, 6), draw(2, 5, 16), draw(2, 6, seed=1)
    numbers = w @ norm.affine.weight.T + norm.affine.bias
    scale = (x.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = (x - x.mean(2, keepdim=True)) / scale * (1 + numbers[:, None, :16]) + numbers[:, None, 16:]
    torch.testing.assert_close(norm(x, w), expected, rtol=1e-4, atol=1e-5)
    G = made(vitgan.Generator, 12, 0, 32, 3).requires_grad_(False)
    ws = G.mapping(draw(1, 12))
    for row in range(G.num_ws):
        moved = ws.clone()
        moved[:, row] += 1
        assert not torch.allclose(G.synthesis(moved), G.synthesis(ws)), row


def test_patches_are_drawn_by_sines() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = PatchDecoder(16, 4, 3).requires_grad_(False)
    assert decoder.positions[0].tolist() == [-0.75, -0.75] and decoder.positions[1].tolist() == [-0.75, -0.25]
    patches = draw(1, 2, 16)

    def layer(of: ModulatedLinear, x: Tensor, patch: Tensor) -> Tensor:
        weight = of.weight * (1 + of.affine(patch))
        return x @ (weight / weight.norm(dim=1, keepdim=True) if of.demodulated else weight).T + of.bias

    for t in range(2):
        waves = (decoder.positions @ decoder.frequencies.T + decoder.phases).sin()
        expected = layer(decoder.out, layer(decoder.hidden, waves, patches[0, t]).sin(), patches[0, t])
        torch.testing.assert_close(decoder(patches)[0, t], expected, rtol=1e-3, atol=1e-4)


def test_patches_stand_where_they_belong() -> None:
    """What one token of 8 x 8 is changes one patch."""
    G = made(vitgan.Generator, 12, 0, 32, 3).requires_grad_(False)
    w, x = G.mapping(draw(1, 12))[:, 0], draw(1, 16, 8, 8)
    moved = x.clone()
    moved[:, :, 2, 5] += draw(16)
    changed = (G.synthesis.torgb(moved, w) != G.synthesis.torgb(x, w)).any(1)[0].nonzero()
    assert changed.amin(0).tolist() == [8, 20] and changed.amax(0).tolist() == [11, 23]


def test_one_generator_draws_at_every_resolution() -> None:
    small, large = (made(vitgan.Generator, 12, 0, side, 3) for side in (32, 64))
    assert {n: v.shape for n, v in small.state_dict().items()} == {n: v.shape for n, v in large.state_dict().items()}


def test_many_tokens_attend_within_windows() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = transgan.Generator(12, 0, 64, 3, **SMALL).synthesis.stages.requires_grad_(False)
    stage, x = stages[3], draw(1, 16, 32, 32)
    assert [s.side for s in stages] == [8, 16, 32, 64] and [len(s.blocks) for s in stages] == [5, 4, 2, 2]
    tokens = draw(2, 64 * 64, 8)
    assert torch.equal(stage._joined(stage._windows(tokens)), vitgan.to_grid(tokens))
    moved = torch.cat([x, x])
    moved[1, :, 9, 20] += 1
    a, b = stage(moved)
    changed = (a != b).any(0).nonzero()
    assert changed.amin(0).tolist() == [16, 32] and changed.amax(0).tolist() == [31, 47]


@BOTH
def test_files_are_exact(family: ModuleType, tmp_path: Path) -> None:
    G = made(family.Generator, 12, 3, 32, 3).eval().requires_grad_(False)
    config = {"z_dim": 12, "c_dim": 3, "img_resolution": 32, "img_channels": 3, **SMALL}
    weights.save(tmp_path / "g.safetensors", G, licence="Apache-2.0", config=config)
    again = weights.load(tmp_path / "g.safetensors")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in G.state_dict().items())
    z, c = draw(2, 12), torch.eye(3)[:2]
    torch.testing.assert_close(again(z, c), G(z, c), rtol=1e-3, atol=1e-4)  # sums in another order


@BOTH
@torch.inference_mode()
def test_labs_draw_the_modules_picture_and_begin_where_it_differs(family: ModuleType) -> None:
    renderer = Renderer(made(family.Generator, 12, 3, 32, 3), "made", classes=("a", "b", "c"))
    base = Recipe(sources=(Source(3, classes=(ClassShare(1),)),), psi=1)
    ws = renderer.latents.ws(base)[None]
    assert torch.allclose(renderer.image(base), renderer.G.synthesis(ws)[0], atol=1e-3)  # sums in another order
    memory = Memory()
    renderer.pictures([base], [memory])
    silent = Recipe(sources=base.sources, psi=1, noise=Noise("none"))
    assert renderer.pictures([silent], [memory])[0].start_name == "nothing"
    rows = [row["name"] for row in renderer.facts()["rows"]]
    assert "no style space" in renderer.facts()["no_style_space"]
    if family is transgan:
        assert rows == ["8x8 block"]
        return
    assert rows == [*(f"8x8 block{k}" for k in range(4)), "32x32 torgb"]
    for row, name in ((4, "32x32 torgb"), (2, "8x8 block2")):
        mixed = Recipe(sources=base.sources, psi=1, mixes=(Mix(Source(9, classes=(ClassShare(2),)), (row,)),))
        assert renderer.pictures([mixed], [memory])[0].start_name == name
        renderer.pictures([base], [memory])


@pytest.mark.parametrize("name", ["vitgan", "transgan"])
def test_ten_steps_stay_finite(name: str) -> None:
    last = list(train_images(run_of(name, d_steps=1), 10, every=10))[-1]
    told = (last.d_loss, last.g_loss, last.d_grad, last.g_grad, last.real, last.fake)
    assert last.step == 10 and all(value is not None and math.isfinite(value) for value in told)


def test_styles_mix_and_path_lengths_are_regularized() -> None:
    training = ImageTraining(run_of("vitgan", style_mixing=0.9, path_length=2.0, path_interval=1))
    training.step()
    training.step()
    assert training.gan.path_mean > 0 and training.gan.G.mapping.w_avg.any() and training.gan.finite()
