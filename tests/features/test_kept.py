"""Features of data are made once, found again, and never believed where a file says something else."""

import os
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganlab.data.images import ImageData, open_images
from ganlab.features import kept
from ganlab.features.extractors import Extractor
from ganlab.features.kept import kept_features
from ganlab.training.quality import QualityMeter

DATA = {"name": "digits"}


class Counting:
    """An extractor that counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.extractor = Extractor("means", self, lambda x: x.float().mean((2, 3)), self, "1")

    def __call__(self, pictures: Tensor) -> Tensor:
        self.calls += 1
        return pictures.float().flatten(1)[:, :5]


def pictures(seed: int = 0, count: int = 20) -> Tensor:
    return torch.randint(256, (count, 3, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_made_once_and_again_for_other_pictures_settings_and_versions() -> None:
    how, images = Counting(), pictures()
    first = kept_features(how.extractor, images, DATA)
    again = kept_features(how.extractor, images, DATA)
    assert how.calls == 1 and all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    kept_features(how.extractor, pictures(1), DATA)
    kept_features(how.extractor, images, {"name": "mnist"})
    kept_features(how.extractor._replace(version="2"), images, DATA)
    kept_features(how.extractor, images[:10], DATA)
    assert how.calls == 5
    kept_features(how.extractor._replace(version=""), images, DATA)
    assert len(list(kept.folder().iterdir())) == 5, "what has no version is not kept"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b'"version\\": \\"1', b'"version\\": \\"0'),
        lambda data: data[:-4] + b"\0\0\xc0\x7f",
        lambda data: (1 << 60).to_bytes(8, "little") + data[8:],
    ],
    ids=["empty", "cut off", "another key", "not a number", "a huge header"],
)
def test_a_damaged_file_is_made_again(damage: Callable[[bytes], bytes]) -> None:
    how, images = Counting(), pictures()
    right = kept_features(how.extractor, images, DATA)
    path = next(kept.folder().glob("*.safetensors"))
    whole = path.read_bytes()
    broken = damage(whole)
    assert broken != whole
    path.write_bytes(broken)
    found = kept_features(how.extractor, images, DATA)
    assert how.calls == 2 and all(torch.equal(a, b) for a, b in zip(right, found, strict=True))
    assert path.read_bytes() == whole


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    how = Counting()
    kept_features(how.extractor, pictures(0), DATA)
    size = next(kept.folder().glob("*.safetensors")).stat().st_size
    monkeypatch.setattr(kept, "MOST_BYTES", int(2.5 * size))
    for seed in (1, 0, 2):  # the second use of 0 makes 1 the oldest
        for path in kept.folder().glob("*.safetensors"):  # a disk's clock may tick less often than this test
            os.utime(path, (path.stat().st_mtime - 10,) * 2)
        kept_features(how.extractor, pictures(seed), DATA)
    assert len(list(kept.folder().glob("*.safetensors"))) == 2 and how.calls == 3
    kept_features(how.extractor, pictures(0), DATA)
    assert how.calls == 3
    kept_features(how.extractor, pictures(1), DATA)
    assert how.calls == 4


def test_where_nothing_can_be_written_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write_atomic", full)
    how = Counting()
    assert kept_features(how.extractor, pictures(), DATA)[0].shape == (20, 5)


def test_a_meter_finds_the_features_of_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    images = open_images(ImageData(resolution=32, limit=24))
    meter = QualityMeter(images, 24)
    assert len(list(kept.folder().iterdir())) == 1 and meter.extractor.named("FD") == "FD-faces"

    def never(*_: object) -> None:
        raise AssertionError("the features were made again")

    monkeypatch.setattr(kept, "distances_of", never)
    assert torch.equal(QualityMeter(images, 24).real.near, meter.real.near)
