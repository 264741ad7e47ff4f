"""Inception as FID has it: made-up weights under the published names, and what is particular to that graph."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.features import inception
from ganlab.features.inception import (
    Inception,
    enlarged,
    extractor_named,
    inception_extractor,
    load_inception,
    mean_pool,
)
from ganlab.files import write_atomic
from ganlab.training import full_report


def made_up() -> dict[str, Tensor]:
    """Weights for every name of the file, so small a network as its widths allow."""
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        wanted = Inception().state_dict()
    state = {}
    for name, value in wanted.items():
        if name.endswith(("running_var", "bn.weight")):
            state[name] = torch.rand(value.shape, generator=rng) + 0.5
        elif value.ndim > 1:
            state[name] = torch.randn(value.shape, generator=rng) * (2 / value[0].numel()) ** 0.5
        elif not name.endswith("num_batches_tracked"):
            state[name] = torch.randn(value.shape, generator=rng) * 0.1
    return state


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("inception") / inception.FILE
    torch.save(made_up(), path)
    yield path
    inception._loaded.cache_clear()


def test_names_and_shapes_are_those_of_the_published_file(path: Path) -> None:
    shapes = {name: tuple(value.shape) for name, value in load_inception(path).state_dict().items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert shapes["Mixed_6a.branch3x3dbl_3.conv.weight"] == (96, 96, 3, 3)
    assert shapes["Mixed_6e.branch7x7dbl_5.conv.weight"] == (192, 192, 1, 7)
    assert shapes["Mixed_7a.branch7x7x3_4.bn.running_var"] == (192,)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert shapes["fc.weight"] == (1008, 2048) and shapes["fc.bias"] == (1008,)
    weights = [name for name in shapes if name.endswith("conv.weight")]
    assert len(weights) == 94  # convolutions of Inception v3 without its auxiliary head
    assert load_inception(path).Mixed_5b.branch1x1.bn.eps == 1e-3


def test_pictures_of_any_size_give_features_and_logits(path: Path) -> None:
    eye = inception_extractor(path)
    images = torch.randint(256, (2, 1, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    features = eye.near(images)
    assert features.shape == (2, 2048) and bool((features >= 0).all()) and not torch.equal(*features)
    assert eye.logits is not None
    network = load_inception(path)
    assert torch.allclose(eye.logits(features), F.linear(features, network.fc.weight), atol=1e-3), "no bias in a score"
    assert torch.allclose(eye.of_floats((images.float() - 128) / 127.5), features, rtol=1e-3, atol=1e-4)
    assert (eye.named("FD"), eye.named("KD")) == ("FID", "KID") and eye.small is None and len(eye.version) == 64


def test_feature_maps_are_the_ones_that_its_features_are_made_of(path: Path) -> None:
    network = load_inception(path)
    images = (torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(2)) * 2 - 1).requires_grad_(True)
    maps = network.maps(images)
    assert [tuple(part.shape[1:]) for part in maps] == [(64, 147, 147), (192, 71, 71), (288, 35, 35), (768, 17, 17)]
    last = network.Mixed_7c(network.Mixed_7b(network.Mixed_7a(maps[-1]))).mean((2, 3))
    assert torch.allclose(last, network.features(images), rtol=1e-3, atol=1e-4)
    sum(part.mean() for part in maps).backward()
    assert images.grad is not None and (images.grad != 0).float().mean() > 0.9


def test_means_count_only_pixels_that_are_there() -> None:
    ones = torch.ones(1, 2, 5, 5)
    assert torch.equal(mean_pool(ones), ones), "a mean that counts zeros beyond the edge is below 1 there"


def test_only_the_last_block_pools_by_the_maximum(path: Path) -> None:
    network = load_inception(path)
    spike = torch.zeros(1, 2048, 8, 8)
    spike[0, :, 4, 4] = 9.0
    for block, pooled in (
        (network.Mixed_7b, mean_pool(spike[:, :1280])),
        (network.Mixed_7c, F.max_pool2d(spike, 3, 1, 1)),
    ):
        assert isinstance(block, nn.Module)
        x = spike[:, : pooled.shape[1]]
        assert torch.allclose(block(x)[:, -192:], block.branch_pool(pooled), atol=1e-5)


def test_enlarging_is_tensorflows() -> None:
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    assert enlarged(ramp, 8)[0, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]  # half-pixel centres would give .25
    assert enlarged(ramp, 8).shape == (1, 1, 8, 8) and enlarged(ramp, 4) is ramp
    small = enlarged(torch.arange(6.0).expand(1, 1, 6, 6), 3)
    assert small[0, 0, 0].tolist() == [0, 2, 4], "each second pixel, not smoothed"


def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, path: Path) -> None:
    state = made_up()
    for name, change, told in (
        ("short.pth", {k: v for k, v in state.items() if k != "fc.bias"}, "fc.bias is missing"),
        ("other.pth", {k: v for k, v in state.items() if "Mixed_7" not in k}, "others are missing"),
        ("classes.pth", {**state, "fc.weight": torch.zeros(1000, 2048)}, "fc.weight is missing or misshapen"),
    ):
        torch.save(change, tmp_path / name)
        with pytest.raises(InvalidInput, match=told):
            load_inception(tmp_path / name)
    (tmp_path / "page.pth").write_text("<!doctype html>")
    with pytest.raises(InvalidInput, match="web page"):
        load_inception(tmp_path / "page.pth")
    with pytest.raises(InvalidInput, match="weights are not at"):
        extractor_named("inception", "faces")
    with pytest.raises(InvalidInput, match="neither one of faces, pyramid, dinov2, dinov2-small, inception"):
        extractor_named(str(tmp_path / "nowhere"), "faces")
    assert extractor_named("", "digits").name == "pyramid" and extractor_named("faces", "digits").name == "faces"


def test_the_command_calls_it_fid(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures' names come with the features; the network itself is stood in for, being slow."""
    monkeypatch.setattr(Inception, "features", lambda self, x: x.float().flatten(1)[:, 400:410])
    monkeypatch.setattr(Inception, "logits", lambda self, features: features)
    monkeypatch.setattr(full_report, "PATHS", 4)
    options = ["--count", "20", "--real", "20"]
    assert main(["metrics", "mnist32", "digits", "--features", str(path), *options]) == 0
    told = capsys.readouterr().out
    assert "| FID |" in told and "| KID |" in told and "| IS |" in told and "FD-" not in told
    write_atomic(inception.weights_path(), path.read_bytes())
    assert extractor_named("inception", "digits").name == "inception"
    assert main(["metrics", "mnist32", "digits", "--features", "nothing", *options]) == 2
    assert "error: features: 'nothing' is neither" in capsys.readouterr().err
