"""Networks of files of all kinds: the same images, strict names and shapes, and refusals that say why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ganlab
from ganlab import weights
from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.networks import stylegan2
from ganlab.pickles import BadCheckpoint
from tests.goldens import FOLDER, NAMES, path_of
from tests.pickles.assemble import dumps, module, tensor
from tests.weights.foreign import generator, rosinality, tensorflow, tf_pickle

STYLEGAN2 = [name for name in NAMES if name.startswith("stylegan2")]
STYLEGAN3 = [name for name in NAMES if name.startswith("stylegan3")]


def image(network: torch.nn.Module, seed: int = 1) -> torch.Tensor:
    z = torch.randn(2, network.z_dim, generator=torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
    c = torch.eye(network.c_dim)[:2] if network.c_dim else None  # type: ignore[arg-type]
    out: torch.Tensor = network(z, c, truncation_psi=0.7, noise_mode="const")
    return out


def off(a: torch.Tensor, b: Any) -> float:
    b = torch.as_tensor(b)
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", STYLEGAN2)
def test_official_files_render_as_the_official_code_does(name: str) -> None:
    golden = np.load(FOLDER / f"{name}.npz")
    network = ganlab.load(path_of(name))
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert all(value.dtype is torch.float32 for value in network.state_dict().values())
    z, c = (torch.from_numpy(golden[key]).float() for key in "zc")
    ws = network.mapping(z, c if c.shape[1] else None)
    assert off(ws[:, 0], golden["ws"]) < 1e-5
    assert off(network.synthesis(ws[:2], noise_mode="const"), golden["img"]) < 1e-5
    kwargs = json.loads(bytes(golden["kwargs"]))
    assert {**network.init_kwargs, "class_name": kwargs["class_name"]} == kwargs


@pytest.mark.parametrize("name", STYLEGAN2)
def test_discriminators_load(name: str) -> None:
    golden = np.load(FOLDER / f"{name}.npz")
    network = weights.load(path_of(name), "D")
    assert isinstance(network, stylegan2.Discriminator)
    g = weights.load(path_of(name), "G_raw")
    z, c = (torch.from_numpy(golden[key]).float() for key in "zc")
    c = c if c.shape[1] else None
    img = g.synthesis(g.mapping(z, c), noise_mode="const").clamp(-1, 1)
    assert off(network(img, c), golden["d"]) < 1e-4


@pytest.mark.parametrize("name", STYLEGAN3)
def test_stylegan3_is_known(name: str) -> None:
    report = weights.inspect(path_of(name))
    assert report.family == "stylegan3" and report.networks[0].loads and report.config["img_resolution"] == 64
    assert "G_ema: StyleGAN3, " in report.sentences()[1]


def test_report() -> None:
    report = weights.inspect(path_of("stylegan2-32-cond10"))
    assert (report.kind, report.family, report.licence) == ("nvidia", "stylegan2", None)
    assert [holding.name for holding in report.networks] == ["G_ema", "G", "D"]
    assert report.sentences()[:2] == [
        "stylegan2-32-cond10.pkl: a pickle of NVIDIA's for PyTorch",
        "G_ema: StyleGAN2, 104,595 numbers, 32 x 32 pixels, z_dim 64, w_dim 64, 10 classes",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_own_files_are_exact(name: str, tmp_path: Path) -> None:
    path, network = tmp_path / "a.safetensors", weights.load(path_of(name))
    weights.save(path, network, licence="CC0-1.0", about={"data": "a rule"})
    again = ganlab.load(str(path))
    assert type(again) is type(network) and again.init_kwargs == network.init_kwargs
    for key, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
    report = weights.inspect(path)
    assert report.licence == "CC0-1.0" and report.about == {"data": "a rule"}
    assert "Licence: CC0-1.0" in report.sentences()


def test_discriminators_are_saved_too(tmp_path: Path) -> None:
    network = weights.load(path_of("stylegan2-64"), "D")
    weights.save(tmp_path / "d.safetensors", network, licence="CC0-1.0")
    assert isinstance(weights.load(tmp_path / "d.safetensors", "D"), stylegan2.Discriminator)
    with pytest.raises(BadCheckpoint, match="holds no generator"):
        weights.load(tmp_path / "d.safetensors")


@pytest.mark.parametrize("how", [{}, {"img_resolution": 64}, {"channel_base": 1024}], ids=str)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old stream"])
def test_rosinality_renders_the_same(how: dict[str, Any], zipped: bool, tmp_path: Path) -> None:
    network = generator(**how)
    state = rosinality(network.state_dict())
    average = state.pop("latent_avg")
    content = {"g_ema": state, "d": {"w": torch.ones(1)}, "latent_avg": average}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert torch.equal(image(weights.load(tmp_path / "a.pt")), image(network))
    assert weights.inspect(tmp_path / "a.pt").kind == "rosinality"


def test_a_bare_state_dict_gets_an_average(tmp_path: Path) -> None:
    network = generator()
    state = rosinality(network.state_dict())
    del state["latent_avg"]
    torch.save(state, tmp_path / "a.pt")
    loaded = weights.load(tmp_path / "a.pt")
    z = torch.randn(20_000, 16)
    assert "carries no average w" in loaded.load_warnings[0]
    assert off(loaded.mapping.w_avg, network.mapping(z)[:, 0].mean(0)) < 0.2
    assert "mean of 4,096 draws" in weights.inspect(tmp_path / "a.pt").sentences()[1]


@pytest.mark.parametrize("how", [{}, {"c_dim": 5}, {"architecture": "resnet"}, {"img_resolution": 4}], ids=str)
def test_tensorflow_renders_the_same(how: dict[str, Any], tmp_path: Path) -> None:
    network = generator(**how)
    (tmp_path / "a.pkl").write_bytes(tf_pickle(tensorflow(network.state_dict())))
    assert off(image(weights.load(tmp_path / "a.pkl")), image(network)) < 1e-6  # biases lose 1 and win it back
    report = weights.inspect(tmp_path / "a.pkl")
    assert (report.kind, report.family) == ("tf", "stylegan2")


def test_official_names_without_arguments(tmp_path: Path) -> None:
    """A safetensors file of another program: arguments follow from the shapes."""
    network = generator()
    save_file(dict(network.state_dict()), tmp_path / "a.safetensors")
    assert torch.equal(image(weights.load(tmp_path / "a.safetensors")), image(network))


def test_half_precision_is_loaded_as_single(tmp_path: Path) -> None:
    network = generator()
    save_file({key: value.half() for key, value in network.state_dict().items()}, tmp_path / "a.safetensors")
    assert image(weights.load(tmp_path / "a.safetensors")).dtype is torch.float32


def test_weights_that_are_not_finite_are_loaded_with_a_warning(tmp_path: Path) -> None:
    network = generator()
    network.synthesis.b8.conv0.bias[0] = float("nan")
    save_file(dict(network.state_dict()), tmp_path / "a.safetensors")
    assert (
        "hold NaN or infinity ('synthesis.b8.conv0.bias')" in weights.load(tmp_path / "a.safetensors").load_warnings[0]
    )


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.safetensors"
    assert main(["convert", str(path_of("stylegan2-64")), str(out), "--licence", "ours"]) == 0
    assert "Licence: ours" in capsys.readouterr().out
    assert torch.equal(image(weights.load(out)), image(weights.load(path_of("stylegan2-64"))))
    assert main(["inspect", str(out)]) == 0
    assert "G: StyleGAN2" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "none")]) == 2
    assert "error: none: cannot be opened" in capsys.readouterr().err
    with pytest.raises(InvalidInput, match="must end with"):
        weights.convert(out, tmp_path / "a.pt")


FINE = {"z_dim": 16, "c_dim": 0, "w_dim": 24, "img_resolution": 32, "img_channels": 3}
FINE |= {"channel_base": 256, "channel_max": 16, "mapping_kwargs": {"num_layers": 3}}
ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "huge resolution": ({"img_resolution": 1 << 30}, "img_resolution: 1.07374e\\+09 is out of range"),
    "odd resolution": ({"img_resolution": 48}, "only powers of two"),
    "text": ({"z_dim": "16"}, "z_dim: must be a whole number"),
    "huge number": ({"w_dim": 1 << 90}, "a huge number"),
    "negative": ({"c_dim": -1}, "c_dim: -1 is out of range"),
    "many layers": ({"mapping_kwargs": {"num_layers": 10_000}}, "mapping_kwargs.num_layers: 10000 is out"),
    "many channels": ({"channel_max": 1 << 20}, "channel_max: 1.04858e\\+06 is out of range"),
    "no channels": ({"channel_base": 8}, "layers without channels"),
    "no channels of ADA": ({"synthesis_kwargs": {"channel_base": 8}}, "layers without channels"),
    "unknown": ({"run": "os.system"}, '"run": is not a known setting'),
    "unknown activation": ({"mapping_kwargs": {"activation": "eval"}}, '"eval" is not one of linear'),
    "filter": ({"resample_filter": [1.0] * 1000}, "resample_filter: has 1,000 items"),
    "a class that is not there": ({"c_dim": 5}, "misses 'mapping.embed"),
    "larger than its tensors": ({"img_resolution": 64}, "misses 'synthesis.b64"),
    "smaller than its tensors": ({"img_resolution": 16}, "has 'synthesis.b32.* too many"),
    "other shapes": ({"w_dim": 25}, "of the shape"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_checked_before_anything_is_built(name: str, tmp_path: Path) -> None:
    change, words = ARGUMENTS[name]
    header = {"format": "ganlab network 1", "family": "stylegan2", "config": {**FINE, **change}}
    path = tmp_path / "a.safetensors"
    save_file(dict(generator().state_dict()), path, metadata={"ganlab": json.dumps(header)})
    with pytest.raises(BadCheckpoint, match=words) as error:
        weights.load(path)
    assert str(error.value).startswith("a.safetensors: ") and len(str(error.value)) < 400


HEADERS = {
    "not JSON": "{",
    "another format": json.dumps({"format": "ganlab network 9"}),
    "no config": json.dumps({"format": "ganlab network 1", "family": "stylegan2"}),
    "another family": json.dumps({"format": "ganlab network 1", "family": "os", "config": {}}),
    "long": "[" * 300_000,
}


@pytest.mark.parametrize("name", HEADERS)
def test_damaged_headers(name: str, tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors", metadata={"ganlab": HEADERS[name]})
    with pytest.raises(BadCheckpoint, match=r"header of ganlab|does not know"):
        weights.load(tmp_path / "a.safetensors")


FILES = {
    "a discriminator alone": (dumps(module(class_name="Discriminator")), "holds no network G_ema or G"),
    "a discriminator as G": (dumps({"G": module(class_name="Discriminator")}), "holds no generator|not known"),
    "an unknown network": (dumps({"G": module({"w": tensor([1])})}), "kind that is not known; `ganlab inspect`"),
    "arguments without names": (
        dumps({"G": module({"w": tensor([1])}, state={"_init_args": tuple(range(9))})}),
        "more constructor arguments",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_without_a_generator(name: str, tmp_path: Path) -> None:
    data, words = FILES[name]
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(BadCheckpoint, match=words):
        weights.load(tmp_path / "a.pkl")


STATES: dict[str, tuple[str, torch.Tensor | None, str]] = {  # of a rosinality file: a tensor, its change, words
    "missing": ("convs.2.conv.weight", None, "misses 'synthesis.b16.conv0.weight'"),
    "too many": ("evil.weight", torch.ones(1), "has the tensor 'evil.weight', which this kind"),
    "another shape": ("convs.0.activate.bias", torch.ones(3), "of the shape"),
    "no axes": ("input.input", torch.tensor(1.0), "of an impossible shape"),
    "another blur": ("convs.0.conv.blur.kernel", torch.ones(4, 4), "blurs with another filter"),
    "a gap": ("convs.1.conv.weight", None, "misses some of the resolutions"),
    "no colours": ("to_rgbs.2.conv.weight", None, "has no tensor synthesis.b32.torgb.weight"),
    "no mapping": ("style.1.weight", None, "not known|holds no network"),
}


@pytest.mark.parametrize("name", STATES)
def test_foreign_states_that_do_not_fit(name: str, tmp_path: Path) -> None:
    key, value, words = STATES[name]
    state = rosinality(generator().state_dict())
    state.pop(key, None)
    torch.save({"g_ema": state if value is None else {**state, key: value}}, tmp_path / "a.pt")
    with pytest.raises(BadCheckpoint, match=words):
        weights.load(tmp_path / "a.pt")


def test_wrong_wishes(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="must be one of G"):
        weights.load(path_of("stylegan2-64"), "H")
    with pytest.raises(InvalidInput, match="not of a family"):
        weights.save(tmp_path / "a.safetensors", torch.nn.Linear(1, 1), licence="", config={})
    with pytest.raises(InvalidInput, match="arguments that the network was built with"):
        weights.save(tmp_path / "a.safetensors", generator(), licence="")
    with pytest.raises(InvalidInput, match="no file and no model"):
        ganlab.load("no-such-model")
    with pytest.raises(BadCheckpoint, match="cannot be opened"):
        ganlab.load("no-such-file.pkl")
