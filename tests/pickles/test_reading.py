"""Honest files of every kind are read to the last bit."""

import json
import pickle
import sys
import types
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.loading import Persistent, stand_ins
from ganlab.pickles import BadCheckpoint, Found, read
from tests.goldens import NAMES, by_rule, path_of
from tests.pickles.assemble import dumps, safetensors
from tests.pickles.attacks import FOUR, numpy_array, tf_network

KINDS = {
    "weight": torch.randn(3, 2, 1, 1),
    "half": torch.randn(5).half(),
    "bf16": torch.randn(2, 2).bfloat16(),
    "double": torch.randn(2).double(),
    "steps": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "turned": torch.randn(3, 4).t(),
    "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "empty": torch.zeros(0, 3),
    "byte": torch.tensor([1, 255], dtype=torch.uint8),
}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert value.dtype == b[name].dtype and value.shape == b[name].shape, name
        assert torch.equal(value, b[name]), name
        assert value.is_contiguous() and value.untyped_storage().nbytes() == value.numel() * value.element_size()


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_follow_their_rule(name: str) -> None:
    found = read(path_of(name))
    assert found.kind == "nvidia" and found.networks.keys() == {"G", "D", "G_ema"}
    assert found.skipped == () and found.warnings == ()
    for network in found.networks.values():
        assert network.class_name in ("Generator", "Discriminator")
        assert network.kwargs["img_resolution"] in (32, 64)
        for key, value in network.tensors.items():
            expected = by_rule(key, tuple(value.shape))
            assert expected is None or torch.equal(value, expected), key


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_official_layout_by_every_protocol(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python's pickle writes it: older files have GLOBAL, BINPUT and sets by REDUCE."""
    for name in ("torch_utils", "torch_utils.persistence"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    stand_ins()
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about typed storages
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"G_ema": Persistent(network, {"z_dim": 2})}, protocol))
    found = read(tmp_path / "a.pkl")
    assert found.networks["G_ema"].kwargs == {"z_dim": 2}
    same(found.networks["G_ema"].tensors, dict(network.state_dict()))


def test_only_what_is_wanted_is_copied() -> None:
    found = read(path_of("stylegan2-64"), want=("G_ema",))
    assert found.networks.keys() == {"G_ema"}
    assert found.skipped == ("'G' was not asked for", "'D' was not asked for")
    assert read(path_of("stylegan2-64"), want=("G_ema", "G"), first=True).networks.keys() == {"G_ema"}
    with pytest.raises(BadCheckpoint, match="holds no network E"):
        read(path_of("stylegan2-64"), want=("E",))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old stream"])
@pytest.mark.parametrize("ordered", [True, False])
def test_files_of_torch_save(zipped: bool, ordered: bool, tmp_path: Path) -> None:
    state = OrderedDict(KINDS) if ordered else dict(KINDS)
    torch.save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    found = read(tmp_path / "a.pt")
    assert found.kind == "torch"
    same(found.networks["G"].tensors, KINDS)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old stream"])
def test_views_of_one_storage(zipped: bool, tmp_path: Path) -> None:
    whole = torch.randn(10)
    torch.save({"a": whole[:4], "b": whole[4:].view(2, 3)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    same(read(tmp_path / "a.pt").networks["G"].tensors, {"a": whole[:4], "b": whole[4:].view(2, 3)})


def test_parameters_and_optimizers(tmp_path: Path) -> None:
    """A checkpoint of training: the optimizer and arguments beside the network are read over."""
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"g_ema": model.state_dict(), "g_optim": optimizer.state_dict(), "step": 3}, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt", want=("g_ema",))
    same(found.networks["g_ema"].tensors, dict(model.state_dict()))


def found_of(value: Any, tmp_path: Path) -> Found:
    torch.save(value, tmp_path / "a.pt")
    return read(tmp_path / "a.pt")


def test_rosinality_is_recognised(tmp_path: Path) -> None:
    state = {"style.1.weight": torch.randn(2, 2), "noises.noise_0": torch.randn(1, 1, 4, 4)}
    average = torch.randn(2)
    found = found_of(
        {
            "g": state,
            "g_ema": {k: v.clone() for k, v in state.items()},
            "d": {"w": torch.ones(1)},
            "latent_avg": average,
        },
        tmp_path,
    )
    assert found.kind == "rosinality" and found.networks.keys() == {"G", "G_ema", "D"}
    same(found.networks["G_ema"].tensors, {**state, "latent_avg": average})
    assert found_of(state, tmp_path).kind == "rosinality"
    assert found_of(state, tmp_path).networks.keys() == {"G"}
    assert found_of({"generator": state}, tmp_path).networks.keys() == {"G"}


def test_lucidrains_is_recognised(tmp_path: Path) -> None:
    state = {f"{part}.net.0.weight": torch.randn(2, 2) for part in ("S", "G", "D", "SE", "GE")}
    found = found_of({"GAN": state, "version": "1.8.7"}, tmp_path)
    assert found.kind == "lucidrains" and found.networks.keys() == {"G", "G_ema", "D"}
    assert found.networks["G_ema"].tensors.keys() == {"SE.net.0.weight", "GE.net.0.weight"}


def test_tensorflow_networks(tmp_path: Path) -> None:
    inner = tf_network(variables=[("Dense0/weight", numpy_array((2, 2), FOUR))])
    outer = tf_network(
        variables=[("lod", numpy_array((), FOUR[:4]))],
        components={"mapping": inner},
        static_kwargs={"resolution": 1024, "fmaps": numpy_array((2,), FOUR[:8])},
    )
    (tmp_path / "a.pkl").write_bytes(dumps((outer, tf_network(), outer)))
    found = read(tmp_path / "a.pkl")
    assert found.kind == "tf" and found.networks["G_ema"].class_name == "G_main"
    assert found.networks["G_ema"].kwargs == {"resolution": 1024, "fmaps": [1.0, 2.0]}
    expected = {"lod": torch.tensor(1.0), "mapping/Dense0/weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
    same(found.networks["G_ema"].tensors, expected)


def test_numpy_as_python_pickles_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of both orders and scalars, by every protocol, within a TensorFlow network."""

    class Network:
        def __init__(self, state: dict[str, Any]) -> None:
            self.__dict__ = state

    Network.__module__, Network.__qualname__ = "dnnlib.tflib.network", "Network"
    for name in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["dnnlib.tflib.network"].Network = Network  # type: ignore[attr-defined]
    c = np.arange(6, dtype=np.float32).reshape(2, 3)
    values = {"c": c, "f": np.asfortranarray(c), "n": np.float32(2.5), "i": np.int64(7)}
    state = {"version": 4, "build_func_name": "G_style", "static_kwargs": {}, "components": {}}
    network = Network({**state, "variables": list(values.items())})
    for protocol in (2, 3, 4, 5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps((network,) * 3, protocol))
        tensors = read(tmp_path / "a.pkl", want=("G_ema",)).networks["G_ema"].tensors
        for name, value in values.items():
            assert np.array_equal(tensors[name].numpy(), value), (protocol, name)


def test_safetensors(tmp_path: Path) -> None:
    tensors = {name: value.contiguous() for name, value in KINDS.items()}
    save_file(tensors, tmp_path / "a.safetensors", metadata={"family": "test"})
    found = read(tmp_path / "a.safetensors")
    assert found.kind == "safetensors" and found.metadata == {"family": "test"}
    same(found.networks["G"].tensors, tensors)


@pytest.mark.parametrize("length", [0x80, 0x180, 0x4B50], ids=["as a pickle", "as a pickle too", "as a zip"])
def test_safetensors_that_begin_as_something_else(length: int, tmp_path: Path) -> None:
    """The first bytes are the length of the header: 128 is the first byte of a pickle, 19,280 the PK of a zip."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).ljust(length).encode()
    (tmp_path / "a").write_bytes(safetensors(header, FOUR))
    same(read(tmp_path / "a").networks["G"].tensors, {"a": torch.tensor([1.0, 2, 3, 4])})


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "network.safetensors").write_bytes(path_of("stylegan2-32-cond10").read_bytes())
    assert read(tmp_path / "network.safetensors").kind == "nvidia"
