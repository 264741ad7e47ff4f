"""lucidrains' StyleGAN2: files as its code writes them, and one block step by step as its code computes it."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ganlab import weights
from ganlab.networks import lucidrains
from ganlab.pickles import BadCheckpoint


@pytest.fixture
def network() -> lucidrains.Generator:
    torch.manual_seed(0)
    return lucidrains.Generator(10, 16, 3, network_capacity=4, channel_max=12, num_layers=2).requires_grad_(False)


def checkpoint(network: lucidrains.Generator) -> dict[str, object]:
    """The names of the original's state dict."""
    state = {}
    for name, value in network.state_dict().items():
        for one, raw in (("SE", "GE"), ("S", "G")):
            if name.startswith("mapping.layers."):
                _, _, k, part = name.split(".")
                state[f"{one}.net.{2 * int(k)}.{part}"] = value.clone()
            elif name.startswith("synthesis."):
                state[f"{raw}.{name.removeprefix('synthesis.')}"] = value.clone()
    state["G.blocks.0.to_rgb.upsample.1.f"] = state["GE.blocks.0.to_rgb.upsample.1.f"] = torch.tensor([1.0, 2, 1])
    return {"GAN": {**state, "D.blocks.0.conv_res.weight": torch.ones(1)}, "version": "1.8.9"}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old stream"])
def test_its_files_load(network: lucidrains.Generator, zipped: bool, tmp_path: Path) -> None:
    torch.save(checkpoint(network), tmp_path / "model_1.pt", _use_new_zipfile_serialization=zipped)
    loaded = weights.load(tmp_path / "model_1.pt")
    assert isinstance(loaded, lucidrains.Generator)
    z = torch.randn(2, 10)
    assert torch.equal(loaded(z, noise_mode="const"), network(z, noise_mode="const"))
    assert loaded.mapping.w_avg.any()  # its files carry none: estimated
    report = weights.inspect(tmp_path / "model_1.pt")
    assert (report.kind, report.family, report.config["img_resolution"]) == ("lucidrains", "lucidrains", 16)
    weights.save(tmp_path / "a.safetensors", loaded, licence="ours")
    assert torch.equal(weights.load(tmp_path / "a.safetensors").mapping.w_avg, loaded.mapping.w_avg)


def test_with_attention_it_is_refused(network: lucidrains.Generator, tmp_path: Path) -> None:
    state = checkpoint(network)
    state["GAN"]["GE.attns.0.fn.weight"] = torch.ones(1)  # type: ignore[index]
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(BadCheckpoint, match=r"has the tensor 'GE.attns"):
        weights.load(tmp_path / "a.pt")


def test_a_modulated_convolution_scales_the_weights_of_each_sample(network: lucidrains.Generator) -> None:
    conv = network.synthesis.blocks[1].conv1
    x, style = torch.randn(2, 12, 8, 8), torch.randn(2, 12)
    for k in range(2):
        w = conv.weight * (style[k].view(1, -1, 1, 1) + 1)
        w = w * (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
        assert torch.allclose(conv(x, style)[k], F.conv2d(x[k : k + 1], w, padding=1)[0], atol=1e-5)


def test_shapes_and_noise(network: lucidrains.Generator) -> None:
    ws = network.mapping(torch.randn(2, 10))
    assert ws.shape == (2, network.num_ws, 10) and network.num_ws == 3
    const, none = network.synthesis(ws, "const"), network.synthesis(ws, "none")
    assert const.shape == (2, 3, 16, 16) and not torch.equal(const, none)
    one, again = (network.synthesis(ws, "random", generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, again)
    with pytest.raises(ValueError, match="noise_mode"):
        network.synthesis(ws, "loud")
