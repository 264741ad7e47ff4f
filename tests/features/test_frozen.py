"""Frozen networks of timm, with random weights: their maps, their files, and discriminators that look through them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganlab.cli import main
from ganlab.config import InvalidInput
from ganlab.data.images import ImageData
from ganlab.features import frozen as table
from ganlab.features.frozen import FROZEN, OWN, SEERS, Backbone, Network, at_hand, dinov2, fetch_frozen, frozen
from ganlab.networks import projected, stylegan_xl
from ganlab.run_images import BOTH, ImageGanConfig, ImageRun
from ganlab.serving.measuring import Measuring
from ganlab.text.features import any_extractor
from ganlab.training.image_loop import ImageTraining
from tests.tiny_models import TINY

SMALL_VIT = Network("a small one", "nobody", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", 224, None, 22)


def write(name: str, model: str, without: str = "") -> Path:
    """The file of a network with random weights, as timm publishes it."""
    torch.manual_seed(0)
    state = timm.create_model(model, pretrained=False).state_dict()
    path = table.weights_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in state.items() if not without or without not in key}, path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield tmp_path
    table._loaded.cache_clear()


KINDS = {
    "efficientnet": ("tf_efficientnet_lite1.in1k", ((24, 64), (40, 32), (112, 16), (320, 8))),
    "dino": ("vit_small_patch16_224.dino", ((384, 16), (384, 16), (384, 16))),
    "swin": ("swin_tiny_patch4_window7_224.ms_in1k", ((96, 64), (192, 32), (384, 16), (768, 8))),
}


@pytest.mark.parametrize("name", KINDS)
def test_maps_of_every_kind_of_network(name: str) -> None:
    model, shapes = KINDS[name]
    assert at_hand() == [OWN]
    write(name, model)
    assert at_hand() == [OWN, name]
    network = frozen(name)
    assert isinstance(network, Backbone) and network.map_shapes == shapes
    images = (torch.rand(2, 3, 40, 40) * 2 - 1).requires_grad_(True)
    maps = network.maps(images)
    assert [tuple(x.shape) for x in maps] == [(2, channels, side, side) for channels, side in shapes]
    sum((x.square().mean() for x in maps), torch.zeros(())).backward()
    assert images.grad is not None and (images.grad != 0).float().mean() > 0.9
    assert not any(p.requires_grad for p in network.parameters())  # type: ignore[attr-defined]


def test_pictures_are_shown_as_the_network_was_trained() -> None:
    write("efficientnet", KINDS["efficientnet"][0])
    network: Any = frozen("efficientnet")
    seen: list[Tensor] = []
    network.network.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    network.maps(torch.stack([torch.full((3, 8, 8), value) for value in (-1.0, 1.0)]))
    assert seen[0].shape == (2, 3, 256, 256)
    known = timm.create_model(KINDS["efficientnet"][0], pretrained=False).pretrained_cfg
    for x, level in zip(seen[0], (0.0, 1.0)):
        for channel, mean, std in zip(x, known["mean"], known["std"]):
            assert channel.mean().item() == pytest.approx((level - mean) / std, abs=1e-4)


def test_what_is_missing_is_a_sentence() -> None:
    with pytest.raises(
        InvalidInput, match=r"backbone: the weights of EfficientNet-Lite1 \(22 MB\) are not on this mach"
    ):
        frozen("efficientnet")
    with pytest.raises(InvalidInput, match="'resnet' is not one of faces, efficientnet"):
        frozen("resnet")
    with pytest.raises(InvalidInput, match="--fetch on the command line brings them, once; or take 'faces'"):
        ImageTraining(ImageRun(ImageData(resolution=32), ImageGanConfig("a", "projected", backbone="dino", **TINY)))
    path = write("efficientnet", KINDS["efficientnet"][0], without="blocks.1.0.bn1.bias")
    with pytest.raises(InvalidInput, match=r"lacks weights of tf_efficientnet_lite1\.in1k \(blocks\.1\.0\.bn1\.bias"):
        frozen("efficientnet")
    path.write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(InvalidInput, match="cannot be opened as timm's tf_efficientnet"):
        frozen("efficientnet")


def test_discriminators_look_through_them() -> None:
    write("efficientnet", KINDS["efficientnet"][0])
    for D in (
        projected.Discriminator(3, 32, 3, 256, 8, "efficientnet"),
        stylegan_xl.Discriminator(3, 32, 3, 256, 8, "efficientnet"),
    ):
        image = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_(True)
        logits = D(image, torch.eye(3)[:2])
        assert logits.shape == (2, 4) and not any("frozen" in key or "network" in key for key in D.state_dict())
        logits.sum().backward()
        assert image.grad is not None and image.grad.abs().sum() > 0
    gan = ImageGanConfig("a", "stylegan2", second="efficientnet", **TINY)
    training = ImageTraining(ImageRun(ImageData(resolution=32), gan))
    training.step()
    assert training.gan.D.second == "efficientnet" and training.gan.finite()
    assert training.gan.D(training.grid(1), None).shape == (1, 5)


def test_a_discriminator_may_look_through_two_networks() -> None:
    write("efficientnet", KINDS["efficientnet"][0])
    write("dino", KINDS["dino"][0])
    D = stylegan_xl.Discriminator(3, 32, 3, 256, 8, "dino+efficientnet")
    image = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_(True)
    logits = D(image, torch.eye(3)[:2])
    assert logits.shape == (2, 3 + 4)
    for logit in logits[0]:
        (gradient,) = torch.autograd.grad(logit, image, retain_graph=True)
        assert gradient[0].abs().sum() > 0
    with pytest.raises(InvalidInput, match="backbone: the weights of DeiT-B"):
        ImageTraining(ImageRun(ImageData(resolution=32), ImageGanConfig("a", "stylegan-xl", backbone=BOTH, **TINY)))


def test_dinov2_is_a_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEERS, "dinov2", SMALL_VIT)
    with pytest.raises(InvalidInput, match="features: the weights of a small one"):
        any_extractor("dinov2", "faces")
    write("dinov2", SMALL_VIT.timm)
    eye = any_extractor("dinov2", "faces")
    pictures = torch.randint(0, 256, (18, 1, 24, 24), dtype=torch.uint8)
    found = eye.near(pictures)
    assert found.shape == (18, 192) and eye.named("FD") == "FD-dinov2" and len(eye.version) == 64
    torch.testing.assert_close(eye.of_floats(pictures / 127.5 - 1), found, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(dinov2("dinov2").near(pictures[3:4]), found[3:4], rtol=1e-3, atol=1e-3)
    model: Any = timm.create_model(SMALL_VIT.timm, pretrained=False, num_classes=0).eval()
    model.load_state_dict(
        {k: v for k, v in load_file(table.weights_path("dinov2")).items() if not k.startswith("head.")}
    )
    x = torch.nn.functional.interpolate(
        pictures[:1].expand(-1, 3, -1, -1) / 255.0, (224, 224), mode="bicubic", antialias=True
    )
    with torch.no_grad():
        theirs = model((x - 0.5) / 0.5)  # what these weights were trained with
    torch.testing.assert_close(theirs, found[:1], rtol=1e-3, atol=1e-3)


def test_the_lab_offers_what_is_here(tmp_path: Path) -> None:
    lab = Measuring.__new__(Measuring)
    assert "dinov2-small" not in dict(lab.features()).values()
    table.weights_path("dinov2-small").touch()
    assert ("DINOv2 ViT-S/14", "dinov2-small") in lab.features()


def test_only_a_user_who_asks_fetches(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, str, Path]] = []

    def fetch(wanted: Any, tick: Any = None) -> Path:
        asked.append((wanted.name, wanted.url, wanted.path))
        return write(wanted.name, FROZEN[wanted.name].timm)  # type: ignore[union-attr]

    monkeypatch.setattr(table, "fetch", fetch)
    fetch_frozen(OWN)
    fetch_frozen("none")
    small = [f"--set={key}={value}" for key, value in TINY.items()]
    given = [
        "train",
        "--preset",
        "projected-32",
        "--steps",
        "1",
        "--every",
        "1",
        "--set",
        "backbone=efficientnet",
        *small,
    ]
    assert main(given) == 2 and "--fetch" in capsys.readouterr().err and not asked
    assert main([*given, "--fetch"]) == 0
    (only,) = asked
    assert only[0] == "efficientnet" and only[1].endswith(
        "/timm/tf_efficientnet_lite1.in1k/resolve/main/model.safetensors"
    )
    assert only[2] == table.weights_path("efficientnet") and "4 images" in capsys.readouterr().out
