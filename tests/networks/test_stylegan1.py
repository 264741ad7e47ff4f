"""StyleGAN against a second reading of the paper, on variables as TensorFlow's code names them and lays them out."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab import weights
from ganlab.networks import stylegan1
from tests.weights.foreign import tf_pickle

Variables = dict[str, Tensor]


def variables(side: int = 32, most: int = 8, seed: int = 0) -> Variables:
    """Variables of a small StyleGAN in TensorFlow's layout, all random."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    out = {"lod": torch.tensor(0.0), "dlatent_avg": draw(12)}
    for k, (a, b) in enumerate([(10, 12), (12, 12)]):
        out |= {f"mapping/Dense{k}/weight": draw(a, b) * 100, f"mapping/Dense{k}/bias": draw(b) * 30}
    inner, n = most, 0
    for r in [2**i for i in range(2, side.bit_length())]:
        outer = min(most, 128 // r)
        for layer in ("Const", "Conv") if r == 4 else ("Conv0_up", "Conv1"):
            at = f"synthesis/{r}x{r}/{layer}/"
            if layer == "Const":
                out[at + "const"] = draw(1, outer, 4, 4)
            else:
                out[at + "weight"] = draw(3, 3, inner, outer)
            out |= {at + "bias": draw(outer), at + "Noise/weight": draw(outer)}
            out |= {at + "StyleMod/weight": draw(12, 2 * outer), at + "StyleMod/bias": draw(2 * outer)}
            out[f"synthesis/noise{n}"] = draw(1, 1, r, r)
            inner, n = outer, n + 1
    lod = side.bit_length() - 3
    for k in range(lod + 1):
        channels = inner if k == 0 else min(most, 128 * 2**k // side)
        out |= {f"synthesis/ToRGB_lod{k}/weight": draw(1, 1, channels, 3), f"synthesis/ToRGB_lod{k}/bias": draw(3)}
    return out


def enlarged(x: Tensor, kernel: Tensor) -> Tensor:
    """Twice as large and convolved, [k, k, in, out] as TensorFlow has it: by itself to 64 pixels, fused from 128 on."""
    kernel = kernel * math.sqrt(2 / (9 * x.shape[1]))
    if 2 * x.shape[2] < 128:
        return F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), kernel.permute(3, 2, 0, 1), padding=1)
    out = torch.zeros(len(x), kernel.shape[3], 2 * x.shape[2] + 4, 2 * x.shape[3] + 4)
    for dy in (0, 1):  # scattering: each pixel is four, and each lays its kernel down
        for dx in (0, 1):
            for i in range(3):
                for j in range(3):
                    part = torch.einsum("nihw,io->nohw", x, kernel[i, j])
                    top, left = dy + i, dx + j
                    out[:, :, top : top + 2 * x.shape[2] : 2, left : left + 2 * x.shape[3] : 2] += part
    return out[:, :, 1:-3, 1:-3]


def rendered(v: Variables, z: Tensor, psi: float) -> Tensor:
    """The image, step by step as the paper describes it."""
    w = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for k in range(2):
        weight = v[f"mapping/Dense{k}/weight"]
        w = F.leaky_relu(w @ weight * (math.sqrt(2 / len(weight)) * 0.01) + v[f"mapping/Dense{k}/bias"] * 0.01, 0.2)
    w = v["dlatent_avg"] + psi * (w - v["dlatent_avg"])
    sides = sorted({int(name.split("/")[1].split("x")[0]) for name in v if "/Conv" in name})
    x, n = v["synthesis/4x4/Const/const"].expand(len(z), -1, -1, -1), 0
    taps = torch.tensor([1.0, 2, 1])
    blur = (taps[:, None] * taps / 16)[None, None]
    for r in sides:
        for layer in ("Const", "Conv") if r == 4 else ("Conv0_up", "Conv1"):
            at = f"synthesis/{r}x{r}/{layer}/"
            if layer == "Conv0_up":
                x = enlarged(x, v[at + "weight"])
                x = F.conv2d(x, blur.expand(x.shape[1], -1, -1, -1), padding=1, groups=x.shape[1])
            elif layer != "Const":
                kernel = v[at + "weight"]
                x = F.conv2d(x, kernel.permute(3, 2, 0, 1) * math.sqrt(2 / (9 * kernel.shape[2])), padding=1)
            x = x + v[f"synthesis/noise{n}"] * v[at + "Noise/weight"].view(1, -1, 1, 1)
            x = F.leaky_relu(x + v[at + "bias"].view(1, -1, 1, 1), 0.2)
            x = x - x.mean((2, 3), keepdim=True)
            x = x / (x.square().mean((2, 3), keepdim=True) + 1e-8).sqrt()
            style = w @ v[at + "StyleMod/weight"] / math.sqrt(12) + v[at + "StyleMod/bias"]
            scale, shift = style.view(len(z), 2, -1, 1, 1).unbind(1)
            x, n = x * (scale + 1) + shift, n + 1
    kernel = v["synthesis/ToRGB_lod0/weight"]
    return F.conv2d(x, kernel.permute(3, 2, 0, 1) / math.sqrt(kernel.shape[2]), v["synthesis/ToRGB_lod0/bias"])


@pytest.mark.parametrize("side", [4, 32, 128])
def test_files_of_tensorflow_render_as_the_paper_says(side: int, tmp_path: Path) -> None:
    v = variables(side)
    (tmp_path / "a.pkl").write_bytes(tf_pickle(v, "G_style"))
    network = weights.load(tmp_path / "a.pkl")
    assert isinstance(network, stylegan1.Generator) and network.num_ws == 2 * (side.bit_length() - 2)
    z = torch.randn(2, 10, generator=torch.Generator().manual_seed(5))
    expected = rendered(v, z, 0.7)
    got = network(z, truncation_psi=0.7, noise_mode="const")
    assert float((got - expected).norm() / expected.norm()) < 1e-5
    report = weights.inspect(tmp_path / "a.pkl")
    assert (report.kind, report.family, report.config["img_resolution"]) == ("tf", "stylegan1", side)


@pytest.fixture
def network() -> stylegan1.Generator:
    torch.manual_seed(0)
    return stylegan1.Generator(8, 12, 32, 3, channel_base=128, channel_max=8, num_layers=2)


def test_shapes_gradients_and_mixing(network: stylegan1.Generator) -> None:
    z = torch.randn(3, 8)
    ws = network.mapping(z)
    assert ws.shape == (3, 8, 12) and network.num_ws == 8
    image = network.synthesis(ws, noise_mode="const")
    assert image.shape == (3, 3, 32, 32)
    image.square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert all(name.endswith("b4.const") for name in without)  # a constant map is normalised away
    mixed = torch.cat([ws[:1, :4], ws[1:2, 4:]], 1)
    assert not torch.equal(network.synthesis(mixed, noise_mode="const"), image[:1])


def test_noise(network: stylegan1.Generator) -> None:
    ws = network.mapping(torch.randn(1, 8))
    for layer in network.synthesis.layers():
        torch.nn.init.ones_(layer.noise_strength)
    const, none, one, again, other = (
        network.synthesis(ws, mode, generator=torch.Generator().manual_seed(seed))
        for mode, seed in (("const", 0), ("none", 0), ("random", 1), ("random", 1), ("random", 2))
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other) and not torch.equal(const, none)
    maps = network.synthesis.noise_inputs("const", 1)
    assert torch.equal(network.synthesis(ws, noise=maps), const)
    assert torch.equal(network.synthesis(ws, noise=[None] * 8), none)
    with pytest.raises(ValueError, match="noise_mode"):
        network.synthesis(ws, "loud")


def test_saved_and_loaded(network: stylegan1.Generator, tmp_path: Path) -> None:
    config = {"z_dim": 8, "w_dim": 12, "img_resolution": 32, "img_channels": 3}
    config |= {"channel_base": 128, "channel_max": 8, "num_layers": 2}
    weights.save(tmp_path / "a.safetensors", network, licence="CC0-1.0", config=config)
    again = weights.load(tmp_path / "a.safetensors")
    z = torch.randn(1, 8)
    assert torch.equal(again(z, noise_mode="const"), network(z, noise_mode="const"))


def test_blur_keeps_brightness() -> None:
    assert torch.allclose(stylegan1.blur(torch.ones(1, 2, 6, 6))[:, :, 1:-1, 1:-1], torch.ones(1, 2, 4, 4))
