"""The faces' classifier: what it reads, what it does to sizes, and files that are not what they say."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ganlab.config import InvalidInput
from ganlab.data.faces import ATTRIBUTES, Attributes, faces
from ganlab.data.faces.visible import visible
from ganlab.features.faces import (
    FacesClassifier,
    Head,
    Layout,
    features_of,
    load_classifier,
    save_classifier,
)
from ganlab.metrics.frechet import frechet_distance
from tests.damaged import with_header, with_tensor

LAYOUT = Layout((Head("hat", ("none", "cap", "crown")), Head("smile", lo=-0.7, hi=1)), width=4, dim=8)
Fresh = tuple[torch.Tensor, Attributes]


@pytest.fixture(scope="module")
def fresh() -> Fresh:
    return faces(987_654, range(500), 64)


@pytest.fixture
def small() -> FacesClassifier:
    """Random weights, with batch statistics of some pictures."""
    torch.manual_seed(0)
    model = FacesClassifier(LAYOUT, norm=True)
    for _ in range(5):
        model(torch.rand(16, 3, 64, 64) * 2 - 1)
    return model.eval()


def test_it_reads_every_head_in_its_units(small: FacesClassifier) -> None:
    images = torch.rand(5, 3, 64, 64) * 2 - 1
    out = small(images)
    assert out["hat"].shape == (5, 3) and out["smile"].shape == (5,)
    vectors = small.features(images)
    assert vectors.shape == (5, 8) and vectors.dtype == torch.float32
    assert torch.equal(small.read(vectors)["hat"], out["hat"])
    small.last.bias.data[3], small.last.weight.data[3] = 1, 0
    assert torch.allclose(small(images)["smile"], torch.ones(5))


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (256, 256), (96, 48)])
def test_pictures_of_any_size_and_kind_are_prepared(small: FacesClassifier, size: tuple[int, int]) -> None:
    levels = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    found = small.prepared(levels)
    assert found.shape == (2, 3, 64, 64) and found.abs().max() <= 1
    assert torch.allclose(found, small.prepared(levels.float() / 127.5 - 1), atol=1e-6)
    beyond = small.prepared(torch.full((1, 3, *size), 7.0))
    assert torch.allclose(beyond, torch.ones(1, 3, 64, 64))


def test_large_pictures_are_not_aliased(small: FacesClassifier) -> None:
    lines = (torch.arange(256) % 2 * 2.0 - 1).expand(1, 3, 256, 256)
    assert small.prepared(lines)[..., 8:-8, 8:-8].abs().max() < 0.05


def test_a_file_gives_the_same_again(small: FacesClassifier, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_classifier(path, small, licence="Apache-2.0", about={"data": "noise"})
    loaded = load_classifier(path)
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    assert loaded.layout == LAYOUT and loaded.about == {"data": "noise"}
    assert torch.allclose(loaded.features(images), small.features(images), atol=1e-5)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert load_classifier(path) is loaded
    save_classifier(tmp_path / "again.safetensors", loaded, licence="Apache-2.0", about={"data": "noise"})
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "a picture": lambda data: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a pickle": lambda data: b"\x80\x04cos\nsystem\n.",
    "half": lambda data: data[: len(data) // 2],
    "a header of exabytes": lambda data: (1 << 60).to_bytes(8, "little") + data[8:],
    "no word of ours": lambda data: save_tensors(load_tensors(data)),
    "another family": lambda data: with_header(data, lambda h: h.update(family="stylegan2")),
    "no settings": lambda data: with_header(data, lambda h: h.pop("config")),
    "a huge network": lambda data: with_header(data, lambda h: h["config"].update(width=10**9)),
    "heads without end": lambda data: with_header(data, lambda h: h["config"].update(heads=[{"name": "a"}] * 9999)),
    "two heads of a name": lambda data: with_header(data, lambda h: h["config"].update(heads=[{"name": "a"}] * 2)),
    "a head too many": lambda data: with_header(data, lambda h: h["config"]["heads"].append({"name": "a"})),
    "an unknown setting": lambda data: with_header(data, lambda h: h["config"].update(code="x")),
    "a missing tensor": lambda data: with_tensor(data, "last.bias", None),
    "a misshapen tensor": lambda data: with_tensor(data, "last.bias", torch.zeros(1)),
    "halves": lambda data: with_tensor(data, "last.bias", torch.zeros(4, dtype=torch.float16)),
    "no numbers": lambda data: with_tensor(data, "last.bias", torch.full((4,), torch.nan)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_files_that_are_not_ours_are_refused(attack: str, small: FacesClassifier, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    save_classifier(good, small, licence="Apache-2.0", about={})
    bad.write_bytes(ATTACKS[attack](good.read_bytes()))
    with pytest.raises(InvalidInput) as error:
        load_classifier(bad)
    assert len(str(error.value)) < 300 and str(tmp_path) not in str(error.value)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_classifier(tmp_path / "none.safetensors")


# the classifier that ships


def test_the_shipped_one_knows_its_heads() -> None:
    heads = {head.name: head for head in load_classifier().heads}
    assert list(heads) == list(ATTRIBUTES)
    for name, row in ATTRIBUTES.items():
        assert heads[name].options == tuple(row.options)
    assert sum(p.numel() for p in load_classifier().parameters()) < 1_500_000


def test_the_shipped_one_reads_fresh_faces(fresh: Fresh) -> None:
    images, people = fresh
    with torch.inference_mode():
        out = load_classifier()(images)
    seen = visible(people.values)
    for name, least in {"hat": 0.9, "glasses": 0.9, "hairstyle": 0.9, "background": 0.9, "mouth": 0.9}.items():
        right = (out[name].argmax(1) == people[name])[seen[name]].float().mean()
        assert right > least, name
    assert torch.corrcoef(torch.stack([out["smile"], people["smile"]]))[0, 1] > 0.75


@pytest.mark.parametrize("size", [32, 96, 128])
def test_it_reads_them_at_other_sizes_too(size: int) -> None:
    images, people = faces(55, range(150), size)
    with torch.inference_mode():
        hats = load_classifier()(images)["hat"].argmax(1)
    assert (hats == people["hat"]).float().mean() > 0.9


def test_its_distances_know_good_pictures_from_bad(fresh: Fresh) -> None:
    """Other faces are near, blurred ones the farther the more they are blurred, noise is far."""
    classifier = load_classifier()
    real = features_of(classifier, fresh[0][:300])
    images = faces(31, range(300), 64)[0].float() / 127.5 - 1

    def distance(pictures: torch.Tensor) -> float:
        return frechet_distance(real, features_of(classifier, pictures))

    def blurred(side: int) -> torch.Tensor:
        small = F.interpolate(images, (side, side), mode="area")
        return F.interpolate(small, (64, 64), mode="bilinear", align_corners=False)

    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    steps = [distance(images), *(distance(blurred(side)) for side in (24, 16, 8))]
    assert steps == sorted(steps) and steps[2] > 1.5 * steps[0]
    assert distance(noise) > 5 * steps[0]
    assert distance(images[:1].expand(300, -1, -1, -1)) > 5 * steps[0]


def test_it_is_quick() -> None:
    images, classifier = torch.rand(64, 3, 64, 64) * 2 - 1, load_classifier()
    best = float("inf")
    with torch.inference_mode():
        for _ in range(4):
            began = time.perf_counter()
            classifier.features(images)
            best = min(best, time.perf_counter() - began)
    assert 64 / best > 100, f"{64 / best:.0f} images/s"  # five times less than measured: machines differ
